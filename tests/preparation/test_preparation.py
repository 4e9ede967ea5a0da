"""Preparation and reading of data sets: what is written, by whom it can be read, and what bad input does.

Covers `localization/sharpness.py`, `preparation/builders/aligned_faces.py`, `preparation/builders/casia_webface.py`,
`preparation/builders/orl_faces.py`, `preparation/builders/people.py`, `preparation/builders/video_frames.py` too.
"""

import contextlib
import io
import json
import runpy
import signal
import struct
import subprocess
import sys
import tarfile
from pathlib import Path

import cv2
import numpy as np
import pytest
import skimage.data
from signalled import run_signalled

from lowres_jax.data import images
from lowres_jax.data.records import open_records
from lowres_jax.errors import UserError
from lowres_jax.localization import align
from lowres_jax.localization.sharpness import variance_of_laplacian
from lowres_jax.preparation import sources
from lowres_jax.tasks import prepare as tasks_prepare

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]


def prepare(config: str, data_dir: Path, **settings: object) -> str:
    """Runs the preparation of a config file with other settings; returns what it printed."""
    values = runpy.run_path(str(ROOT / "configs" / f"prepare_{config}.py"))["get_config"]()
    with values.unlocked():
        values.update({"data_dir": str(data_dir)} | settings)
    output = io.StringIO()
    with contextlib.redirect_stdout(output):
        tasks_prepare.run(values, data_dir)
    return output.getvalue()


def write_face(path: Path, mirrored: bool = False) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    face = skimage.data.astronaut()[20:220, 120:320]
    cv2.imwrite(str(path), (face[:, ::-1] if mirrored else face)[..., ::-1])


@pytest.fixture(scope="module")
def lfw_folder(tmp_path_factory) -> Path:
    """LFW's layout: two people with a face, pictures without one, and every kind of unreadable file."""
    folder = tmp_path_factory.mktemp("lfw")
    write_face(folder / "lfw" / "Ann_Astronaut" / "Ann_Astronaut_0001.png")
    write_face(folder / "lfw" / "Ann_Astronaut" / "Ann_Astronaut_0002.png", mirrored=True)
    other = folder / "lfw" / "Bob_Blank"
    other.mkdir()
    cv2.imwrite(str(other / "Bob_Blank_0001.png"), np.full((250, 250, 3), 90, np.uint8))
    cv2.imwrite(str(other / "Bob_Blank_0002.png"), np.full((1, 1), 90, np.uint8))
    cv2.imwrite(str(other / "Bob_Blank_0003.png"), np.full((20, 2000), 40000, np.uint16))
    cv2.imwrite(str(other / "Bob_Blank_0004.png"), np.full((50, 50, 4), 255, np.uint8))
    (other / "Bob_Blank_0005.jpg").write_bytes(b"")
    (other / "Bob_Blank_0006.jpg").write_text("a text")
    _, jpeg = cv2.imencode(".jpg", np.random.default_rng(0).integers(0, 255, (80, 80, 3), np.uint8))
    (other / "Bob_Blank_0007.jpg").write_bytes(jpeg.tobytes()[:2000])
    (folder / "pairs.txt").write_text(
        "2\t1\nAnn_Astronaut\t1\t2\nAnn_Astronaut\t1\tBob_Blank\t1\nBob_Blank\t1\t2\nAnn_Astronaut\t2\tBob_Blank\t3\n"
    )
    return folder


@pytest.fixture(scope="module")
def prepared(lfw_folder, tmp_path_factory) -> tuple[Path, str]:
    data_dir = tmp_path_factory.mktemp("datasets")
    output = prepare("lfw", data_dir, source=str(lfw_folder / "lfw"))
    return data_dir / "lfw" / "mtcnn", output


def test_every_readable_picture_has_its_record(prepared, lfw_folder):
    directory, output = prepared
    source = open_records(directory)

    assert source.sources == [
        *("Ann_Astronaut/Ann_Astronaut_0001.png", "Ann_Astronaut/Ann_Astronaut_0002.png"),
        *(f"Bob_Blank/Bob_Blank_000{number}.png" for number in (1, 2, 3, 4)),
    ]
    assert source.labels.tolist() == [0, 0, 1, 1, 1, 1]
    assert source.names.tolist() == ["Ann_Astronaut"] * 2 + ["Bob_Blank"] * 4
    assert source.detected.tolist() == [True, True, False, False, False, False]
    assert "6 records of 2 people" in output
    assert "no face found in 4, center crops: Bob_Blank/Bob_Blank_0001.png" in output
    assert "not readable, left out: 3: Bob_Blank/Bob_Blank_0005.jpg: the file is empty" in output
    summary = json.loads((source.directory / "preparation.json").read_text())
    assert [line.split(":")[0] for line in summary["unreadable"]] == [
        f"Bob_Blank/Bob_Blank_000{number}.jpg" for number in (5, 6, 7)
    ]


def test_a_record_holds_the_aligned_crop_and_how_it_was_made(prepared, lfw_folder):
    source = open_records(prepared[0])
    photograph = images.read_image(lfw_folder / "lfw" / "Ann_Astronaut" / "Ann_Astronaut_0001.png")

    record = source[0]

    assert record["has_landmarks"]
    assert record["detector"] == "mtcnn"
    assert record["score"] > 0.99
    crop = align.align(photograph, record["landmarks"])
    np.testing.assert_array_equal(record["image"], images.to_uint8(crop))
    assert record["sharpness"] == pytest.approx(variance_of_laplacian(crop), rel=1e-5)
    # The astronaut's face, whose place in the whole picture is known, 120 and 20 pixels nearer the corner.
    np.testing.assert_allclose(record["box"], [62, 44, 145, 151], atol=4)
    blank = source[2]
    assert not blank["detected"]
    assert not blank["has_landmarks"]
    assert blank["landmarks"].tolist() == np.zeros((5, 2)).tolist()
    assert (blank["image"] == 90).all()


def test_pairs_travel_with_the_set(prepared):
    pairs = open_records(prepared[0]).pairs("view2")

    assert pairs.first.tolist() == [0, 0, 2, 1]
    assert pairs.second.tolist() == [1, 2, 3, 4]
    assert pairs.same.tolist() == [True, False, True, False]
    assert pairs.fold.tolist() == [0, 0, 1, 1]


@pytest.mark.filterwarnings("ignore:label.. is deprecated:DeprecationWarning")  # TFDS's use of protobuf 6
def test_tfds_itself_reads_the_same(prepared):
    import tensorflow_datasets as tfds

    source = open_records(prepared[0])
    builder = tfds.builder_from_directory(str(source.directory))

    examples = list(tfds.as_numpy(builder.as_dataset(split="test")))

    assert [example["name"].decode() for example in examples] == source.names.tolist()
    for index, example in enumerate(examples):
        np.testing.assert_array_equal(example["image"], source[index]["image"])
        np.testing.assert_array_equal(example["landmarks"], source[index]["landmarks"])


def test_reading_does_not_import_tensorflow(prepared):
    script = (
        "import sys; from pathlib import Path; from lowres_jax.data import pipeline, records\n"
        f"source = records.open_records(Path({str(prepared[0])!r}))\n"
        "assert len(next(pipeline.batches(source, 4, seed=0))['label']) == 4\n"
        "assert 'tensorflow' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", script], check=True, cwd=ROOT)


def test_prepared_twice_is_read_and_other_settings_are_refused(prepared, lfw_folder):
    data_dir = prepared[0].parents[1]
    source = str(lfw_folder / "lfw")

    assert "prepared already, 6 records" in prepare("lfw", data_dir, source=source)
    with pytest.raises(UserError, match=r"prepared already with other settings \(rule\)"):
        prepare("lfw", data_dir, source=source, rule="largest")


def test_other_pairs_are_other_settings(prepared, lfw_folder, tmp_path):
    data_dir, source = prepared[0].parents[1], str(lfw_folder / "lfw")
    text = (lfw_folder / "pairs.txt").read_text()
    (tmp_path / "pairs.txt").write_text(text)
    assert "prepared already" in prepare("lfw", data_dir, source=source, pairs=str(tmp_path))
    (tmp_path / "pairs.txt").write_text(text.replace("Bob_Blank\t3", "Bob_Blank\t2"))
    with pytest.raises(UserError, match=r"prepared already with other settings \(pairs\)"):
        prepare("lfw", data_dir, source=source, pairs=str(tmp_path))


def test_a_full_disk_while_records_are_written_is_one_line_and_leaves_nothing(tmp_path):
    for number in range(12):
        write_face(tmp_path / "faces" / f"{number % 3}" / f"{number}.png")
    # No file may grow over 100 kB: to the program that is a disk that is full; a crop takes 20 kB.
    limit = "import resource, signal, sys; signal.signal(signal.SIGXFSZ, signal.SIG_IGN); "
    limit += "resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000)); "
    command = ["--config=configs/prepare_casia_webface.py", "--config.detector=haar", "--config.image_format=png"]
    command += [f"--config.source={tmp_path / 'faces'}", f"--config.data_dir={tmp_path / 'data'}"]
    script = limit + f"sys.argv[1:] = {command!r}; from lowres_jax.main import run; run()"
    ended = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, cwd=ROOT, check=False)
    assert ended.returncode == 1, ended.stderr
    assert "Traceback" not in ended.stderr
    (line,) = [line for line in ended.stderr.splitlines() if line.startswith("error: ")]
    assert "records cannot be written" in line
    assert list((tmp_path / "data").iterdir()) == []


def test_a_damaged_record_is_named(prepared, tmp_path):
    source = open_records(prepared[0])
    copy = tmp_path / "lfw" / "mtcnn" / "1.0.0"
    copy.mkdir(parents=True)
    for file in source.directory.iterdir():
        (copy / file.name).write_bytes(file.read_bytes())
    records = next(copy.glob("*.tfrecord-*"))
    content = bytearray(records.read_bytes())
    length = struct.unpack_from("<Q", content)[0]
    content[100] ^= 1
    records.write_bytes(content)

    damaged = open_records(copy.parent)
    with pytest.raises(UserError, match=r"tfrecord.*: record 0 is damaged .*overwrite=true"):
        damaged[0]
    assert damaged[1]["name"] == "Ann_Astronaut"
    records.write_bytes(content[: length + 30])
    with pytest.raises(UserError, match=r"damaged at byte .*: the file ends within it"):
        open_records(copy)
    content[3] ^= 1
    records.write_bytes(content)
    with pytest.raises(UserError, match=r"damaged at byte 0 .*: its length is wrong"):
        open_records(copy)
    records.write_bytes(b"")
    with pytest.raises(UserError, match="0 records, but 6 were written; a file was cut short"):
        open_records(copy)
    records.unlink()
    with pytest.raises(UserError, match="1 of 1 files of records are missing, tfrecord-00000-of-00001"):
        open_records(copy)


def test_a_set_that_is_not_prepared_names_the_command(tmp_path):
    with pytest.raises(UserError, match="no prepared data set; run: lowres-jax prepare_orl_faces"):
        open_records(tmp_path / "orl_faces" / "mtcnn")


@pytest.mark.parametrize(
    ("config", "settings", "message"),
    [
        ("lfw", {}, "config.source is empty: where is LFW?"),
        ("lfw", {"source": "/nowhere/lfw.tgz"}, "/nowhere/lfw.tgz: no such file or folder"),
        ("lfw", {"source": "{folder}/empty"}, "{folder}/empty: "),
        ("lfw", {"source": "{folder}/faces"}, "pairs.txt: no such file"),
        ("lfw", {"source": "{folder}/text.tgz"}, "text.tgz: not a readable archive, tar or zip"),
        ("casia_webface", {"source": "{folder}/broken"}, "not one of 1 pictures could be read: a/1.png"),
        ("orl_faces", {"detector": "yolo"}, "config.detector=yolo: (valid: mtcnn, haar)"),
        (
            "orl_faces",
            {"rule": "first"},
            "config.rule=first: did you mean 'largest'? (valid: highest_score",
        ),
        ("orl_faces", {"image_format": "gif"}, "config.image_format=gif: (valid: png, jpeg)"),
        ("orl_faces", {"crop_size": 4}, "config.crop_size=4: must be a whole number, from 16 to 1,024"),
        ("orl_faces", {"builder": "orl"}, "config.builder='orl': no such data set"),
        ("orl_faces", {"source": "{folder}/faces"}, "{folder}/faces: no ORL faces"),
    ],
)
def test_bad_settings_are_one_line_and_leave_nothing(config, settings, message, tmp_path):
    (tmp_path / "empty").mkdir()
    write_face(tmp_path / "faces" / "a" / "a_0001.png")
    (tmp_path / "text.tgz").write_text("no archive")
    (tmp_path / "broken" / "a").mkdir(parents=True)
    (tmp_path / "broken" / "a" / "1.png").write_text("no picture")
    settings = {
        key: value.format(folder=tmp_path) if isinstance(value, str) else value for key, value in settings.items()
    }

    with pytest.raises(UserError) as raised:
        prepare(config, tmp_path / "data", **settings)

    assert message.format(folder=tmp_path) in str(raised.value)
    assert "\n" not in str(raised.value)
    assert not list((tmp_path / "data").glob("*"))


@pytest.mark.parametrize(
    ("signal_number", "status", "collecting"),
    [(signal.SIGTERM, 143, False), pytest.param(signal.SIGINT, 130, True, marks=pytest.mark.whole)],
)
def test_an_interrupted_preparation_leaves_nothing_that_looks_complete(tmp_path, signal_number, status, collecting):
    for number in range(200):
        write_face(tmp_path / "faces" / f"{number % 7}" / f"{number}.png")

    ended = run_signalled(
        "--config=configs/prepare_casia_webface.py",
        f"--config.source={tmp_path / 'faces'}",
        f"--config.data_dir={tmp_path / 'data'}",
        place="lowres_jax.preparation.alignment:record",
        calls=70,
        signal_number=signal_number,
        collecting=collecting,
    )

    assert ended.status == status
    assert "Traceback" not in ended.error
    assert ended.error.rstrip().endswith("complete results are kept")
    assert list((tmp_path / "data").iterdir()) == []


def test_casia_as_an_archive_in_jpeg(tmp_path):
    for number, mirrored in ((1, False), (2, True)):
        write_face(tmp_path / "casia" / "0000045" / f"00{number}.png", mirrored)
    write_face(tmp_path / "casia" / "0000100" / "001.png")
    with tarfile.open(tmp_path / "casia.tgz", "w:gz") as archive:
        archive.add(tmp_path / "casia", "CASIA-WebFace")

    prepare("casia_webface", tmp_path, source=str(tmp_path / "casia.tgz"), crop_size=112)

    source = open_records(tmp_path / "casia_webface" / "mtcnn_112_jpeg")
    assert sorted(zip(source.sources, source.labels.tolist(), strict=True)) == [
        ("0000045/001.png", 0),
        ("0000045/002.png", 0),
        ("0000100/001.png", 1),
    ]
    one, mirrored = (source[source.sources.index(f"0000045/00{number}.png")]["image"] for number in (1, 2))
    assert one.shape == (112, 112, 3)
    # The same face, found twice; landmarks of a mirrored face differ by a pixel or so.
    assert np.abs(one.astype(int) - mirrored[:, ::-1]).mean() < 16


def test_insightface_record_io(tmp_path):
    crops = [np.full((112, 112, 3), shade, np.uint8) for shade in (50, 100, 150)]
    labels = [7, 7, 12]
    content, index = bytearray(), []

    def add(key: int, payload: bytes) -> None:
        index.append(f"{key}\t{len(content)}\n")
        content.extend(struct.pack("<II", 0xCED7230A, len(payload)) + payload + bytes(-len(payload) % 4))

    # Record 0 announces pictures 1 to 3; then lists of people follow.
    add(0, struct.pack("<IfQQ", 2, 0, 0, 0) + struct.pack("<ff", 4, 6))
    for key, (crop, label) in enumerate(zip(crops, labels, strict=True), start=1):
        _, picture = cv2.imencode(".jpg", crop)
        add(key, struct.pack("<IfQQ", 0, label, key, 0) + picture.tobytes())
    add(4, struct.pack("<IfQQ", 2, 0, 4, 0) + struct.pack("<ff", 1, 3))
    (tmp_path / "train.rec").write_bytes(content)
    (tmp_path / "train.idx").write_text("".join(index))

    prepare("casia_webface", tmp_path, source=str(tmp_path))

    source = open_records(tmp_path / "casia_webface" / "mtcnn_jpeg")
    assert source.names.tolist() == ["0000007", "0000007", "0000012"]
    assert source.labels.tolist() == [0, 0, 1]
    assert source[0]["detector"] == "aligned"
    assert [round(float(source[index]["image"].mean())) for index in range(3)] == [50, 100, 150]
    (tmp_path / "train.rec").write_bytes(content[:-200])
    with pytest.raises(UserError, match=r"train\.rec: not InsightFace's RecordIO, or truncated"):
        list(sources.open_photographs(tmp_path).read())


def test_an_aligned_crop_only_changes_its_size():
    gradient = np.tile(np.linspace(0, 1, 112, dtype=np.float32)[:, None, None], (1, 112, 3))

    crop = align.align(gradient, align.TEMPLATE, 128)

    expected = np.interp((np.arange(128) * 112 / 128), np.arange(112), gradient[:, 0, 0])
    np.testing.assert_allclose(crop[:, 64, 0], expected, atol=2e-3)
