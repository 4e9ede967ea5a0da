"""Layers and networks of several stages, batches of any size, and the precision of products."""
