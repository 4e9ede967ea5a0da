"""What every trainer shares: loop, state, optimisers, devices, checkpoints, metrics. Knows no stage."""
