"""Low-resolution face recognition in JAX: localize, super-resolve, recognize, and measure whether it helped.

Importing the package is cheap: JAX, OpenCV and TensorFlow are imported by the modules that use them.
"""

__version__ = "0.1.0"
