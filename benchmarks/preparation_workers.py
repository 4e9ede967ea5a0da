"""Preparation in one process and by so many workers of Apache Beam: time, images/s, and whether the files are the same.

    python benchmarks/preparation_workers.py ../shared/data/lfw/lfw-deepfunneled.tgz 1 2 4 --images 2048

One process has two threads of its own beside what XLA and OpenCV take; workers begin by loading the program each.
"""

import argparse
import contextlib
import hashlib
import io
import os
import tarfile
import tempfile
import time
from pathlib import Path

from lowres_jax import config_keys
from lowres_jax.settings import prepare as settings
from lowres_jax.tasks import prepare


def digests(folder: Path) -> dict[str, str]:
    found = sorted(folder.glob("*/*/*/*.tfrecord-*"))
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in found}


def unpacked(source: Path, images: int, folder: Path) -> Path:
    """The archive's first pictures, so that all read the same."""
    with tarfile.open(source) as archive:
        for _, member in zip(range(images), (each for each in archive if each.isfile()), strict=False):
            archive.extract(member, folder, filter="data")
    return folder


def run(source: Path, detector: str, shard_size: int, beam: str | None, data_dir: Path) -> float:
    """Seconds of one preparation, start of the workers included."""
    config = config_keys.new(settings.KEYS, "prepare")
    config.update({"builder": "people", "source": str(source), "data_dir": str(data_dir), "detector": detector})
    config.update({"shard_size": shard_size, "beam": beam})
    with contextlib.redirect_stdout(io.StringIO()):
        begin = time.monotonic()
        prepare.run(config, data_dir)
        return time.monotonic() - begin


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("source", type=Path, help="a tar archive of one folder a person")
    parser.add_argument("workers", type=int, nargs="+")
    parser.add_argument("--images", type=int, default=2048)
    parser.add_argument("--shard-size", type=int, default=128)
    parser.add_argument("--detector", default="mtcnn")
    given = parser.parse_args()
    print(f"{given.images:,} images, {given.shard_size} a file, {given.detector}, {os.cpu_count()} cores")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        source = unpacked(given.source, given.images, folder / "source")
        run(source, given.detector, given.shard_size, None, folder / "warm")  # what is compiled is kept
        expected = None
        for count in [None, *given.workers]:
            data_dir = folder / f"data{count}"
            beam = None if count is None else f"--direct_num_workers={count}"
            seconds = run(source, given.detector, given.shard_size, beam, data_dir)
            found = digests(data_dir)
            expected = expected or found
            same = "the same files" if found == expected else "OTHER FILES"
            who = "one process" if count is None else f"{count} worker{'s' * (count > 1)}"
            print(f"{who:>12}  {seconds:6.1f} s  {given.images / seconds:6.1f} images/s  {same}", flush=True)


if __name__ == "__main__":
    main()
