"""Sections of identify.html: who is a person, a group of unknown faces, or too small to tell."""

from types import SimpleNamespace

import numpy as np
import pytest

from lowres_jax.report import people_page


@pytest.mark.parametrize(
    ("name", "written"), [("George_W_Bush", "George W Bush"), ("Žofie", "Žofie"), ("anna__b ", "anna b")]
)
def test_names_as_people_write_them(name: str, written: str) -> None:
    assert people_page.as_written(name) == written


def test_order_of_sections() -> None:
    """Named people come first, then groups by number, then who was seen once, then who cannot be told."""

    def place(similarity: float, group: int, genuine: float = 0.9) -> tuple[int, str]:
        threshold = SimpleNamespace(possible=True, similarity=0.5, genuine=genuine)
        match = SimpleNamespace(name="Anna_B", similarity=similarity)
        answer = SimpleNamespace(threshold=threshold, matches=[match], accepted=[match] if similarity >= 0.5 else [])
        return people_page._place(answer, group, 0.5)  # type: ignore[arg-type]

    found = [place(0.1, 0, genuine=0.1), place(0.1, 0), place(0.2, 2), place(0.2, 1), place(0.8, 0)]
    assert [title for _, title in sorted(found)] == [
        "Anna B",
        "Unknown person 1",
        "Unknown person 2",
        "Unknown, each seen once",
        "Too small to tell",
    ]


def test_pictures_are_embedded() -> None:
    assert people_page._data(np.zeros((4, 4, 3), np.uint8)).startswith("data:image/jpeg;base64,/9j/")
