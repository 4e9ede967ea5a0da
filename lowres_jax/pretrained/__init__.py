"""Third-party weights to Flax parameters: one reader a format, one model card a name."""
