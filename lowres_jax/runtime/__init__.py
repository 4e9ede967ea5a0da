"""Settings of the process: configs, devices, signals, the connection of several processes."""
