"""Enlarging people's photographs: what is found, made, said and kept of every face."""
