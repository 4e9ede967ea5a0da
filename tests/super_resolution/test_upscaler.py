"""Several upscalers, each face to the one that is made for its size.

Covers `super_resolution/interpolation.py` too.
"""

import pytest

from lowres_jax.errors import UserError
from lowres_jax.super_resolution.upscaler import load_upscaler, load_upscaler_by_size

pytestmark = pytest.mark.slow


def test_each_face_goes_to_the_one_made_for_its_size() -> None:
    both = load_upscaler_by_size(("identity_x8", "identity"))
    assert both.names == "identity_x8,identity"
    # Made for 16 and for 32 px; of 22.6 px on, 32 is nearer in ratio.
    sizes = (8, 16, 22, 23, 24, 32, 64, 300)
    chosen = [both.of(size).name for size in sizes]
    assert chosen == ["identity_x8"] * 3 + ["identity"] * 5


def test_faces_of_noisy_pictures_go_to_the_model_made_for_them() -> None:
    three = load_upscaler_by_size(("identity", "identity_x8", "identity_footage"))
    # Made for 32 px: from .75 to 1.75 times that size; at 16 px it harms.
    sizes = (16, 23, 24, 32, 56, 57, 100)
    assert [three.of(size).name for size in sizes] == ["identity_x8"] + ["identity"] * 6
    chosen = [three.of(size, degraded=True).name for size in sizes]
    assert chosen == ["identity_x8", "identity", *["identity_footage"] * 3, "identity", "identity"]
    two = load_upscaler_by_size(("identity", "identity_x8"))
    assert two.of(32, degraded=True).name == "identity"


def test_large_enough_is_what_the_caller_says_but_never_above_the_limit() -> None:
    upscalers = load_upscaler_by_size(("srresnet",))
    assert [upscalers.for_face(size, large=64).name for size in (63, 64)] == ["srresnet", "bicubic"]
    assert upscalers.for_face(256, large=4096).name == "bicubic"


@pytest.mark.parametrize("names", [("identity", "identity_x8"), ("srresnet",)])
def test_no_network_enlarges_a_face_that_is_large_enough(names: tuple[str, ...]) -> None:
    """It took minutes, and invents where nothing is missing; from 256 px on, wherever a face is enlarged."""
    upscalers = load_upscaler_by_size(names)
    assert upscalers.for_face(255) is upscalers.of(255)
    assert [(upscalers.for_face(size).name, upscalers.for_face(size).scale) for size in (256, 900)] == [
        ("bicubic", 4)
    ] * 2


def test_one_alone_takes_all_sizes() -> None:
    only = load_upscaler_by_size(("bicubic",))
    assert [only.of(size).name for size in (8, 300)] == ["bicubic", "bicubic"]
    assert only.remarks(dict.fromkeys((8, 300), ())) == []


def test_remarks_are_of_the_faces_that_each_gets() -> None:
    both = load_upscaler_by_size(("identity", "identity_x8"))
    assert both.remarks(dict.fromkeys((16, 20, 24, 32, 50), ())) == []
    small, large = sorted(
        both.remarks(dict.fromkeys((8, 16, 32, 90, 300), ())), key=lambda line: "identity_x8 is" not in line
    )
    assert small.startswith("identity_x8 is made for faces of 16 px; those of 8 px are")
    assert large.startswith("identity is made for faces of 32 px; those of 90 to 300 px are")


@pytest.mark.parametrize(
    ("names", "weights", "message"),
    [
        ("identity,bicubic", "", "identity,bicubic: bicubic is made for no size in particular; name it alone"),
        ("identity,identity", "", "several are made for faces of 32 px; name one of them"),
        ("identity,identity_x8", "own.safetensors", "a weight file is for one upscaler"),
        ("identity,", "", "no such model"),
    ],
)
def test_what_cannot_go_together(names: str, weights: str, message: str) -> None:
    with pytest.raises(UserError, match=message):
        load_upscaler_by_size(names.split(","), weights)


def test_made_for_is_what_the_card_says() -> None:
    assert [load_upscaler(name).made_for for name in ("identity", "identity_x8", "srgan")] == [32, 16, 0]
