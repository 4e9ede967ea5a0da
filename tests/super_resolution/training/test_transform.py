"""Rows of a training batch, made on the host."""

import cv2
import numpy as np

from lowres_jax.data.degradations import low_resolution
from lowres_jax.super_resolution.training import train_config
from lowres_jax.super_resolution.training.transform import Transform, edge_map

CROP = np.random.default_rng(0).integers(0, 256, (40, 40, 3), np.uint8)


def config() -> "train_config.ConfigDict":
    made = train_config.default_config()
    made.hr_size = 32
    return made


def test_the_middle_is_cut_and_one_in_two_is_mirrored() -> None:
    samples, middle = Transform(config()), CROP[4:36, 4:36]
    rows = [samples(CROP, np.random.default_rng(seed))["image"] for seed in range(40)]
    mirrored = [np.array_equal(row, middle[:, ::-1]) for row in rows]
    assert all(flipped or np.array_equal(row, middle) for flipped, row in zip(mirrored, rows, strict=True))
    assert 8 < sum(mirrored) < 32
    never = config()
    never.flip = False
    assert all(np.array_equal(Transform(never)(CROP, np.random.default_rng(s))["image"], middle) for s in range(10))


def test_edges_are_cannys_of_the_mirrored_crop() -> None:
    wanted = config()
    wanted.losses.edge.weight = 1.0
    row = Transform(wanted)(CROP, np.random.default_rng(0))
    gray = cv2.cvtColor(row["image"], cv2.COLOR_RGB2GRAY)
    np.testing.assert_array_equal(row["edges"][..., 0], cv2.Canny(gray, 50, 150) // 255)
    step = np.zeros((32, 32, 3), np.uint8)
    step[:, 16:] = 200
    columns = np.flatnonzero(edge_map(step)[16, :, 0])
    assert columns.tolist() in ([15], [16])


def test_only_degraded_images_are_reduced_on_the_host() -> None:
    assert Transform(config())(CROP, np.random.default_rng(0)).keys() == {"image"}
    noisy = config()
    noisy.degradation.noise = (5.0, 5.0)
    row = Transform(noisy)(CROP, np.random.default_rng(0))
    plain = low_resolution(row["image"][None].astype(np.float32) / 255, 8)[0]
    assert 0.5 < (np.abs(row["low"] - plain) * 255).mean() < 8
