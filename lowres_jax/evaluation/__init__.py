"""Does it help? Verification, open-set identification, image quality, intervals, report."""
