"""Measures the thresholds that come with the program (lowres_jax/matching/thresholds.json) for its default models.

    python benchmarks/shipped_thresholds.py            # needs LFW prepared; minutes
    python benchmarks/shipped_thresholds.py --check    # how far interpolated ones are from measured ones

Galleries of LFW's people, see `matching.simulation`. To be run again when a default model, its centering or SFace
changes; thresholds of other models are never used for these.
"""

import argparse
import itertools
import json
from pathlib import Path

import numpy as np

from lowres_jax.faces.centering import Centering
from lowres_jax.faces.reader import CUT_SIZES
from lowres_jax.matching import shipped_thresholds, simulation
from lowres_jax.matching.calibration import TRACK_FRAMES, Calibration
from lowres_jax.matching.shipped_thresholds import FILE, ShippedThresholds, described
from lowres_jax.recognition.recognizer import load_recognizer
from lowres_jax.runtime import environment
from lowres_jax.settings.enhance import UPSCALER
from lowres_jax.super_resolution.upscaler import load_upscaler_by_size
from lowres_jax.utils.files import write_atomically

PEOPLE, PICTURES, RATES = (1, 2, 3, 5, 10, 20, 50, 100, 200, 500), (1, 2, 4), (0.01, 0.001)


def main() -> None:
    """Measures and writes, or checks."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=int, default=1500)
    parser.add_argument("--people", type=int, nargs="+", default=PEOPLE)
    parser.add_argument("--output", type=Path, default=FILE)
    parser.add_argument("--check", action="store_true")
    arguments = parser.parse_args()
    environment.enable_compilation_cache()
    recognizer, upscalers = load_recognizer("sface"), load_upscaler_by_size(UPSCALER.default)
    centering = Centering.of_cards(recognizer, upscalers)
    calibration = Calibration(
        environment.datasets_folder() / "lfw" / "mtcnn",
        recognizer,
        upscalers,
        arguments.images,
        seed=0,
        pictures=PICTURES,
        centering=centering,
    )
    made_for = described(recognizer, upscalers, centering, "mtcnn")
    if arguments.check:
        check(calibration, ShippedThresholds.load(made_for))
        return
    rows = []
    for size in (0, *CUT_SIZES):
        for frames, pictures, people, far in itertools.product((1, TRACK_FRAMES), PICTURES, arguments.people, RATES):
            if calibration.least_rate(people) <= far:
                found = calibration.threshold(far, ((0,) * pictures,) * people, size, frames)
                rows.append(shipped_thresholds.row(found, people, pictures))
        print(f"{size} px: {rows[-1:]}", flush=True)
    content = {
        "made_for": made_for,
        "upscalers": list(UPSCALER.default),
        "recognizer": recognizer.name,
        "set": calibration.name,
        "people": calibration.people,
        "images": calibration.images,
        "most_pictures": max(PICTURES),
        "thresholds": rows,
    }
    lines = ",\n".join(json.dumps(each) for each in rows)
    head = json.dumps({"models": [content | {"thresholds": []}]}, indent=1)
    with write_atomically(arguments.output) as file:
        file.write(head.replace('"thresholds": []', f'"thresholds": [\n{lines}]').encode() + b"\n")
    print(f"{arguments.output}: {len(rows)} thresholds")


def check(calibration: Calibration, shipped: ShippedThresholds | None) -> None:
    """Galleries that are not in the table: their rate at the interpolated threshold."""
    assert shipped is not None, "measure them first"
    for size in (0, 16, 32):
        for people, pictures in ((4, (1,)), (7, (1, 2)), (30, (1, 3)), (150, (2,)), (300, (1, 2, 4))):
            recipe = simulation.recipe_of([(0,) * pictures[number % len(pictures)] for number in range(people)])
            threshold = shipped.threshold(0.01, recipe, size)
            measured = calibration.threshold(0.01, recipe, size)
            searches = simulation.simulate(
                {0: calibration.templates(0)}, calibration.templates(size), calibration.labels, recipe, seed=1
            )
            rate = float(np.mean(searches.impostor <= 1.0 - threshold.similarity))
            print(
                f"{size:3} px, {people:4} people, {pictures} pictures: interpolated {threshold.similarity:.4f}, "
                f"measured {measured.similarity:.4f}; false accepts {100 * rate:.2f} % of 1 %"
            )


if __name__ == "__main__":
    main()
