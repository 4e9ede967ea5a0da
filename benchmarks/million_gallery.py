"""A kept gallery of a million people: time to make, open, search, grow and shrink, and memory.

    python benchmarks/million_gallery.py --people 1000000

Templates are synthetic, unit vectors of 128 numbers around 5,000 centers, as people of one origin look alike. Opening
and searching is measured in a process of its own, whose memory is told: what is mapped, and what is not.
"""

import argparse
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from lowres_jax.localization.detector import Face
from lowres_jax.matching.gallery import FaceView
from lowres_jax.matching.kept_gallery import KeptGallery

_PLACE = Face(np.zeros(4, np.float32), 1.0)
_SEARCH = """
import json, re, statistics, sys, time
from pathlib import Path
import numpy as np
from lowres_jax.matching.kept_gallery import KeptGallery

def memory(name):
    return int(re.search(name + r":\\s+(\\d+)", Path("/proc/self/status").read_text())[1]) / 1024

before = memory("RssAnon")
begin = time.perf_counter()
gallery = KeptGallery.open(Path(sys.argv[1]), "benchmark")
people = gallery.people
opened = time.perf_counter() - begin
generator = np.random.default_rng(1)
seconds, right = [], 0
for number in range(40):
    row = int(generator.integers(people))
    template = np.asarray(gallery._templates[row]) + 0.03 * generator.normal(size=128).astype(np.float32)
    template /= np.linalg.norm(template)
    begin = time.perf_counter()
    found = gallery.search(template, 5, 0.9)
    seconds.append(time.perf_counter() - begin)
    right += found[0].name == f"person {row}"
print(json.dumps({
    "opened": opened, "first": seconds[0], "median": statistics.median(seconds[5:]), "most": max(seconds[5:]),
    "right": right, "anonymous": memory("RssAnon") - before, "mapped": memory("RssFile"),
}))
"""


def main() -> None:
    """Measures and prints."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--people", type=int, default=1_000_000)
    arguments = parser.parse_args()
    generator = np.random.default_rng(0)
    centres = generator.normal(size=(5000, 128)).astype(np.float32)
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place) / "many.gallery"
        gallery = KeptGallery.create(folder, "benchmark", "synthetic", 128)
        begin, step = time.perf_counter(), 100_000
        for start in range(0, arguments.people, step):
            count = min(step, arguments.people - start)
            vectors = centres[generator.integers(5000, size=count)] + generator.normal(size=(count, 128))
            vectors = (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)
            people = {f"person {start + row}": [FaceView(_PLACE, 99, 0, each)] for row, each in enumerate(vectors)}
            gallery = gallery.add(people)
        size = sum(path.stat().st_size for path in folder.iterdir()) / 1e6
        print(f"{gallery.people:,} people enrolled in {time.perf_counter() - begin:.0f} s, {size:.0f} MB of files")
        begin = time.perf_counter()
        gallery = gallery.add({"one more": people[f"person {start}"]})
        added = time.perf_counter() - begin
        begin = time.perf_counter()
        gallery.remove(["one more"])
        print(f"one more added in {added:.2f} s, removed in {time.perf_counter() - begin:.2f} s")
        done = subprocess.run([sys.executable, "-c", _SEARCH, str(folder)], capture_output=True, text=True, check=True)
        found = json.loads(done.stdout)
        print(
            f"opened in {found['opened']:.2f} s; a search {1000 * found['median']:.0f} ms (first "
            f"{1000 * found['first']:.0f}, slowest {1000 * found['most']:.0f}), {found['right']} of 40 find their "
            f"person; memory of its own {found['anonymous']:.0f} MB, mapped {found['mapped']:.0f} MB"
        )


if __name__ == "__main__":
    main()
