"""Runs the package mtcnn on an .npz of images and writes what it finds; a process of its own keeps TensorFlow out."""

import sys

import numpy as np
from mtcnn import MTCNN


def main() -> None:
    source, target = sys.argv[1:]
    detector = MTCNN()
    found = {}
    with np.load(source) as images:
        for name in images.files:
            rows = detector.detect_faces(images[name], output_type="numpy", box_format="xyxy")
            found[name] = rows[np.argsort(-rows[:, 5], kind="stable")]
    np.savez(target, **found)


if __name__ == "__main__":
    main()
