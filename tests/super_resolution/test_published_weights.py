"""The published networks: against runs that follow the files themselves in NumPy, and by known numbers on a face."""

from pathlib import Path

import cv2
import h5py
import numpy as np
import pytest
import skimage.data

from lowres_jax.pretrained import cards, ncnn
from lowres_jax.super_resolution.upscaler import enlarge_to, load_upscaler

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def face() -> np.ndarray:
    """The face of scikit-image's astronaut, 128x128: the box (145, 40) to (305, 200), reduced by area."""
    picture = skimage.data.astronaut()[40:200, 145:305].astype(np.float32) / 255.0
    return cv2.resize(picture, (128, 128), interpolation=cv2.INTER_AREA)


@pytest.fixture(scope="module")
def small(face: np.ndarray) -> np.ndarray:
    """A part of it small enough for NumPy."""
    return cv2.resize(face, (32, 32), interpolation=cv2.INTER_AREA)[None, 8:18, 6:18]


def weight_file(name: str) -> Path:
    return cards.weight_path(cards.load_card(name, "super_resolution"))


def convolve(inputs: np.ndarray, kernel: np.ndarray, bias: np.ndarray) -> np.ndarray:
    """(H, W, C) with an HWIO kernel of odd side, zeros around: a sum over the kernel's pixels."""
    side = kernel.shape[0]
    padded = np.pad(inputs, [(side // 2, side // 2)] * 2 + [(0, 0)])
    height, width = inputs.shape[:2]
    total = np.zeros((height, width, kernel.shape[3])) + bias
    for row, column in np.ndindex(side, side):
        total += padded[row : row + height, column : column + width] @ kernel[row, column].astype(np.float64)
    return total


def run_keras_layers(path: Path, image: np.ndarray) -> np.ndarray:
    """SRGAN's generator as its authors built it, from the file's own layers in their order."""
    with h5py.File(path) as file:
        layers = {
            name.decode(): {
                key.decode().split("/")[-1]: file[name][key][()] for key in file[name].attrs["weight_names"]
            }
            for name in file.attrs["layer_names"]
        }
    queue = [(name, weights) for name, weights in layers.items() if weights]

    def step(inputs: np.ndarray) -> np.ndarray:
        name, weights = queue.pop(0)
        if name.startswith("conv2d"):
            return convolve(inputs, weights["kernel:0"], weights["bias:0"])
        if name.startswith("p_re_lu"):
            return np.maximum(inputs, 0) + weights["alpha:0"] * np.minimum(inputs, 0)
        assert name.startswith("batch_normalization")
        deviation = np.sqrt(weights["moving_variance:0"] + 1e-3)
        return (inputs - weights["moving_mean:0"]) / deviation * weights["gamma:0"] + weights["beta:0"]

    first = features = step(step(image))
    for _ in range(16):
        features = features + step(step(step(step(step(features)))))
    features = first + step(step(features))
    for _ in range(2):
        height, width, depth = (features := step(features)).shape
        cells = features.reshape(height, width, 2, 2, depth // 4).transpose(0, 2, 1, 3, 4)
        features = step(cells.reshape(2 * height, 2 * width, depth // 4))
    output = (np.tanh(step(features)) + 1) / 2
    assert not queue
    return output


def run_ncnn_graph(path: Path, image: np.ndarray) -> np.ndarray:
    """Whatever graph the .param file describes, layer by layer by the names of its blobs."""
    convolutions = iter(ncnn.read_convolutions(path))
    blobs = {"data": image.astype(np.float64)}
    for line in path.with_suffix(".param").read_text().splitlines()[2:]:
        kind, _, inputs, outputs, *rest = line.split()
        sources = [blobs[name] for name in rest[: int(inputs)] if kind != "Input"]
        names, settings = rest[int(inputs) : int(inputs) + int(outputs)], dict(s.split("=") for s in rest if "=" in s)
        if kind == "Input":
            continue
        if kind == "Split":
            result = sources[0]
        elif kind == "Concat":
            result = np.concatenate(sources, axis=-1)
        elif kind == "Convolution":
            result = convolve(sources[0], *next(convolutions))
            if settings.get("9") == "2":
                result = np.where(result > 0, result, float(settings["-23310"].split(",")[1]) * result)
        elif kind == "Eltwise":
            factors = [float(value) for value in settings["-23301"].split(",")[1:]]
            result = sum(factor * source for factor, source in zip(factors, sources, strict=True))
        elif kind == "BinaryOp":
            result = sources[0] + sources[1]
        else:
            assert kind == "Interp", kind
            result = sources[0].repeat(int(float(settings["1"])), axis=0).repeat(int(float(settings["2"])), axis=1)
        blobs.update(dict.fromkeys(names, result))
    return blobs["output"]


@pytest.mark.whole
@pytest.mark.parametrize("name", ["srresnet", "srgan"])
def test_srgan_as_its_layers_say(small: np.ndarray, name: str) -> None:
    expected = run_keras_layers(weight_file(name), small[0])
    np.testing.assert_allclose(load_upscaler(name)(small)[0], expected, atol=2e-5)


@pytest.mark.whole
def test_esrgan_as_its_graph_says(face: np.ndarray) -> None:
    # The size of the test below, so that the network is compiled once for both.
    small = cv2.resize(face, (16, 16), interpolation=cv2.INTER_AREA)[None]
    expected = np.clip(run_ncnn_graph(weight_file("esrgan"), small[0]), 0.0, 1.0)
    np.testing.assert_allclose(load_upscaler("esrgan")(small)[0], expected, atol=5e-5)


@pytest.mark.parametrize(
    ("name", "at_32", "at_16"),
    [
        ("bilinear", 24.300, 19.843),
        ("bicubic", 25.519, 20.769),
        ("srresnet", 26.267, 21.954),
        ("srgan", 23.834, 20.357),
        pytest.param("esrgan", 22.226, 19.812, marks=pytest.mark.whole),
    ],
)
def test_known_psnr(face: np.ndarray, name: str, at_32: float, at_16: float) -> None:
    """PSNR (RGB, no border) of the enlarged area reductions. The order is that of `assets.md`'s table of 11 faces."""
    upscaler = load_upscaler(name)
    for side, known in ((32, at_32), (16, at_16)):
        low = cv2.resize(face, (side, side), interpolation=cv2.INTER_AREA)[None]
        error = np.mean((enlarge_to(upscaler, low, 128)[0].astype(np.float64) - face) ** 2)
        assert -10 * np.log10(error) == pytest.approx(known, abs=0.02)
