"""Identification: a gallery of known people, the search in it, and measured thresholds."""
