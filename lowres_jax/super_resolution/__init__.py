"""Enlarge a face: interpolation and super-resolution networks."""
