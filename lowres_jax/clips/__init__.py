"""Clips: frames, tracks of the faces in them, and clips written."""
