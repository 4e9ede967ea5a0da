"""Near copies among many templates are those that comparing all would find."""

import numpy as np
import pytest

from lowres_jax.matching import near_copies


@pytest.fixture(scope="module")
def templates() -> np.ndarray:
    """Faces of 1,000 people, three each, of which 300 lie twice, more or less the same."""
    generator = np.random.default_rng(0)
    people = np.repeat(generator.standard_normal((1000, 128)), 3, axis=0)
    faces = people + 0.7 * generator.standard_normal((3000, 128))
    for copy, noise in enumerate(np.repeat([0.0, 0.05, 0.12], 100)):
        length = np.linalg.norm(faces[copy]) / np.sqrt(128)
        faces[2700 + copy] = faces[copy] + noise * length * generator.standard_normal(128)
    return (faces / np.linalg.norm(faces, axis=1, keepdims=True)).astype(np.float32)


def test_planes_find_what_comparing_all_finds(templates, monkeypatch):
    alike = templates @ templates.T
    rows, columns = np.nonzero(np.triu(alike >= 0.99, 1))
    expected = list(zip(rows.tolist(), columns.tolist(), strict=True))
    assert 250 < len(expected) <= 300
    assert near_copies.near_copies(templates, 0.99) == expected
    monkeypatch.setattr(near_copies, "_COMPARED", 100)
    assert near_copies.near_copies(templates, 0.99) == expected


def test_many_copies_of_one_are_all_paired(monkeypatch):
    monkeypatch.setattr(near_copies, "_COMPARED", 1)
    templates = np.eye(8, dtype=np.float32)[[0, 1, 0, 2, 0]]
    assert near_copies.near_copies(templates, 0.99) == [(0, 2), (0, 4), (2, 4)]
