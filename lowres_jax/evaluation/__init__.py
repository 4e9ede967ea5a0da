"""Does it help? Protocols only: verification, identification, image quality, intervals, measurement."""
