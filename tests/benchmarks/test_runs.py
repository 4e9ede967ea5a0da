"""Every benchmark runs to its end, with settings so small that its figures mean nothing."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
from made_records import write_pairs, write_set
from made_scenes import ORL, orl, scene

from lowres_jax import config_keys
from lowres_jax.clips.reading import Frame
from lowres_jax.clips.writing import writing
from lowres_jax.data import images
from lowres_jax.settings.prepare import KEYS
from lowres_jax.tasks import prepare

pytestmark = pytest.mark.whole

ROOT = Path(__file__).parents[2]
PEOPLE, PICTURES = 40, 4


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A cache folder in which ORL's people stand for all others, in prepared sets, photographs and a clip."""
    folder = tmp_path_factory.mktemp("cache")
    crops = [orl(person + 1, number + 1)[10:102] for person in range(PEOPLE) for number in range(PICTURES)]
    large = np.stack([images.to_uint8(cv2.resize(crop, (128, 128))) for crop in crops])
    labels = np.repeat(np.arange(PEOPLE), PICTURES).tolist()
    for name in ("orl_faces/mtcnn", "casia_webface/mtcnn_jpeg"):
        write_set(folder / "datasets" / name, large, labels)
    files = [f"P{person}/P{person}_{number + 1:04d}.jpg" for person in range(PEOPLE) for number in range(PICTURES)]
    write_pairs(write_set(folder / "datasets" / "lfw" / "mtcnn", large, labels, sources=files), PEOPLE)
    videos = [f"P{person}/{number % 2}/{number}.jpg" for person in range(PEOPLE) for number in range(PICTURES)]
    write_set(folder / "datasets" / "video_frames" / "mtcnn", large, labels, sources=videos)
    for person in range(1, 7):
        (folder / "photographs" / f"s{person}").mkdir(parents=True)
        for number in (1, 2):
            shutil.copy(ORL / f"s{person}" / f"{number}.pgm", folder / "photographs" / f"s{person}")
    config = config_keys.new(KEYS, "prepare")
    config.update({"builder": "people", "source": str(folder / "photographs"), "data_dir": str(folder / "datasets")})
    config.detector = "haar"
    prepare.run(config, folder)
    (folder / "fetched" / "portraits").mkdir(parents=True)
    for name in ("person_b_1.jpg", "person_b_2.jpg"):
        images.write_image(folder / "fetched" / "portraits" / name, orl(2, int(name[-5])))
    with writing(folder / "clip.mp4", 10.0) as add:
        pixels = images.to_uint8(images.decode_image(scene((1, 1, 150), (2, 1, 150)), "scene"))
        for number in range(10):
            add(Frame(number, number / 10, pixels), pixels)
    return folder


@pytest.mark.parametrize(
    "command",
    [
        "accelerator.py --small --seconds 20 --output {out}",
        "speed.py generator --count 2 --rounds 1",
        "speed.py resnet50 --count 2 --rounds 1",
        "speed.py sface --count 8 --rounds 1",
        "speed.py upscalers --names bicubic srresnet edsr_x4 --count 2 --rounds 1",
        "speed.py mtcnn --count 2 --rounds 1",
        "speed.py clip --source {cache}/clip.mp4 --rounds 1",
        "speed.py records --source {cache}/datasets/people/haar --count 64 --rounds 1",
        "speed.py all_against_all --count 500 --rounds 1",
        "speed.py onnx --names identity --count 2 --rounds 1",
        "speed.py preparation --source {cache}/photographs --threads 1 --rounds 1",
        "scaling.py records --most 1000 --devices 1 --output {out}/scaling.png",
        "scaling.py templates --most 1000",
        "scaling.py people --most 500",
        "abuse.py pictures --count 60 --folder {out}",
        "abuse.py page --count 10 --folder {out}",
        "abuse.py tasks --names compare_detectors --count 1 --folder {out}",
        "abuse.py trainings --names canny --count 1 --folder {out}",
        "campaigns.py gallery --count 2 --folder {out}",
        "campaigns.py clips --count 3 --folder {out}",
        "campaigns.py archives --count 5 --folder {out}",
        "quality.py view1 bicubic --judge sface --count 8",
        "model_by_condition.py --photographs 2 --judge sface",
        "quality.py held_out --judge sface --count 16 bicubic",
        "quality.py promises --people 4 --count 160 --splits 1",
        "condition_shares.py --upscalers bicubic --lr_sizes 16 --held_out .3 --images 20 --output {out}",
        "shipped_thresholds.py --people 2 --images 160 --output {out}/thresholds.json",
        "small_photographs.py {cache}/photographs --images 12 --sizes 24 --recognizer sface --output {out}",
        "video_search.py --upscalers bicubic --lr_sizes 16 --frames 1 2 --resamples 20 --output {out}",
        "many_processes.py canny 2x1",
        "draw_strip.py {out}/strip.png sface",
    ],
)
def test_a_benchmark_runs(cache: Path, tmp_path: Path, command: str) -> None:
    script, *flags = command.format(cache=cache, out=tmp_path).split()
    variables = os.environ | {"LOWRES_JAX_CACHE": str(cache), "JAX_COMPILATION_CACHE_DIR": str(cache / "compiled")}
    done = subprocess.run(
        [sys.executable, f"benchmarks/{script}", *flags], cwd=ROOT, env=variables, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-4000:]
    assert done.stdout.strip() or script == "draw_strip.py"
    assert "Traceback" not in done.stderr
