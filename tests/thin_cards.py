"""Networks too thin to be of use, under names of their own: a run treats them as it treats real ones.

They lie in the user's own cards folder, so that programs which a test starts find them too.
"""

import hashlib
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from lowres_jax.pretrained import cards, safetensors_weights
from lowres_jax.recognition import sface
from lowres_jax.super_resolution import srresnet

JUDGE, UPSCALER = "thin_judge", "thin"
_NETWORKS: dict[str, tuple[Any, str, dict[str, Any], int]] = {
    # SFace of one block at 48 px, little more than a random projection; SRResNet of one block.
    JUDGE: (sface, "recognition.sface", {"widths": (8, 16), "strides": (2,), "dimension": 64}, 48),
    UPSCALER: (srresnet, "super_resolution.srresnet", {"blocks": 1, "features": 8}, 0),
}


def write(cache: Path) -> None:
    """Writes both into the cards folder of a cache folder, which LOWRES_JAX_CACHE is to name."""
    folder = cache / "cards"
    folder.mkdir(parents=True)
    for name, (module, place, fields, size) in _NETWORKS.items():
        shape = jax.ShapeDtypeStruct((1, size or 8, size or 8, 3), jnp.float32)
        variables = jax.eval_shape(module.Model(**fields).init, jax.random.key(0), shape)
        safetensors_weights.write(folder / f"{name}.safetensors", jax.tree_util.tree_map_with_path(_drawn, variables))
        content = (folder / f"{name}.safetensors").read_bytes()
        card = {
            "summary": "Thin",
            "module": place,
            "license": "Apache-2.0",
            "source": "drawn at random",
            "input_size": size,
            "model": fields,
            "weights": {
                "reader": "safetensors_weights.variables",
                "file": f"{name}.safetensors",
                "sha256": hashlib.sha256(content).hexdigest(),
            },
        }
        (folder / f"{name}.toml").write_text(cards.written(card))


def _drawn(path: tuple[Any, ...], leaf: jax.ShapeDtypeStruct) -> np.ndarray:
    """Kernels of He's size, variances and scales of one, zeros for the rest: without a program to compile."""
    name = path[-1].key
    if name == "kernel":
        spread = np.sqrt(2 / np.prod(leaf.shape[:-1]))
        generator = np.random.default_rng(int(np.prod(leaf.shape)))
        return (spread * generator.normal(size=leaf.shape)).astype(np.float32)
    return np.full(leaf.shape, float(name in ("scale", "var")), np.float32)
