"""Shapes of arrays at public borders, as `jaxtyping` writes them; tests check them where pyproject.toml says so.

A dimension of one name has one length within a call: two `Images` are of one size.
"""

import jax
import numpy as np
from jaxtyping import Bool, Float, Integer

# What a network takes: inside a compiled function a jax.Array, outside of it NumPy's too.
Array = jax.Array | np.ndarray

# On the host: RGB in [0, 1].
Image = Float[np.ndarray, "height width 3"]
Images = Float[np.ndarray, "batch height width 3"]
Templates = Float[np.ndarray, "batch dimension"]
Labels = Integer[np.ndarray, " batch"]
PerImage = Float[np.ndarray, " batch"]

# On the devices, within a step.
DeviceImages = Float[jax.Array, "batch height width channels"]
Features = Float[jax.Array, "*features"]
Embeddings = Float[jax.Array, "batch dimension"]
Logits = Float[jax.Array, " batch"]
ClassLogits = Float[jax.Array, "batch classes"]
RightClass = Bool[jax.Array, "batch classes"]
Scalar = Float[jax.Array, ""]
