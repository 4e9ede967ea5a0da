"""Figures in words."""

from lowres_jax.report.comparison import wording


def test_digits_follow_the_number_of_images() -> None:
    assert wording.show("rank1", 0.9425, 400) == "94.2"
    assert wording.show("accuracy", 0.99453, 6000) == "99.45"
    assert wording.show("accuracy", 0.99453) == "99.45"
    assert wording.show("psnr", 28.123, 400) == "28.12"
