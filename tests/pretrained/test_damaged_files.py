"""Whatever happens to a weight file, a reader gives weights or one clear line, never another exception."""

import contextlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lowres_jax.errors import UserError
from lowres_jax.pretrained import cards, keras_h5, ncnn
from lowres_jax.super_resolution.upscaler import load_upscaler


def ncnn_model() -> tuple[bytes, bytes]:
    """(.param, .bin) of two convolutions."""
    param = "7767517\n3 4\nInput data 0 1 data\n"
    param += "Convolution a 1 1 data b 0=2 1=1 5=1 6=6\nConvolution c 1 1 b d 0=3 1=1 5=1 6=6\n"
    one = bytes.fromhex("476b3001") + np.arange(6, dtype="<f2").tobytes()
    return param.encode(), one + np.zeros(2, "<f4").tobytes() + one + np.zeros(3, "<f4").tobytes()


def damaged(content: bytes, position: int, value: int, cut: bool) -> bytes:
    position %= len(content)
    return content[:position] if cut else content[:position] + bytes([value]) + content[position + 1 :]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("damaged")


damage = given(position=st.integers(0, 1 << 16), value=st.integers(0, 255), cut=st.booleans())
quick = settings(max_examples=150, deadline=None)


def read(reader: Callable[[Path], object], path: Path) -> None:
    with contextlib.suppress(UserError):
        reader(path)


@quick
@damage
def test_ncnn_text(folder: Path, position: int, value: int, cut: bool) -> None:
    param, content = ncnn_model()
    (folder / "m.param").write_bytes(damaged(param, position, value, cut))
    (folder / "m.bin").write_bytes(content)
    read(ncnn.rrdbnet, folder / "m.bin")


@quick
@damage
def test_ncnn_weights(folder: Path, position: int, value: int, cut: bool) -> None:
    param, content = ncnn_model()
    (folder / "m.param").write_bytes(param)
    (folder / "m.bin").write_bytes(damaged(content, position, value, cut))
    read(ncnn.read_convolutions, folder / "m.bin")


@settings(max_examples=30, deadline=None)
@given(length=st.integers(0, 1_000_000))
def test_truncated_keras_weights(folder: Path, length: int) -> None:
    content = cards.weight_path(cards.load_card("srresnet", "super_resolution")).read_bytes()
    (folder / "w.h5").write_bytes(content[:length])
    with pytest.raises(UserError):
        keras_h5.srresnet(folder / "w.h5")


def test_a_truncated_file_by_the_upscaler_s_name(folder: Path) -> None:
    path = cards.weight_path(cards.load_card("esrgan", "super_resolution"))
    (folder / "own.bin").write_bytes(path.read_bytes()[:-1000])
    (folder / "own.param").write_bytes(path.with_suffix(".param").read_bytes())
    with pytest.raises(UserError, match=r"own\.bin: no ncnn model, or a truncated one"):
        load_upscaler("esrgan", weights=str(folder / "own.bin"))
