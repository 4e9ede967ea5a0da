"""ncnn models written by hand, and what comes out of them."""

import struct
from pathlib import Path

import numpy as np
import pytest

from lowres_jax.errors import UserError
from lowres_jax.pretrained import ncnn

TAG = 0x01306B47


def write_model(path: Path, convolutions: list[tuple[np.ndarray, np.ndarray]], tag: int = TAG) -> None:
    """Writes kernels OIHW and biases as ncnn stores them, with another layer before each."""
    lines, content = [], b""
    for number, (kernel, bias) in enumerate(convolutions):
        outputs, _, side, _ = kernel.shape
        lines.append(f"Split split_{number} 1 2 data data_{number} data_b{number}")
        settings = f"0={outputs} 1={side} 4={side // 2} 5=1 6={kernel.size} 9=2 -23310=1,2.000000e-01"
        lines.append(f"Convolution conv_{number} 1 1 data_{number} out_{number} {settings}")
        values = kernel.astype("<f2").tobytes()
        content += struct.pack("<I", tag) + values + b"\0" * (-len(values) % 4) + bias.astype("<f4").tobytes()
    header = ["7767517", f"{len(lines)} {2 * len(lines)}"]
    path.with_suffix(".param").write_text("\n".join([*header, *lines]) + "\n")
    path.with_suffix(".bin").write_bytes(content)


def small_rrdbnet(blocks: int, features: int = 2, growth: int = 1) -> list[tuple[np.ndarray, np.ndarray]]:
    generator = np.random.default_rng(0)

    def conv(inputs: int, outputs: int) -> tuple[np.ndarray, np.ndarray]:
        kernel = generator.standard_normal((outputs, inputs, 3, 3)).astype(np.float16).astype(np.float32)
        return kernel, generator.standard_normal(outputs).astype(np.float32)

    found = [conv(3, features)]
    for _ in range(3 * blocks):
        found += [conv(features + number * growth, growth) for number in range(4)]
        found.append(conv(features + 4 * growth, features))
    return [*found, *(conv(features, features) for _ in range(4)), conv(features, 3)]


def test_numbers_by_hand(tmp_path: Path) -> None:
    """One kernel of three float16 numbers (so that two bytes of padding follow), bytes spelled out."""
    (tmp_path / "m.param").write_text("7767517\n1 2\nConvolution c 1 1 data out 0=1 1=1 5=1 6=3\n")
    # Tag; 1.0, -2.0, 0.5 as float16; padding; bias 0.25 as float32.
    content = bytes.fromhex("476b3001 003c 00c0 0038 0000 0000803e".replace(" ", ""))
    (tmp_path / "m.bin").write_bytes(content)
    ((kernel, bias),) = ncnn.read_convolutions(tmp_path / "m.bin")
    assert kernel.shape == (1, 1, 3, 1)
    assert kernel.dtype == bias.dtype == np.float32
    assert kernel.ravel().tolist() == [1.0, -2.0, 0.5]
    assert bias.tolist() == [0.25]


def test_kernels_are_turned_to_hwio(tmp_path: Path) -> None:
    kernel = np.arange(2 * 3 * 3 * 3, dtype=np.float32).reshape(2, 3, 3, 3)
    write_model(tmp_path / "m.bin", [(kernel, np.zeros(2)), (kernel[:1] + 100, np.ones(1))])
    first, second = ncnn.read_convolutions(tmp_path / "m.bin")
    for output, channel, row, column in np.ndindex(2, 3, 3, 3):
        assert first[0][row, column, channel, output] == kernel[output, channel, row, column]
    assert second[0].shape == (3, 3, 3, 1)
    assert second[0][0, 0, 0, 0] == 100
    assert second[1].tolist() == [1.0]


def test_every_convolution_of_an_rrdbnet_has_its_place(tmp_path: Path) -> None:
    convolutions = small_rrdbnet(2)
    write_model(tmp_path / "m.bin", convolutions)
    params = ncnn.rrdbnet(tmp_path / "m.bin")["params"]
    assert len(params) == 1 + 2 * 3 + 5

    def assert_is(found: dict[str, np.ndarray], number: int) -> None:
        np.testing.assert_array_equal(found["kernel"], convolutions[number][0].transpose(2, 3, 1, 0))
        np.testing.assert_array_equal(found["bias"], convolutions[number][1])

    assert_is(params["conv_first"], 0)
    assert_is(params["block_0_dense_0"]["conv_0"], 1)
    assert_is(params["block_1_dense_1"]["conv_3"], 1 + 15 + 5 + 3)
    assert_is(params["block_1_dense_2"]["conv_4"], 30)
    for number, name in enumerate(("conv_trunk", "conv_up_0", "conv_up_1", "conv_high", "conv_last")):
        assert_is(params[name], 31 + number)


def test_too_few_convolutions(tmp_path: Path) -> None:
    write_model(tmp_path / "m.bin", small_rrdbnet(1)[:-1])
    with pytest.raises(UserError, match="20 convolutions are not those of an RRDBNet"):
        ncnn.rrdbnet(tmp_path / "m.bin")


def test_broken_models(tmp_path: Path) -> None:
    path = tmp_path / "m.bin"
    write_model(path, small_rrdbnet(1))
    content, text = path.read_bytes(), path.with_suffix(".param").read_text()

    def refused(message: str) -> None:
        with pytest.raises(UserError, match=message):
            ncnn.rrdbnet(path)

    path.write_bytes(content[: len(content) // 2])
    refused("m.bin: no ncnn model, or a truncated one")
    path.write_bytes(content + b"\0\0\0\0")
    refused(f"{len(content) + 4} bytes, but its .param file accounts for {len(content)}")
    path.write_bytes(b"\0" * len(content))
    refused(r"weights at byte 0 are not float16 \(tag 0x00000000\)")
    path.write_bytes(content)
    path.with_suffix(".param").write_text("1234\n" + text)
    refused(r"m\.param: no ncnn model")
    path.with_suffix(".param").write_text(text.replace("6=54", "6=many"))
    refused("no ncnn model, or a truncated one")
    path.with_suffix(".param").unlink()
    refused("m.bin: the ncnn model cannot be read")
