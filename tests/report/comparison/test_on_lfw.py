"""Figures of LFW in the report of a small set."""

from typing import Any

from lowres_jax.report.comparison import on_lfw
from lowres_jax.report.comparison.table import group_rows


def groups(images: int) -> list[Any]:
    row = {"lr_size": 32, "recognizer": "sface", "protocol": "all_against_all", "images": images}
    rows = [
        row | {"upscaler": name, "metrics": {"dir_at_far_1e-2": 0.5}, "interval": {}} for name in ("none", "bicubic")
    ]
    return group_rows({"rows": [each | {"difference": {}} for each in rows]})


def test_a_set_that_is_too_small_shows_the_models_on_lfw() -> None:
    found = on_lfw.elsewhere(groups(120), "orl_faces/mtcnn: 120 images")
    assert found is not None
    assert found["sentence"] == (
        "These 120 images cannot show it: FAR 1 % allows 1 false accept, and one face more or less moves DIR by "
        "points. The face models on LFW, 2,388 images of 844 people:"
    )
    titles = [plot["title"] for plot in found["plots"]]
    assert titles == [f"{size} px: DIR at FAR 1 %, difference to bicubic" for size in (32, 24, 16, 8)]
    assert all(plot["svg"].startswith("<svg") for plot in found["plots"])


def test_a_large_set_and_lfw_itself_speak_for_themselves() -> None:
    assert on_lfw.elsewhere(groups(1000), "mine: 1,000 images") is None
    assert on_lfw.elsewhere(groups(120), "lfw/mtcnn: 120 images") is None
