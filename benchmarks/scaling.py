"""Growth of overhead: with records, devices, templates compared with each other, and people enrolled.

    python benchmarks/scaling.py records --most 1000000 --output docs/images/scaling.png
    python benchmarks/scaling.py templates --most 100000      # all-against-all: seconds, largest memory
    python benchmarks/scaling.py people --most 1000000        # a kept gallery: open, search, grow, shrink

Records are small, of 8 x 8 pixels, so that what is measured is not decoding: opening (the index of the files), names
and labels (every record is parsed once), the digest, the split by people, the first shuffled batch, and one of a later
epoch; of people, whose number grows with the records (twenty each), the search for near copies among one template of
each. "grows" is the exponent of the last tenfold: 1 is linear. Devices are simulated, in a process each, and share this
machine's cores: what more of them cost is overhead. Templates are synthetic, of 128 numbers around centers; each
measurement of memory is a process of its own.
"""

import argparse
import json
import re
import struct
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import cv2
import matplotlib.pyplot as plt
import numpy as np
import tensorflow_datasets as tfds
from tensorflow_datasets.proto import tf_example_pb2

from lowres_jax.data import pipeline, records, splits
from lowres_jax.faces.reader import FaceView
from lowres_jax.localization.detector import Face
from lowres_jax.matching.kept_gallery import KeptGallery
from lowres_jax.matching.near_copies import near_copies

_MADE_BY = "benchmark"  # of a gallery
_PICTURES = 20
_A_SHARD = 100_000
_FIELDS = {
    "image": tfds.features.Image(shape=(8, 8, 3), encoding_format="png"),
    "label": np.int64,
    "name": tfds.features.Text(),
    "source": tfds.features.Text(),
    "detected": np.bool_,
    "sharpness": np.float32,
}
_STEP = """
import sys, time, jax
count = int(sys.argv[1])
jax.config.update("jax_platforms", "cpu")
jax.config.update("jax_num_cpu_devices", count)
import numpy as np
from lowres_jax.super_resolution.training import train_config, trainer
from lowres_jax.training import devices
config = train_config.smoke(train_config.default_config())
config.hr_size = 64
training = trainer.make(config, 100)
state = devices.replicate(training.init())
step = devices.data_parallel(training.step)
image = np.random.default_rng(0).integers(0, 256, (32, 64, 64, 3), np.uint8)
batch = devices.divide({"image": image})
for number in range(12):
    if number == 2:
        begin = time.perf_counter()
    state, metrics = step(state, {}, batch)
    jax.block_until_ready(metrics)
print((time.perf_counter() - begin) / 10)
"""
_ALL_AGAINST_ALL = """
import resource, sys, time, jax
jax.config.update("jax_platforms", "cpu")
jax.config.update("jax_num_cpu_devices", int(sys.argv[2]))
import numpy as np
from lowres_jax.evaluation.identification import (
    detection_and_identification_rate, probe_statistics, threshold_at_far,
)
count = int(sys.argv[1])
generator = np.random.default_rng(0)
labels = np.arange(count) // 5
centers = generator.normal(size=(count // 5 + 1, 128)).astype(np.float32)
templates = centers[labels] + 1.6 * generator.normal(size=(count, 128)).astype(np.float32)
templates /= np.linalg.norm(templates, axis=1, keepdims=True)
probe_statistics(templates[:600], labels[:600])
begin = time.perf_counter()
found = probe_statistics(templates, labels)
seconds = time.perf_counter() - begin
rate = detection_and_identification_rate(found, threshold_at_far(found, 0.01), 1)
print(seconds, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, rate)
"""
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


def write(folder: Path, count: int) -> Path:
    """A set of as many records."""
    folder.mkdir(parents=True)
    tfds.features.FeaturesDict(_FIELDS).save_config(str(folder))
    picture = cv2.imencode(".png", np.full((8, 8, 3), 99, np.uint8))[1].tobytes()
    lengths = [min(_A_SHARD, count - start) for start in range(0, count, _A_SHARD)]
    number = 0
    for shard, length in enumerate(lengths):
        with (folder / f"made-train.tfrecord-{shard:05d}-of-{len(lengths):05d}").open("wb") as file:
            for _ in range(length):
                message = tf_example_pb2.Example()
                feature = message.features.feature
                feature["image"].bytes_list.value.append(picture)
                feature["label"].int64_list.value.append(number // _PICTURES)
                feature["name"].bytes_list.value.append(f"person {number // _PICTURES}".encode())
                feature["source"].bytes_list.value.append(f"{number // _PICTURES}/{number}.png".encode())
                feature["detected"].int64_list.value.append(1)
                feature["sharpness"].float_list.value.append(float(number))
                data = message.SerializeToString()
                size = struct.pack("<Q", len(data))
                crcs = [struct.pack("<I", records.masked_crc(each)) for each in (size, data)]
                file.write(size + crcs[0] + data + crcs[1])
                number += 1
    described = [{"name": "train", "shardLengths": [str(length) for length in lengths]}]
    (folder / "dataset_info.json").write_text(json.dumps({"name": "made", "splits": described}))
    return folder


def timed(found: dict[str, float], name: str, work: Callable[[], Any]) -> Any:
    """Notes how long something took."""
    begin = time.perf_counter()
    result = work()
    found[name] = time.perf_counter() - begin
    return result


def measure(count: int) -> dict[str, float]:
    """Seconds of each piece of work with so many records."""
    found: dict[str, float] = {}
    with tempfile.TemporaryDirectory() as name:
        folder = write(Path(name) / "made" / "1.0.0", count)
        source = timed(found, "opening", lambda: records.open_records(folder))
        labels = timed(found, "names and labels", lambda: source.labels)
        timed(found, "digest", source.digest)
        split = timed(found, "split", lambda: splits.split_identities(labels, 0.05, 0))
        settings = {"seed": 0, "positions": split.training}
        timed(found, "first batch", lambda: next(pipeline.batches(source, 64, **settings)))
        later = 3 * len(split.training) // 64
        timed(found, "batch of epoch 3", lambda: next(pipeline.batches(source, 64, start=later, **settings)))
    templates = np.random.default_rng(0).standard_normal((count // _PICTURES, 128)).astype(np.float32)
    templates /= np.linalg.norm(templates, axis=1, keepdims=True)
    timed(found, "near copies", lambda: near_copies(templates, 0.99))
    return found


def step_seconds(devices: int) -> float:
    """Seconds of a training step of 32 images on so many simulated devices."""
    ended = subprocess.run([sys.executable, "-c", _STEP, str(devices)], capture_output=True, text=True, check=True)
    return float(re.findall(r"[\d.]+", ended.stdout)[-1])


def by_records(given: argparse.Namespace) -> None:
    """Measures pieces of work on records, and training steps on devices; prints and draws."""
    counts = [count for count in (100, 1_000, 10_000, 100_000, 1_000_000) if count <= given.most][-4:]
    found = {count: measure(count) for count in counts}
    figure, (left, right) = plt.subplots(1, 2, figsize=(11, 4.2), layout="constrained")
    print(f"{'seconds, records':>18}" + "".join(f"{count:>11,}" for count in counts) + "      grows")
    for name in found[counts[0]]:
        seconds = [found[count][name] for count in counts]
        exponent = np.log10(seconds[-1] / seconds[-2])
        print(f"{name:>18}" + "".join(f"{each:>11.4f}" for each in seconds) + f"{exponent:>11.2f}", flush=True)
        left.loglog(counts, seconds, marker="o", markersize=3, label=name)
    bounds = np.asarray([counts[0], counts[-1]])
    left.loglog(bounds, bounds * 3e-6, color="0.7", linestyle="--", label="linear")
    left.set(xlabel="records", ylabel="seconds", title="What grows with the data")
    left.legend(fontsize=8)
    devices = given.devices
    steps = [step_seconds(count) for count in devices]
    print("devices            " + "".join(f"{count:>11}" for count in devices))
    print("step of 32 images  " + "".join(f"{each:>11.3f}" for each in steps))
    right.plot(devices, steps, marker="o")
    right.set(
        xlabel="simulated devices on the same cores", ylabel="seconds a step", title="A step of 32 images", ylim=0
    )
    right.set_xticks(devices)
    given.output.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(given.output, dpi=110)
    print(given.output)


def by_templates(given: argparse.Namespace) -> None:
    """All-against-all of more and more templates on one device and on two; the model of docs/compare.md."""
    counts = [count for count in (1_000, 3_000, 10_000, 30_000, 100_000) if count <= given.most]
    print(f"{'templates':>10}{'devices':>9}{'seconds':>9}{'peak MB':>9}{'DIR':>7}")
    for devices in (1, 2):
        rows = []
        for count in counts:
            command = [sys.executable, "-c", _ALL_AGAINST_ALL, str(count), str(devices)]
            said = subprocess.run(command, capture_output=True, text=True, check=True).stdout
            seconds, peak, rate = map(float, said.split())
            rows.append((count, seconds, peak))
            print(f"{count:10,}{devices:9}{seconds:9.2f}{peak:9.0f}{100 * rate:7.1f}", flush=True)
        numbers, times, peaks = np.asarray(rows).T
        large = numbers >= 10_000
        if large.sum() > 1:
            slope = float(np.exp(np.mean(np.log(times[large]) - 2 * np.log(numbers[large]))))
            memory, base = np.polyfit(numbers, peaks, 1)
            print(f"{devices} devices: {slope:.2e} N^2 seconds, {base:.0f} + {1000 * memory:.2f} N/1000 MB")


def by_people(given: argparse.Namespace) -> None:
    """A kept gallery of so many people, around 5,000 centers, as people of one origin look alike."""
    draw, place = np.random.default_rng(0), Face(np.zeros(4, np.float32), 1.0)
    centers = draw.normal(size=(5000, 128)).astype(np.float32)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name) / "many.gallery"
        gallery, people = KeptGallery.create(folder, _MADE_BY, "synthetic", 128), {}
        begin, step = time.perf_counter(), 100_000
        for start in range(0, given.most, step):
            count = min(step, given.most - start)
            vectors = centers[draw.integers(5000, size=count)] + draw.normal(size=(count, 128))
            vectors = (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)
            people = {f"person {start + row}": [FaceView(place, 99, 0, each)] for row, each in enumerate(vectors)}
            gallery.add(people)
        size = sum(path.stat().st_size for path in folder.iterdir()) / 1e6
        print(f"{gallery.people:,} people enrolled in {time.perf_counter() - begin:.0f} s, {size:.0f} MB of files")
        found: dict[str, float] = {}
        timed(found, "added", lambda: gallery.add({"one more": next(iter(people.values()))}))
        timed(found, "removed", lambda: gallery.remove(["one more"]))
        print(f"one more added in {found['added']:.2f} s, removed in {found['removed']:.2f} s")
        done = subprocess.run([sys.executable, "-c", _SEARCH, str(folder)], capture_output=True, text=True, check=True)
        told = json.loads(done.stdout)
        print(
            f"opened in {told['opened']:.2f} s; a search {1000 * told['median']:.0f} ms (first "
            f"{1000 * told['first']:.0f}, slowest {1000 * told['most']:.0f}), {told['right']} of 40 find their "
            f"person; memory of its own {told['anonymous']:.0f} MB, mapped {told['mapped']:.0f} MB"
        )


def main(argv: Sequence[str] | None = None) -> None:
    """Reads the command line, and measures."""
    ways = {"records": by_records, "templates": by_templates, "people": by_people}
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("way", choices=ways)
    parser.add_argument("--most", type=int, default=100_000)
    parser.add_argument("--devices", type=int, nargs="+", default=[1, 2, 4, 8], help="records: of the training steps")
    parser.add_argument("--output", type=Path, default=Path("workdirs/scaling.png"))
    given = parser.parse_args(argv)
    ways[given.way](given)


if __name__ == "__main__":
    main()
