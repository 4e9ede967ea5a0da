"""What a user can ask for: one module a task, with `run(config, workdir)`."""
