"""Frames/s of a clip searched for faces, followed and recognized; beside the way deepface goes with the same models.

    python -m lowres_jax.clips.example /tmp/clip
    python benchmarks/clip_speed.py /tmp/clip/walk.mp4

Both decode every frame and look at every fifth: ours with MTCNN, tracks and SFace in batches; the other one as deepface
does with detector_backend=mtcnn and model_name=SFace, a frame and a face at a time: the package mtcnn (TensorFlow), and
OpenCV's FaceRecognizerSF on the same weights, without tracks. They take turns, the median round counts. With
--repeat=600 the clip is played so many times over, ours only: the peak of the memory is told at each tenth of it.
"""

import argparse
import os
import resource
import statistics
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import cv2
import numpy as np
from ml_collections import ConfigDict

from lowres_jax.clips.reading import Clip, Frame, open_clip
from lowres_jax.clips.search import follow
from lowres_jax.localization.detector import load_detector
from lowres_jax.matching.gallery import FaceReader
from lowres_jax.pretrained import cards
from lowres_jax.recognition.recognizer import load_recognizer
from lowres_jax.runtime import environment
from lowres_jax.super_resolution.upscaler import load_upscaler_by_size

EVERY = 5


class Repeated(Clip):
    """A clip played several times over."""

    def __init__(self, clip: Clip, times: int):
        super().__init__(clip.path, clip.rate, clip.frames * times)
        self._clip, self._times = clip, times

    @property
    def identity(self) -> tuple[tuple[str, int, int], ...]:
        """Of the clip, as often as it is played."""
        return self._clip.identity * self._times

    def _all(self) -> Iterator[Frame]:
        for turn in range(self._times):
            if turn % max(self._times // 10, 1) == 0:
                peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
                print(
                    f"  {turn * self._clip.frames / self._clip.rate / 60:5.1f} min: {peak:,.0f} MB at most", flush=True
                )
            for frame in self._clip.read():
                yield Frame(
                    turn * self._clip.frames + frame.number,
                    turn * self._clip.frames / self._clip.rate + frame.seconds,
                    frame.pixels,
                )


def main() -> None:
    """Measures and prints."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("clip", type=Path)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--repeat", type=int, default=0)
    parser.add_argument("--every", type=int, default=EVERY)
    arguments = parser.parse_args()
    os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
    environment.initialize(ConfigDict({"platform": "cpu"}))
    clip = open_clip(arguments.clip)
    reader = FaceReader(
        load_detector("mtcnn"), load_upscaler_by_size(["bicubic"]), load_recognizer("sface"), 64, look_again=False
    )

    def ours() -> int:
        return len(follow(clip, reader, arguments.every, 0.0, None, 2).tracks)

    if arguments.repeat:
        begin = time.perf_counter()
        followed = follow(Repeated(clip, arguments.repeat), reader, arguments.every, 0.0, None, 2)
        seconds = time.perf_counter() - begin
        print(
            f"{followed.frames[0]:,} frames, {len(followed.tracks)} tracks, {followed.frames[0] / seconds:.1f} frames/s"
        )
        return
    ways: dict[str, Callable[[], int]] = {"lowres_jax": ours, "deepface's way": peer(clip, arguments.every)}
    rates: dict[str, list[float]] = {name: [] for name in ways}
    for turn in range(arguments.rounds + 1):
        for name, way in ways.items():
            begin = time.perf_counter()
            way()
            if turn:  # the first one compiles
                rates[name].append(clip.frames / (time.perf_counter() - begin))
    for name, own in rates.items():
        print(
            f"{name:16} {statistics.median(own):6.1f} frames/s (of rounds: {', '.join(f'{each:.1f}' for each in own)})"
        )


def peer(clip: Clip, every: int) -> Callable[[], int]:
    """The other way: frame by frame, face by face."""
    from mtcnn import MTCNN

    card = cards.load_card("sface", "recognition")
    detector, recognizer = MTCNN(), cv2.FaceRecognizerSF.create(str(cards.weight_path(card)), "")

    def run() -> int:
        faces = 0
        for frame in clip.read():
            if frame.number % every:
                continue
            for found in detector.detect_faces(frame.pixels):
                points = found["keypoints"]
                order = ("left_eye", "right_eye", "nose", "mouth_left", "mouth_right")
                # Eyes and corners of the mouth in the order of the picture, as both networks have them.
                row = np.asarray([*found["box"], *(value for name in order for value in points[name]), 1.0], np.float32)
                crop = recognizer.alignCrop(np.ascontiguousarray(frame.pixels[..., ::-1]), row)
                recognizer.feature(crop)
                faces += 1
        return faces

    return run


if __name__ == "__main__":
    main()
