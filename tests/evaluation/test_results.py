"""results.json: the schema, what is left out of it, and foreign files."""

import json
from pathlib import Path

import numpy as np
import pytest

from lowres_jax.errors import UserError
from lowres_jax.evaluation import results
from lowres_jax.evaluation.bootstrap import Estimate

SAMPLES = np.linspace(0.0, 1.0, 1001)
METHOD = Estimate(
    {"rank1": 0.9, "psnr": float("inf"), "images_per_second": 12.3456789012}, {"rank1": SAMPLES, "psnr": SAMPLES}
)
BICUBIC = Estimate({"rank1": 0.7, "psnr": 30.0}, {"rank1": SAMPLES - 0.25, "psnr": np.full(1001, np.inf)})


def make_row(upscaler: str = "srgan") -> dict:
    references = {"bicubic": BICUBIC, "bilinear": METHOD}
    return results.row(upscaler, 32, "sface", "all_against_all", METHOD, references, 400, None, 3)


def test_a_row_has_the_schema_and_no_infinities() -> None:
    row = make_row()
    assert row["metrics"] == {"rank1": 0.9, "images_per_second": 12.345678901}
    assert row["interval"] == {"rank1": [0.025, 0.975], "psnr": [0.025, 0.975]}
    # Paired: the resamples differ by a quarter, all of them.
    assert row["difference"] == {"bicubic": {"rank1": [0.2, 0.25, 0.25]}, "bilinear": {"rank1": [0.0, 0.0, 0.0]}}
    expected = {"upscaler", "lr_size", "recognizer", "protocol", "metrics", "interval", "difference"}
    assert set(row) == expected | {"images", "folds", "undetected"}
    assert (row["images"], row["folds"], row["undetected"]) == (400, None, 3)


def test_a_reference_is_not_compared_with_itself() -> None:
    assert set(make_row("bilinear")["difference"]) == {"bicubic"}


def test_rounding_errors_are_no_difference() -> None:
    hair = Estimate({"rank1": 0.7 + 1e-16}, {"rank1": 0.7 + np.full(9, 2e-16)})
    same = Estimate({"rank1": 0.7}, {"rank1": np.full(9, 0.7)})
    row = results.row("srgan", 32, "sface", "lfw", hair, {"bicubic": same}, 1, None, 0)
    assert row["difference"]["bicubic"]["rank1"] == [0.0, 0.0, 0.0]


def test_written_and_read(tmp_path: Path) -> None:
    written = results.make_results("ORL", [make_row()])
    results.write_results(tmp_path / "new" / "results.json", written)
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["results.json"]
    assert results.read_results(tmp_path / "new" / "results.json") == written
    assert {"python", "lowres_jax", "jax", "flax", "numpy", "opencv", "device"} <= set(written["versions"])
    assert written["versions"]["numpy"] == np.__version__


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "cannot be read"),
        ("{", "not a JSON file"),
        ("[1, 2]", "has no 'dataset'"),
        ('{"dataset": "x"}', "has no 'created'"),
        (json.dumps({"dataset": "", "created": "", "versions": {}, "rows": [{"upscaler": "a"}]}), "row 0 has no 'lr_s"),
    ],
)
def test_a_foreign_file_is_one_clear_line(tmp_path: Path, content: str | None, message: str) -> None:
    path = tmp_path / "results.json"
    if content is not None:
        path.write_text(content)
    with pytest.raises(UserError, match=message) as error:
        results.read_results(path)
    assert str(path) in str(error.value)
    assert "compare task" in str(error.value)
