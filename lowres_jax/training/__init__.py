"""Parts that all trainers share: loop, state, optimizers, devices, checkpoints, metrics. Knows no stage."""
