"""Compares upscalers."""
