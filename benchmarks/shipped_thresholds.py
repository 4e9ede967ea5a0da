"""Measures the thresholds that come with the program (lowres_jax/matching/thresholds.json) for its default models.

    python benchmarks/shipped_thresholds.py --recognizer=sface         # needs LFW prepared; half an hour
    python benchmarks/shipped_thresholds.py --recognizer=sface_small   # the small faces that it reads; after that
    python benchmarks/shipped_thresholds.py --check                    # how far interpolated ones are from measured

Galleries of LFW's people, see `matching.simulation`. To be run again when a default model, its centering or SFace
changes; thresholds of other models are never used for these.
"""

import argparse
import itertools
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from lowres_jax import config_keys
from lowres_jax.faces.loading import load_reader
from lowres_jax.faces.reader import CUT_SIZES, FaceReader
from lowres_jax.matching import shipped_thresholds, simulation
from lowres_jax.matching.calibration import TRACK_FRAMES, Calibration
from lowres_jax.matching.shipped_thresholds import FILE, ShippedThresholds, described
from lowres_jax.runtime import environment
from lowres_jax.settings import identify
from lowres_jax.settings.enhance import UPSCALER
from lowres_jax.utils.files import write_atomically

PEOPLE, RATES = (1, 2, 3, 5, 10, 20, 50, 100, 200, 500), (0.01, 0.001)
# Of enlarged faces fewer kinds of galleries are measured.
PICTURES, PEOPLE_SMALL, PICTURES_SMALL = (1, 2, 4, 8), (1, 2, 5, 20, 100, 500), (1, 4)
# So that people have one picture more than are enrolled, to be searched for.
CHOSEN = (1, 2, 5, 9)


def main() -> None:
    """Measures and writes, or checks."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--recognizer", default="sface_small")
    parser.add_argument("--images", type=int, default=3200)
    parser.add_argument("--people", type=int, nargs="+", help="sizes of galleries; none: all")
    parser.add_argument("--output", type=Path, default=FILE)
    parser.add_argument("--check", action="store_true")
    arguments = parser.parse_args()
    environment.enable_compilation_cache()
    reader = _reader(arguments.recognizer)
    calibration = Calibration(
        environment.datasets_folder() / "lfw" / "mtcnn",
        reader.recognizer,
        reader.upscalers,
        arguments.images,
        seed=0,
        pictures=CHOSEN,
        centering=reader.centering,
        small=reader.small,
    )
    for line in calibration.remarks:
        print(line, flush=True)
    made_for = _made_for(reader)
    if arguments.check:
        check(calibration, ShippedThresholds.load(made_for))
        return
    # Small faces of tracks are read as all others are.
    probes = [size for size in (0, *CUT_SIZES) if reader.small is None or reader.small.reads(size)]
    lengths = (1,) if reader.small else (1, TRACK_FRAMES)
    rows: list[list[Any]] = []
    for enrolled, size, frames in itertools.product((0, *CUT_SIZES), probes, lengths):
        small = enrolled > 0
        for pictures, people in itertools.product(
            PICTURES_SMALL if small else PICTURES, arguments.people or (PEOPLE_SMALL if small else PEOPLE)
        ):
            for far in RATES:
                if calibration.least_rate(people, frames) <= far:
                    found = calibration.threshold(far, ((enrolled,) * pictures,) * people, size, frames)
                    rows.append(shipped_thresholds.row(found, enrolled, people, pictures))
        print(f"{enrolled} px, {size} px, {frames}: {rows[-1:]}", flush=True)
    content = {
        "made_for": made_for,
        # Whose thresholds serve for faces that the recognizer of small ones does not read.
        **({"rest": _made_for(_reader(reader.recognizer.name))} if reader.small else {}),
        "upscalers": list(UPSCALER.default),
        "recognizer": arguments.recognizer,
        "set": calibration.name,
        "people": calibration.people,
        "images": calibration.images,
        "wrong_labels": calibration.remarks,
        "rows": rows,
    }
    known = json.loads(arguments.output.read_text())["models"] if arguments.output.is_file() else []
    others = [each for each in known if each["recognizer"] != arguments.recognizer]
    with write_atomically(arguments.output) as file:
        file.write(written([*others, content]).encode())
    print(f"{arguments.output}: {len(rows)} thresholds")


def _reader(recognizer: str) -> FaceReader:
    config = config_keys.new(identify.KEYS)
    config.recognizer = recognizer
    return load_reader(config)


def _made_for(reader: FaceReader) -> str:
    return described(reader.recognizer, reader.upscalers, reader.centering, "mtcnn", reader.small)


def written(models: Sequence[Mapping[str, Any]]) -> str:
    """The file's text: a row a line."""
    parts = []
    for each in models:
        lines = ",\n".join(json.dumps(row) for row in each["rows"])
        head = json.dumps({**each, "rows": []}, indent=1)
        parts.append(head.replace('"rows": []', f'"rows": [\n{lines}]'))
    return '{"models": [' + ",\n".join(parts) + "]}\n"


def check(calibration: Calibration, shipped: ShippedThresholds | None) -> None:
    """Galleries that are not in the table: their rate at the interpolated threshold."""
    assert shipped is not None, "measure them first"
    for size, enrolled in ((0, (0,)), (16, (0,)), (32, (0,)), (0, (48,)), (48, (48,)), (16, (0, 16)), (32, (0, 48))):
        for people, pictures in ((1, (1,)), (4, (1,)), (7, (1, 2)), (30, (1, 3)), (150, (2,)), (300, (1, 2, 4))):
            recipe = simulation.recipe_of(
                [(enrolled[number % len(enrolled)],) * pictures[number % len(pictures)] for number in range(people)]
            )
            threshold = shipped.threshold(0.01, recipe, size)
            measured = calibration.threshold(0.01, recipe, size)
            templates = {each: calibration.templates(each) for each in enrolled}
            searches = simulation.simulate(templates, calibration.templates(size), calibration.labels, recipe, seed=1)
            rate = float(np.mean(searches.impostor <= 1.0 - threshold.similarity))
            print(
                f"{size:3} px among {enrolled} px, {people:4} people, {pictures} pictures: interpolated "
                f"{threshold.similarity:.4f}, measured {measured.similarity:.4f}; {100 * rate:.2f} % of 1 % pass"
            )


if __name__ == "__main__":
    main()
