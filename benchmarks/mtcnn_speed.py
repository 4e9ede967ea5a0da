"""Images/s of our MTCNN and of the package mtcnn (TensorFlow), side by side in one run, same thresholds.

    python benchmarks/mtcnn_speed.py ../shared/data/lfw/lfw-deepfunneled.tgz

Takes pictures of one size from an archive or a folder; without one, crops of scikit-image's astronaut. The three take
turns for several rounds; the median round counts. An otherwise idle machine is needed for figures worth quoting.
"""

import argparse
import os
import statistics
import tarfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import cv2
import numpy as np
import skimage.data

from lowres_jax.data import images
from lowres_jax.data.picture_files import find_pictures
from lowres_jax.localization.mtcnn.cascade import Model


def main() -> None:
    """Measures and prints a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("source", nargs="?", help="folder, .tgz; empty: the astronaut")
    parser.add_argument("--images", type=int, default=128)
    parser.add_argument("--batch", type=int, default=16, help="of the package's batched mode (its best here)")
    parser.add_argument("--rounds", type=int, default=5)
    arguments = parser.parse_args()

    os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
    from mtcnn import MTCNN

    pictures = list(_pictures(arguments.source, arguments.images))
    floats = [picture.astype(np.float32) / 255 for picture in pictures]
    package, ours = MTCNN(), Model()

    def one_by_one() -> int:
        return sum(len(package.detect_faces(picture)) for picture in pictures)

    def batched() -> int:
        starts = range(0, len(pictures), arguments.batch)
        parts = [package.detect_faces(pictures[start : start + arguments.batch]) for start in starts]
        return sum(len(faces) for part in parts for faces in part)

    def ours_batched() -> int:
        return sum(len(faces) for faces in ours.detect_batch(floats))

    def ours_one_by_one() -> int:
        return sum(len(ours.detect(picture)) for picture in floats)

    modes: dict[str, Callable[[], int]] = {
        "package, one image": one_by_one,
        "package, batched": batched,
        "ours, one image": ours_one_by_one,
        "ours, batched": ours_batched,
    }
    faces = {name: mode() for name, mode in modes.items()}  # compiles
    seconds: dict[str, list[float]] = {name: [] for name in modes}
    for _ in range(arguments.rounds):
        for name, mode in modes.items():
            begin = time.perf_counter()
            mode()
            seconds[name].append(time.perf_counter() - begin)
    height, width = pictures[0].shape[:2]
    print(
        f"{len(pictures)} images of {width}x{height}, {os.cpu_count()} processors, {arguments.rounds} rounds (median)"
    )
    fastest = statistics.median(seconds["ours, batched"])
    for name in modes:
        median = statistics.median(seconds[name])
        rate = len(pictures) / median
        print(f"{name:20} {rate:7.1f} images/s   ours batched is {median / fastest:4.2f} x   {faces[name]} faces")


def _pictures(source: str | None, count: int) -> Iterator[np.ndarray]:
    """Pictures of one size, evenly drawn over the source, uint8 RGB."""
    if source is None:
        picture = skimage.data.astronaut()
        for number in range(count):
            top, left = number % 20, 60 + number % 37
            yield np.ascontiguousarray(picture[top : top + 250, left : left + 250])
    elif Path(source).is_dir():
        files = find_pictures(Path(source)).paths
        for file in files[:: max(1, len(files) // count)][:count]:
            yield images.to_uint8(images.read_image(file))
    else:
        with tarfile.open(source) as archive:
            members = [member for member in archive.getmembers() if member.name.endswith(".jpg")]
            for member in members[:: max(1, len(members) // count)][:count]:
                content = archive.extractfile(member)
                assert content is not None
                data = np.frombuffer(content.read(), np.uint8)
                yield cv2.cvtColor(cv2.imdecode(data, cv2.IMREAD_COLOR), cv2.COLOR_BGR2RGB)


if __name__ == "__main__":
    main()
