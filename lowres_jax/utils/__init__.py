"""Files that are written whole or not at all, names of files, streams of random numbers."""
