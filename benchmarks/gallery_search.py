"""Seconds of `identify` in a gallery of thousands of pictures: the first search, which reads them, and the second.

    python benchmarks/gallery_search.py ../shared/data/lfw/lfw-deepfunneled.tgz --pictures=2000

LFW's first people are enrolled, and one picture more is searched for. Figures of a machine that does other work
meanwhile mean nothing.
"""

import argparse
import os
import subprocess
import sys
import tarfile
import tempfile
import time
from pathlib import Path


def unpack(archive_path: Path, folder: Path, pictures: int) -> Path:
    """Writes the gallery; returns a picture of somebody who is not in it."""
    with tarfile.open(archive_path, "r|*") as archive:
        for member in archive:
            file = archive.extractfile(member) if member.isfile() else None
            if file is None or not member.name.endswith(".jpg"):
                continue
            path = folder / "gallery" / Path(member.name).parent.name / Path(member.name).name
            if pictures == 0:
                path = folder / "probe.jpg"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(file.read())
            if pictures == 0:
                return path
            pictures -= 1
    raise SystemExit(f"{archive_path}: too few pictures")


def main() -> None:
    """Searches twice and prints the times."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("archive", type=Path)
    parser.add_argument("--pictures", type=int, default=2000)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        probe = unpack(arguments.archive, folder, arguments.pictures)
        command = [sys.executable, "-m", "lowres_jax.main", "--config=configs/identify.py"]
        command += [f"--config.gallery={folder / 'gallery'}", f"--config.probe={probe}", f"--workdir={folder / 'work'}"]
        for search in ("first", "second"):
            begin = time.perf_counter()
            ended = subprocess.run(command, capture_output=True, text=True, check=True)
            print(f"{search} search: {time.perf_counter() - begin:.1f} s")
        print(next(line for line in ended.stdout.splitlines() if "people enrolled from" in line))
        print(f"{os.cpu_count()} processors")


if __name__ == "__main__":
    main()
