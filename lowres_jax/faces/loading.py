"""The reader of faces that a config asks for, and the name of everything that its templates depend on."""

from collections.abc import Sequence
from pathlib import Path

from ml_collections import ConfigDict

from lowres_jax import __version__
from lowres_jax.evaluation.measurement import fingerprint
from lowres_jax.faces.centering import Centering
from lowres_jax.faces.reader import Eye, FaceReader
from lowres_jax.localization.detector import load_detector
from lowres_jax.pretrained import cards
from lowres_jax.recognition.recognizer import Recognizer, enrolling, load_recognizer
from lowres_jax.super_resolution.upscaler import Upscaler, load_upscaler_by_size

# Raised when a kept template means something else than before.
_TEMPLATES_VERSION = 2


def load_reader(config: ConfigDict) -> FaceReader:
    """Loads the models of `detector`, `upscaler`, `weights`, `recognizer`, and the cards' `centering`.

    Raises:
      UserError: a model is missing, or its weights are.
    """
    upscalers, searching = load_upscaler_by_size(config.upscaler, config.weights), load_recognizer(config.recognizer)
    recognizer, small = enrolling(searching), None
    wanted = config.centering and not config.weights
    centering = Centering.of_cards(recognizer, upscalers) if wanted else Centering()
    if searching is not recognizer:
        own = centering.of_small_faces(searching, upscalers)
        if own is None:
            # All templates are centered, or none.
            said = (
                f"{searching.name}: its card has no centering for {upscalers.names}: templates are compared as they are"
            )
            own = centering = Centering(remarks=[said])
        small = Eye(searching, own, cards.load_card(searching.name, "recognition").largest_face)
    detector = load_detector(config.detector)
    return FaceReader(detector, upscalers, recognizer, config.small_face, config.look_again, centering, small)


def models(recognizer: Recognizer, upscalers: Sequence[Upscaler]) -> list[object]:
    """All that templates depend on: the networks and their weights."""
    found = [cards.load_card(recognizer.name, "recognition"), *(each.card for each in upscalers)]
    return [(card.module, sorted(card.model.items()), card.weights.get("sha256")) for card in found]


def comparable(reader: FaceReader, weights: str | None = None) -> str:
    """Names what templates have to share to be compared: the models and what is taken from conditions.

    Args:
      reader: has the models.
      weights: path of a weight file that the upscaler has instead of its own.
    """
    path = Path(weights) if weights else None
    file = (str(path.resolve()), path.stat().st_size, path.stat().st_mtime_ns) if path else ()
    made_by = models(reader.recognizer, reader.upscalers.members)
    return fingerprint(_TEMPLATES_VERSION, made_by, file, reader.centering.described)


def kept_identity(config: ConfigDict, reader: FaceReader) -> tuple[str, str]:
    """Names all that a kept gallery's templates depend on, as a fingerprint and in words."""
    of = {name: config[name] for name in ("detector", "small_face")}
    words = (
        f"{reader.recognizer.name}, {reader.upscalers.names}, detector={of['detector']}, small_face={of['small_face']}"
    )
    return fingerprint(comparable(reader, config.get("weights")), sorted(of.items())), words


def reading(config: ConfigDict, reader: FaceReader) -> str:
    """Names all that what is read from a picture depends on but the picture."""
    made_by = comparable(reader, config.weights)
    return fingerprint(
        __version__, made_by, config.detector, config.small_face, reader.look_again, small_faces(reader.small)
    )


def small_faces(eye: Eye | None) -> list[object]:
    """All that templates of small searched faces depend on beside the rest; empty where nothing reads them apart."""
    return [] if eye is None else [models(eye.recognizer, []), sorted(eye.centering.described, key=repr), eye.largest]
