"""ONNX files give what JAX gives, say what they are, and are not written where something is wrong.

Covers `interchange/networks.py`, `localization/mtcnn/networks.py` too.
"""

import dataclasses
import sys
from pathlib import Path

import numpy as np
import onnx
import pytest

from lowres_jax.errors import UserError
from lowres_jax.interchange import onnx_file
from lowres_jax.interchange.networks import Portable, portable
from lowres_jax.localization.mtcnn import networks, weights


@pytest.fixture(scope="module")
def refinement() -> Portable:
    return portable("mtcnn_refinement")


def test_a_network_and_what_it_says_of_itself(refinement: Portable, tmp_path: Path) -> None:
    path = tmp_path / "refinement.onnx"
    assert onnx_file.write(path, refinement) < 1e-5
    crops = np.random.default_rng(3).uniform(-1.0, 1.0, (5, 24, 24, 3)).astype(np.float32)
    scores, offsets = onnx_file.session(path.read_bytes())(crops)
    expected = networks.RefinementNetwork().apply(weights.refinement_network(), crops)
    np.testing.assert_allclose(scores, expected[0], atol=1e-5)
    np.testing.assert_allclose(offsets, expected[1], atol=1e-5)
    model = onnx.load(path)
    facts = {each.key: each.value for each in model.metadata_props}
    assert facts["name"] == "mtcnn_refinement"
    assert facts["license"].startswith("MIT")
    assert facts["normalization"] == "(value - 127.5) / 128 of values from 0 to 255"
    assert facts["precision"] == "float32"
    assert [each.name for each in model.graph.input] == ["images"]
    assert [each.name for each in model.graph.output] == ["scores", "offsets"]
    assert model.opset_import[0].version == 18


def test_stored_in_half_and_in_a_quarter(refinement: Portable, tmp_path: Path) -> None:
    sizes, differences = {}, {}
    for precision in onnx_file.PRECISIONS:
        path = tmp_path / f"{precision}.onnx"
        differences[precision] = onnx_file.write(path, refinement, precision)
        sizes[precision] = path.stat().st_size
    # 100,178 parameters, of which some 700 stay as they are.
    assert sizes["float32"] == pytest.approx(400_000, rel=0.05)
    assert sizes["float16"] == pytest.approx(200_000, rel=0.08)
    assert sizes["int8"] == pytest.approx(102_000, rel=0.15)
    assert differences["float32"] < 1e-5 < differences["float16"] < 2e-3 < differences["int8"] < 0.05


def test_another_network_is_not_written(refinement: Portable, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    wrong = dataclasses.replace(refinement, function=lambda crops: (crops[:, 0, 0, 0], crops[:, 0, 0, :1]))
    converted = onnx_file.converted(wrong)
    monkeypatch.setattr(onnx_file, "converted", lambda network: converted)
    with pytest.raises(UserError, match=r"mtcnn_refinement: the ONNX network differs by .* it is not written"):
        onnx_file.write(tmp_path / "wrong.onnx", refinement)
    assert list(tmp_path.iterdir()) == []


def test_what_the_converter_does_not_know(
    refinement: Portable, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def unknown(crops: np.ndarray) -> np.ndarray:
        raise NotImplementedError("No plugins registered for primitive 'strange'\nand more")

    strange = dataclasses.replace(refinement, function=unknown)
    with pytest.raises(UserError, match=r"cannot convert it \(No plugins .* 'strange'\); --config\.formats=stablehlo"):
        onnx_file.write(tmp_path / "strange.onnx", strange)
    monkeypatch.setitem(sys.modules, "jax2onnx", None)
    with pytest.raises(UserError, match=r"jax2onnx is not installed; run: pip install 'lowres-jax\[export\]'"):
        onnx_file.write(tmp_path / "without.onnx", refinement)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "difference"),
    [
        # Their own weights are float16: nothing is lost.
        *((name, 1e-5) for name in ("identity", "identity_x8", "identity_footage", "initial", "canny_rgb")),
        # But the weights of the bicubic enlargement are rounded, by less than a twentieth of a level of 255.
        ("identity_x8_smoothed", 2e-4),
    ],
)
def test_face_models_in_half_are_exact_and_small(name: str, difference: float, tmp_path: Path) -> None:
    path = tmp_path / f"{name}.onnx"
    assert onnx_file.write(path, portable(name), "float16") < difference
    assert path.stat().st_size < 4_000_000
