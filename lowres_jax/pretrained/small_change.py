"""Reads the change of `recognition.sface_small` and puts it on SFace's own weights, which are not in its file."""

from pathlib import Path
from typing import Any

from lowres_jax.pretrained import cards, safetensors_weights


def variables(path: Path) -> dict[str, Any]:
    """Variables of `recognition.sface_small.Model`.

    Raises:
      UserError: the file, or SFace's, cannot be read.
    """
    base = cards.read_variables(cards.load_card("sface", "recognition"))
    return {"params": safetensors_weights.variables(path)["params"], "batch_stats": {"sface": base}}
