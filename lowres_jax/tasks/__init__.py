"""The tasks of the program: one module a task, with `run(config, workdir)`."""
