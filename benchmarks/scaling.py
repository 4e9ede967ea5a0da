"""Where does overhead grow? From 1,000 to 1,000,000 records, and over 1, 2, 4 and 8 devices; two plots.

    python benchmarks/scaling.py --most 1000000 --output docs/images/scaling.png

Records are small, of 8 x 8 pixels, so that what is measured is not decoding: opening (the index of the files), names
and labels (every record is parsed once), the digest, the split by people, the first shuffled batch, and one of a later
epoch; of people, whose number grows with the records (twenty each), the search for near copies among one template of
each. "grows" is the exponent of the last tenfold: 1 is linear. Devices are simulated, in a process each, and share this
machine's cores: what more of them cost is overhead.
"""

import argparse
import json
import re
import struct
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import matplotlib.pyplot as plt
import numpy as np
import tensorflow_datasets as tfds
from tensorflow_datasets.proto import tf_example_pb2

from lowres_jax.data import pipeline, records, splits
from lowres_jax.matching.near_copies import near_copies

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


def main() -> None:
    """Measures, prints and draws."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--most", type=int, default=1_000_000)
    parser.add_argument("--output", type=Path, default=Path("scaling.png"))
    given = parser.parse_args()
    counts = [count for count in (1_000, 10_000, 100_000, 1_000_000) if count <= given.most]
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
    devices = [1, 2, 4, 8]
    steps = [step_seconds(count) for count in devices]
    print("devices            " + "".join(f"{count:>11}" for count in devices))
    print("step of 32 images  " + "".join(f"{each:>11.3f}" for each in steps))
    right.plot(devices, steps, marker="o")
    right.set(
        xlabel="simulated devices on the same cores", ylabel="seconds a step", title="A step of 32 images", ylim=0
    )
    right.set_xticks(devices)
    figure.savefig(given.output, dpi=110)
    print(given.output)


if __name__ == "__main__":
    main()
