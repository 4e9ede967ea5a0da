"""What the choice of one face among several does to verification on LFW's View 1 (for choosing; View 2 only reports).

    python benchmarks/face_choice.py ../shared/data/lfw

Takes the folder with lfw-deepfunneled.tgz and pairsDevTest.txt. Every image of the 1,000 test pairs of View 1 is
searched once; each rule's face is aligned and recognized by SFace at full resolution. Accuracy: threshold chosen on
nine tenths of the pairs, measured on the tenth.
"""

import argparse
import tarfile
from pathlib import Path
from typing import get_args

import numpy as np

from lowres_jax.data import images
from lowres_jax.data.lfw_pairs import image_key, locate_pairs, read_pairs
from lowres_jax.evaluation.verification import evaluate_pairs
from lowres_jax.localization import align
from lowres_jax.localization.detector import Face, Rule, choose, load_detector
from lowres_jax.recognition.recognizer import load_recognizer


def main() -> None:
    """Measures and prints a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    folder = parser.parse_args().folder
    pairs = read_pairs(folder / "pairsDevTest.txt")
    wanted = {key for pair in pairs for key in ((pair.name_a, pair.number_a), (pair.name_b, pair.number_b))}
    sources, pictures = [], []
    with tarfile.open(folder / "lfw-deepfunneled.tgz") as archive:
        for member in archive:
            if member.isfile() and image_key(member.name) in wanted:
                content = archive.extractfile(member)
                assert content is not None
                sources.append(member.name)
                pictures.append(images.decode_image(content.read(), member.name))
    located = locate_pairs(pairs, sources)
    found = load_detector("mtcnn").detect_batch(pictures)
    recognizer = load_recognizer("sface")
    chosen: dict[str, list[Face | None]] = {}
    templates: dict[str, np.ndarray] = {}
    for rule in get_args(Rule):
        chosen[rule] = [choose(faces, image.shape, rule) for faces, image in zip(found, pictures, strict=True)]
        crops = [align.crop_face(image, face) for image, face in zip(pictures, chosen[rule], strict=True)]
        templates[rule] = recognizer.templates(np.stack(crops))
    several = sum(len(faces) > 1 for faces in found)
    print(f"{len(pictures):,} images of {len(pairs):,} pairs; several faces in {several:,}, none in {found.count([])}")
    parts = np.arange(len(pairs)) % 10
    for rule, rows in templates.items():
        scores = np.sum(rows[located.first] * rows[located.second], axis=1)
        result = evaluate_pairs(scores, located.same, parts)
        middle = sum(_holds_centre(face, image) for face, image in zip(chosen[rule], pictures, strict=True))
        print(
            f"{rule:15} accuracy {result.accuracy:.2%} (SE {result.accuracy_se:.2%}), AUC {result.auc:.4f}; "
            f"box holds the picture's center in {middle / len(pictures):.2%}"
        )


def _holds_centre(face: Face | None, image: np.ndarray) -> bool:
    if face is None:
        return False
    centre = np.asarray([image.shape[1], image.shape[0]]) / 2
    return bool((face.box[:2] <= centre).all() and (centre <= face.box[2:]).all())


if __name__ == "__main__":
    main()
