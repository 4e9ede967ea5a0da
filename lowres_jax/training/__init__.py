"""What every trainer shares: loop, state, optimizers, devices, checkpoints, metrics. Knows no stage."""
