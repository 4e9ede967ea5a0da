"""A quarter of an hour on a lent accelerator: what is taken along, what is looked at there, what is brought home."""
