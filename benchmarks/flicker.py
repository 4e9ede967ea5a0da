"""Flicker of enlarged faces in a clip: frame by frame, and as `enhance` does it, beside the clip itself.

    python -m lowres_jax.clips.example /tmp/clip
    python benchmarks/flicker.py /tmp/clip/walk.mp4

Every face is cut out of the finished, enlarged frames by its smoothed place, and its mean change from one frame to the
next is told, in levels of 255: once of the clip enlarged by bicubic interpolation (what noise and motion make of it),
once with faces enlarged frame by frame where they were found in each, once smoothed.
"""

import argparse
from pathlib import Path

import numpy as np

from lowres_jax.clips.enlarging import NEIGHBORS, enlarged_crops, path_of
from lowres_jax.clips.reading import open_clip
from lowres_jax.clips.search import follow
from lowres_jax.data import images, resize
from lowres_jax.localization import align, paste
from lowres_jax.localization.detector import load_detector
from lowres_jax.matching.gallery import FaceReader
from lowres_jax.recognition.recognizer import load_recognizer
from lowres_jax.runtime import environment
from lowres_jax.settings.enhance import UPSCALER
from lowres_jax.super_resolution.upscaler import load_upscaler_by_size

SCALE = 2


def main() -> None:
    """Prints a line a way."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("clip", type=Path)
    parser.add_argument("--stop", type=float, default=2.0, help="seconds of the clip")
    arguments = parser.parse_args()
    environment.enable_compilation_cache()
    upscalers, clip = load_upscaler_by_size(UPSCALER.default), open_clip(arguments.clip)
    reader = FaceReader(load_detector("mtcnn"), upscalers, load_recognizer("sface"), 0, look_again=False)
    looked = {every: follow(clip, reader, every, 0.0, arguments.stop, 2).tracks for every in (1, 2)}
    shape = next(clip.read()).pixels.shape
    places = [path_of(track, shape, clip.rate) for track in looked[2]]
    ways = {
        "the clip, by bicubic": (None, 0.0),
        "frame by frame": ([path_of(track, shape, clip.rate, smooth=False) for track in looked[1]], 0.0),
        "smoothed place": (places, 0.0),
        "smoothed, neighbors averaged": (places, NEIGHBORS),
    }
    for name, (paths, neighbors) in ways.items():
        before: dict[int, np.ndarray] = {}
        changes = []
        for frame, faces in enlarged_crops(
            clip.read(0.0, arguments.stop), paths or [], upscalers, 128, 32, neighbors=neighbors
        ):
            height, width = frame.pixels.shape[:2]
            large = images.to_uint8(resize.resize(frame.image, height * SCALE, width * SCALE))
            for number, crop in faces.items():
                own = paths[number] if paths else places[number]
                matrix = own.at(frame.number)
                assert matrix is not None
                face = resize.resize(crop, own.size * SCALE, own.size * SCALE)
                paste.paste(large, face, paste.enlarged_transform(matrix, SCALE))
            now = {}
            for number, place in enumerate(places):
                matrix = place.at(frame.number)
                if matrix is not None:
                    side = place.size * SCALE
                    cut = align.warp(large / np.float32(255.0), paste.enlarged_transform(matrix, SCALE), side)
                    now[number] = cut[side // 5 : -side // 5, side // 5 : -side // 5] * 255.0
                if matrix is not None and number in before:
                    changes.append(float(np.abs(now[number] - before[number]).mean()))
            before = now
        print(f"{name:30} mean change of a face {np.mean(changes):.2f} levels, {len(changes)} pairs of frames")


if __name__ == "__main__":
    main()
