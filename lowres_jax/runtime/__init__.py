"""What the process settles: configs read, devices, signals, the meeting of several processes."""
