"""Pairs files of both views: exact content, and one clear line for each kind of damage."""

from pathlib import Path

import pytest

from lowres_jax.data import lfw_pairs
from lowres_jax.data.lfw_pairs import Pair
from lowres_jax.errors import UserError

VIEW2 = (
    "2\t2\nAnn\t1\t2\nAnn\t3\t1\nAnn\t1\tBob\t2\nBob\t1\tCy_Young\t3\n"
    "Bob\t1\t2\nBob\t2\t3\nCy_Young\t1\tAnn\t2\nBob\t3\tAnn\t1\n"
)
PAIRS2 = [
    Pair("Ann", 1, "Ann", 2, True, 0),
    Pair("Ann", 3, "Ann", 1, True, 0),
    Pair("Ann", 1, "Bob", 2, False, 0),
    Pair("Bob", 1, "Cy_Young", 3, False, 0),
    Pair("Bob", 1, "Bob", 2, True, 1),
    Pair("Bob", 2, "Bob", 3, True, 1),
    Pair("Cy_Young", 1, "Ann", 2, False, 1),
    Pair("Bob", 3, "Ann", 1, False, 1),
]
SOURCES = [f"{name}/{name}_{number:04d}.jpg" for name in ("Ann", "Bob", "Cy_Young") for number in (1, 2, 3)]


def test_view_2() -> None:
    assert lfw_pairs.parse_pairs(VIEW2) == PAIRS2
    assert lfw_pairs.parse_pairs(VIEW2.replace("\t", "  ").replace("\n", "\r\n") + "\r\n") == PAIRS2


def test_view_1_is_one_fold() -> None:
    pairs = lfw_pairs.parse_pairs("1\nAnn\t1\t2\nAnn\t1\tBob\t2\n")
    assert pairs == [Pair("Ann", 1, "Ann", 2, True, 0), Pair("Ann", 1, "Bob", 2, False, 0)]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "pairs.txt: the file is empty"),
        ("ten 300\n", "line 1: 'ten 300' is no header"),
        ("10 300 1\n", "line 1"),
        ("0\n", "line 1"),
        (VIEW2.replace("Ann\t3\t1", "Ann\t3"), "line 3: 'Ann 3' should be 'person number number'"),
        (VIEW2.replace("Ann\t3\t1", "Ann\tx\t1"), "line 3: 'Ann x 1'"),
        (VIEW2.replace("Ann\t3\t1", "Ann\t²\t1"), "line 3"),
        (VIEW2.replace("Ann\t1\tBob\t2", "Ann\t1\t2"), "line 4: 'Ann 1 2' should be 'person number person number'"),
        (VIEW2.replace("Ann\t1\tBob\t2", "Ann\t1\tAnn\t2"), "line 4: 'Ann' twice"),
        (VIEW2.replace("Bob\t3\tAnn\t1\n", ""), "line 8: the file ends after 7 pairs, but its header announces 8"),
        (VIEW2 + "Ann\t1\t2\n", "line 10: the file ends after 9 pairs, but its header announces 8"),
        ("<html>\n<body>404</body>\n", "line 1"),
    ],
)
def test_a_broken_file_is_named_with_its_line(text: str, message: str) -> None:
    with pytest.raises(UserError) as error:
        lfw_pairs.parse_pairs(text)
    assert message in str(error.value)
    assert "\n" not in str(error.value)


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"pairs\.txt: pairs file cannot be read \(No such file"):
        lfw_pairs.read_pairs(tmp_path / "pairs.txt")
    (tmp_path / "pairs.txt").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(UserError, match="not a text file"):
        lfw_pairs.read_pairs(tmp_path / "pairs.txt")


def test_the_views_of_a_prepared_set(tmp_path: Path) -> None:
    (tmp_path / "pairs.txt").write_text(VIEW2)
    (tmp_path / "pairsDevTest.txt").write_text("1\nAnn\t1\t2\nAnn\t1\tBob\t2\n")
    assert lfw_pairs.load_pairs(tmp_path) == PAIRS2
    assert len(lfw_pairs.load_pairs(tmp_path, "view1_test")) == 2
    with pytest.raises(UserError, match=r"pairsDevTrain\.txt: no pairs of view1_train"):
        lfw_pairs.load_pairs(tmp_path, "view1_train")
    with pytest.raises(UserError, match="did you mean 'view2'"):
        lfw_pairs.load_pairs(tmp_path, "view_2")


def test_images_are_found_by_name_and_number() -> None:
    found = lfw_pairs.locate_pairs(PAIRS2, SOURCES)
    assert found.first.tolist() == [0, 2, 0, 3, 3, 4, 6, 5]
    assert found.second.tolist() == [1, 0, 4, 8, 4, 5, 1, 0]
    assert found.same.tolist() == [True, True, False, False] * 2
    assert found.fold.tolist() == [0] * 4 + [1] * 4
    assert lfw_pairs.image_key("lfw/Cy_Young/Cy_Young_0012.png") == ("Cy_Young", 12)
    assert lfw_pairs.image_key("s1/10.pgm") is None


def test_a_pair_of_a_missing_image_is_an_error_and_not_dropped() -> None:
    with pytest.raises(UserError, match=r"^pairs\.txt: a pair names Bob_0002, not one of the 8 images"):
        lfw_pairs.locate_pairs(PAIRS2, [source for source in SOURCES if "Bob_0002" not in source], "pairs.txt")


def test_the_real_files(lfw_archive: Path) -> None:
    view2 = lfw_pairs.read_pairs(lfw_archive.parent / "pairs.txt")
    assert len(view2) == 6000
    assert [sum(pair.same for pair in view2 if pair.fold == fold) for fold in range(10)] == [300] * 10
    assert view2[0] == Pair("Abel_Pacheco", 1, "Abel_Pacheco", 4, True, 0)
    train = lfw_pairs.read_pairs(lfw_archive.parent / "pairsDevTrain.txt")
    test = lfw_pairs.read_pairs(lfw_archive.parent / "pairsDevTest.txt")
    assert (len(train), len(test)) == (2200, 1000)
    assert {pair.fold for pair in train + test} == {0}
