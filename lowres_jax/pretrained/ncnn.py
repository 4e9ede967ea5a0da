"""Reads convolution weights from ncnn models: a .param text file and the .bin file beside it."""

import os
from pathlib import Path
from typing import Any

import numpy as np

from lowres_jax.errors import UserError

_MAGIC = "7767517"
_FLOAT16_TAG = 0x01306B47


def read_convolutions(path: str | os.PathLike[str]) -> list[tuple[np.ndarray, np.ndarray]]:
    """The convolutions of an ncnn model, in the order of the .param file.

    Each stands in the .bin file as a tag (float16 weights), the weights OIHW padded to four bytes, and a float32 bias.

    Args:
      path: the .bin file; the .param file of the same name lies beside it.

    Returns:
      (kernel HWIO float32, bias float32) for each.

    Raises:
      UserError: a file is missing, is no ncnn model, stores other than float16 weights, or has another length.
    """
    path = Path(path)
    try:
        lines = path.with_suffix(".param").read_text().splitlines()
        content = path.read_bytes()
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"{path}: the ncnn model cannot be read ({error})") from error
    if not lines or lines[0].strip() != _MAGIC:
        raise UserError(f"{path.with_suffix('.param')}: no ncnn model (its first line is not {_MAGIC})")
    found, offset = [], 0
    try:
        for line in lines[2:]:
            kind, _, inputs, outputs, *rest = line.split()
            if kind != "Convolution":
                continue
            settings = dict(item.split("=", 1) for item in rest[int(inputs) + int(outputs) :])
            features, side, count = int(settings["0"]), int(settings["1"]), int(settings["6"])
            (tag,) = np.frombuffer(content, "<u4", 1, offset)
            if tag != _FLOAT16_TAG:
                raise UserError(f"{path}: weights at byte {offset} are not float16 (tag {tag:#010x})")
            kernel = np.frombuffer(content, "<f2", count, offset + 4).astype(np.float32)
            offset += 4 + (2 * count + 3) // 4 * 4
            bias = np.frombuffer(content, "<f4", features, offset).copy()
            offset += 4 * features
            found.append((kernel.reshape(features, -1, side, side).transpose(2, 3, 1, 0), bias))
    except (ValueError, KeyError, IndexError) as error:
        raise UserError(f"{path}: no ncnn model, or a truncated one ({error})") from error
    if offset != len(content):
        raise UserError(f"{path}: {len(content)} bytes, but its .param file accounts for {offset}")
    return found


def rrdbnet(path: str | os.PathLike[str]) -> dict[str, Any]:
    """Variables of `super_resolution.rrdbnet.Model` (x4) from an ncnn model of ESRGAN's generator.

    Raises:
      UserError: see `read_convolutions`; or the convolutions are too few.
    """
    found = read_convolutions(path)
    convolutions, total = iter(found), len(found)
    blocks = (total - 6) // 15

    def conv() -> dict[str, np.ndarray]:
        kernel, bias = next(convolutions)
        return {"kernel": kernel, "bias": bias}

    if blocks < 1 or total != 15 * blocks + 6:
        raise UserError(f"{path}: {total} convolutions are not those of an RRDBNet at x4 (15 a block, and 6)")
    params: dict[str, Any] = {"conv_first": conv()}
    for block in range(blocks):
        for dense in range(3):
            params[f"block_{block}_dense_{dense}"] = {f"conv_{number}": conv() for number in range(5)}
    for name in ("conv_trunk", "conv_up_0", "conv_up_1", "conv_high", "conv_last"):
        params[name] = conv()
    return {"params": params}
