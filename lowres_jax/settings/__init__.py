"""The keys of each task, see `config_keys`; those of trainings are beside what they are of."""
