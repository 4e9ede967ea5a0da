"""Grouping of unknown people, tried on videos: how pure groups are, and how much of a person comes into one.

    python benchmarks/grouping.py --measurements workdirs/videos/measurements/video_frames-mtcnn/sface

Takes the templates that configs/search_videos.py has measured: a video's mean, grouped as identify does with
config.group=true. Told for each threshold is B-cubed precision and recall (Bagga and Baldwin, 1998): of the videos in a
video's group the share of the same person's, and of the person's videos the share in it.
"""

import argparse
from pathlib import Path

import numpy as np

from lowres_jax.data.records import open_records
from lowres_jax.evaluation import video_search
from lowres_jax.evaluation.video_search import Videos
from lowres_jax.matching.centering import Centering
from lowres_jax.matching.grouping import clusters
from lowres_jax.preparation.builders.video_frames import video_of
from lowres_jax.recognition.recognizer import load_recognizer
from lowres_jax.runtime import environment
from lowres_jax.super_resolution.upscaler import UpscalerBySize, load_upscaler

CONDITIONS = {"none": (0, None), "identity_32": (32, "identity"), "identity_x8_16": (16, "identity_x8")}
THRESHOLDS = (0.2, 0.25, 0.3, 0.35, 0.4, 0.45, 0.5)


def main() -> None:
    """Prints a line a condition and threshold."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--measurements", type=Path, required=True)
    arguments = parser.parse_args()
    source = open_records(environment.datasets_folder() / "video_frames" / "mtcnn")
    videos = Videos.of(source.labels, [video_of(each) for each in source.sources], source.detected)
    recognizer = load_recognizer("sface")
    for name, (size, model) in CONDITIONS.items():
        templates = np.load(arguments.measurements / f"{name}.npz")["templates"]
        upscaler = load_upscaler(model) if model else None
        centering = Centering.of_cards(recognizer, UpscalerBySize([upscaler or load_upscaler("bicubic")]))
        means = video_search.mean(centering(templates, upscaler, size), videos)
        for threshold in THRESHOLDS:
            found = clusters(means, threshold)
            together, same = found[:, None] == found, videos.labels[:, None] == videos.labels
            both = (together & same).sum(axis=1)
            precision, recall = (both / together.sum(axis=1)).mean(), (both / same.sum(axis=1)).mean()
            print(f"{name:16} {threshold:.2f}: precision {100 * precision:5.1f} %, recall {100 * recall:5.1f} %")


if __name__ == "__main__":
    main()
