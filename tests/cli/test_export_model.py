"""`export_model` from the command line's config to files that others read: the scripts of docs/models.md are run."""

import re
import runpy
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest

from lowres_jax.data import images
from lowres_jax.errors import UserError
from lowres_jax.recognition import onnx_model
from lowres_jax.recognition.recognizer import load_recognizer
from lowres_jax.super_resolution.upscaler import load_upscaler
from lowres_jax.tasks import export_model

ROOT = Path(__file__).parents[2]


def export(workdir: Path, **changes: object) -> None:
    config = runpy.run_path(str(ROOT / "configs" / "export_model.py"))["get_config"]()
    config.update(changes)
    export_model.run(config, workdir)


@pytest.mark.whole
@pytest.mark.slow
def test_files_for_others(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    export(tmp_path, models=("identity",), formats=("onnx", "hub"))
    out = capsys.readouterr().out
    assert re.search(r"identity\.onnx: 3\.1\d MB, weights in float16; images \(b, h, w, 3\) -> enlarged; differs", out)
    assert re.search(r"SHA-256 of config\.json: [0-9a-f]{64}", out)
    # The script of the page, without this package.
    page = (ROOT / "docs" / "models.md").read_text()
    code = re.findall(r"```python\n(.*?)```", page.split("\n## ONNX\n")[1], re.DOTALL)[0]
    (tmp_path / "run.py").write_text("import sys\nsys.modules['lowres_jax'] = None\n" + code)
    small = np.random.default_rng(0).integers(0, 256, (24, 17, 3), np.uint8)
    images.write_image(tmp_path / "small.png", small)
    done = subprocess.run(
        [sys.executable, "run.py", "identity.onnx", "small.png", "large.png"],
        cwd=tmp_path,
        check=True,
        timeout=300,
        capture_output=True,
        text=True,
    )
    assert done.stdout.startswith("identity x4 for faces of 32 px; research only")
    found = cv2.imread(str(tmp_path / "large.png"))[..., ::-1]
    expected = images.to_uint8(load_upscaler("identity")(small[None] / np.float32(255.0))[0])
    assert np.abs(found.astype(int) - expected).max() <= 1


@pytest.mark.whole
@pytest.mark.slow
def test_a_recognizer_judges_as_it_did(tmp_path: Path) -> None:
    export(tmp_path, models=("sface",), precision="float32")
    config = onnx_model.default_config()
    config.update({"path": str(tmp_path / "sface.onnx"), "mean": 0.0, "scale": 255.0})
    faces = np.random.default_rng(0).random((3, 128, 128, 3), np.float32)
    found = load_recognizer("onnx", onnx=config).templates(faces)
    np.testing.assert_allclose(found, load_recognizer("sface").templates(faces), atol=1e-4)


def test_names_are_looked_at_first(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="'mtcnn_output': has no card"):
        export(tmp_path, models=("identity", "mtcnn_output"), formats=("hub",))
    with pytest.raises(UserError, match="no such network"):
        export(tmp_path, models=("mtcnn_output", "nobody"))
    with pytest.raises(UserError, match=r"config\.formats=tflite"):
        export(tmp_path, formats=("tflite",))
    assert list(tmp_path.iterdir()) == []
