"""The weights of MTCNN from the files of the package mtcnn: lists of arrays in layer order, by joblib under LZ4."""

import io
from pathlib import Path
from typing import Any

import joblib
import lz4.frame
import numpy as np

from lowres_jax.errors import UserError
from lowres_jax.pretrained import weights

_PACKAGE = "mtcnn"
# A joblib file is a pickle, which can run code: it is opened only after its checksum has been compared.
_SHA256 = {
    "pnet": "ea6b0c3e685ebee3165326ad6484acc95f2ef78f1c94fbf40a55704fa989f7b5",
    "rnet": "cb00e6460f3c98b0bfafaba3c0a0ded4bdf6e62cee7174d969e8670d7e757fee",
    "onet": "94f6ea2f4cf985275ee958cdd762d17b6009348a4fb9d8c6be39ba73ffd22ca3",
}


def proposal_network() -> Any:
    """Variables of `ProposalNetwork`, float32.

    Raises:
      UserError: the package is not installed or its file is damaged.
    """
    return _variables("pnet", ["conv1", "prelu1", "conv2", "prelu2", "conv3", "prelu3", "offsets", "classes"])


def refinement_network() -> Any:
    """Variables of `RefinementNetwork`; raises as `proposal_network` does."""
    order = ["conv1", "prelu1", "conv2", "prelu2", "conv3", "prelu3", "dense4", "prelu4", "offsets", "classes"]
    return _variables("rnet", order)


def output_network() -> Any:
    """Variables of `OutputNetwork`; raises as `proposal_network` does."""
    order = ["conv1", "prelu1", "conv2", "prelu2", "conv3", "prelu3", "conv4", "prelu4", "dense5", "prelu5"]
    return _variables("onet", [*order, "offsets", "landmarks", "classes"])


def file_of(name: str) -> str:
    """Path of a network's file in the package: of "pnet", "rnet" or "onet"."""
    return f"{_PACKAGE}/assets/weights/{name}.lz4"


def _variables(name: str, order: list[str]) -> Any:
    file = weights.find_package_file(_PACKAGE, file_of(name))
    return to_variables(weights.verified(file, _SHA256[name]), order)


def to_variables(file: Path, order: list[str]) -> Any:
    """Reads a file's arrays into a tree: PReLUs take one array, other layers kernel and bias.

    Args:
      file: a joblib file under LZ4 that is trusted.
      order: layers in the file's order; "prelu1" belongs to the first convolution.

    Raises:
      UserError: the file does not hold as many arrays as the layers need.
    """
    # Decompressed here: joblib's own reader stays open, which Python 3.13 complains of.
    content = io.BytesIO(lz4.frame.decompress(file.read_bytes()))
    arrays = [np.asarray(array, np.float32) for array in joblib.load(content)]
    needed = sum(1 if layer.startswith("prelu") else 2 for layer in order)
    if len(arrays) != needed:
        raise UserError(f"{file}: {len(arrays)} arrays, not the {needed} of this network; install mtcnn==1.0.0 again")
    parameters: dict[str, dict[str, np.ndarray]] = {}
    remaining = iter(arrays)
    for layer in order:
        if layer == "prelu1":
            parameters["conv1"]["slope"] = next(remaining).reshape(-1)
        elif layer.startswith("prelu"):
            parameters[layer] = {"slope": next(remaining).reshape(-1)}
        else:
            kernel, bias = next(remaining), next(remaining)
            # P-Net's heads are 1x1 convolutions, ours Dense layers.
            squeeze = kernel.ndim == 4 and kernel.shape[:2] == (1, 1)
            parameters[layer] = {"kernel": kernel[0, 0] if squeeze else kernel, "bias": bias}
    return {"params": parameters}
