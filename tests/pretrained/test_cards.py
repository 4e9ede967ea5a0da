"""Model cards: a file stands behind a name, and what a damaged or older one is refused with."""

from pathlib import Path

import pytest

from lowres_jax.errors import UserError
from lowres_jax.pretrained import cards

CARD = 'summary = "s"\nmodule = "super_resolution.srresnet"\nlicense = "MIT"\nsource = "x"\n'


def test_a_card_is_what_its_file_says(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text(CARD + 'measured = "32 px: +1.0"\n[model]\nscale = 8\n[training]\nlr_size = 16\n')
    card = cards.read_card(path)
    assert (card.name, card.license, card.measured, card.folder) == ("mine", "MIT", "32 px: +1.0", tmp_path)
    assert (card.model, card.training, card.input_size) == ({"scale": 8}, {"lr_size": 16}, 0)


def test_written_and_read_again(tmp_path: Path) -> None:
    content = {"summary": 'a "quoted" one', "module": "recognition.sface", "license": "MIT", "source": "x"}
    path = tmp_path / "mine.toml"
    path.write_text(cards.written(content | {"training": {"steps": 3, "figures": {"psnr": 30.5}}}))
    card = cards.read_card(path)
    assert card.summary == 'a "quoted" one'
    assert card.training == {"steps": 3, "figures": {"psnr": 30.5}}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (CARD.replace("license", "licence"), r"mine\.toml: the key licence is called license now; rename it"),
        (CARD + 'color = "red"\n', r"mine\.toml: no model card \(.*'color'"),
        ("[", r"mine\.toml: no model card"),
    ],
)
def test_what_is_no_card_is_refused(tmp_path: Path, text: str, said: str) -> None:
    path = tmp_path / "mine.toml"
    path.write_text(text)
    with pytest.raises(UserError, match=said):
        cards.read_card(path)
