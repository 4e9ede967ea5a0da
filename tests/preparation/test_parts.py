"""Sets that are read in parts, by other processes, and from a bucket.

Covers `preparation/buckets.py`, `preparation/photographs.py` too.
"""

import errno
import gzip
import io
import pickle
import struct
import tarfile
import zipfile
from collections.abc import Iterator
from pathlib import Path

import fsspec
import made_bucket
import pytest

from lowres_jax.errors import UserError
from lowres_jax.preparation import buckets, sources
from lowres_jax.preparation.photographs import Photographs

CONTENTS = {f"{person}/{number}.png": f"picture {person} {number}".encode() for person in "abc" for number in range(4)}


def write_source(folder: Path, kind: str) -> Path:
    """The pictures as a folder, an archive, or InsightFace's records."""
    path = folder / kind
    if kind == "folder":
        for name, content in CONTENTS.items():
            (path / name).parent.mkdir(parents=True, exist_ok=True)
            (path / name).write_bytes(content)
    elif kind == "faces.zip":
        with zipfile.ZipFile(path, "w") as archive:
            for name, content in CONTENTS.items():
                archive.writestr(name, content)
    elif kind == "train.rec":
        records, lines = b"", []
        for number, content in enumerate(CONTENTS.values()):
            payload = struct.pack("<IfQQ", 0, number // 4, number, 0) + content
            lines.append(f"{number}\t{len(records)}\n")
            records += struct.pack("<II", 0xCED7230A, len(payload)) + payload + b"\0" * (-len(payload) % 4)
        path.write_bytes(records)
        path.with_suffix(".idx").write_text("".join(lines))
    else:
        with tarfile.open(path, "w:gz" if kind == "faces.tgz" else "w") as archive:
            for name, content in CONTENTS.items():
                member = tarfile.TarInfo(f"set/{name}")
                member.size = len(content)
                archive.addfile(member, io.BytesIO(content))
    return path


def read(photographs: Photographs) -> list[tuple[str, str, bytes]]:
    return [(each.name, each.source, each.content) for each in photographs.read()]


@pytest.mark.parametrize("kind", ["folder", "faces.zip", "faces.tar", "faces.tgz", "train.rec"])
def test_parts_that_were_sent_give_what_the_whole_gives(tmp_path, kind):
    path = write_source(tmp_path, kind)

    whole = sources.open_photographs(path)
    parts = [pickle.loads(pickle.dumps(whole.part(start, start + 5))) for start in (0, 5, 10)]

    assert [content for _, _, content in read(whole)] == list(CONTENTS.values())
    assert [len(part.names) for part in parts] == [5, 5, 2]
    assert [each for part in parts for each in read(part)] == read(whole)
    assert all(part.aligned == whole.aligned == (kind == "train.rec") for part in parts)


def test_a_compressed_archive_is_decompressed_once_for_workers(tmp_path):
    path, folder = write_source(tmp_path, "faces.tgz"), tmp_path / "temporary"
    folder.mkdir()

    copy = sources.within_reach(str(path), folder, in_parts=True)

    assert Path(copy) == folder / "source.tar"
    assert Path(copy).read_bytes() == gzip.decompress(path.read_bytes())
    assert read(sources.open_photographs(copy)) == read(sources.open_photographs(path))
    # One process reads it as it is, and workers what can be read at any place.
    assert sources.within_reach(str(path), folder, in_parts=False) == str(path)
    for kind in ("folder", "faces.zip", "faces.tar", "train.rec"):
        path = str(write_source(tmp_path, kind))
        assert sources.within_reach(path, folder, in_parts=True) == path


@pytest.fixture
def bucket(monkeypatch, tmp_path) -> Iterator[None]:
    archive, records = write_source(tmp_path, "faces.tgz"), write_source(tmp_path, "train.rec")
    objects = {f"faces/{name}": content for name, content in CONTENTS.items()}
    objects |= {"faces/.hidden/x.png": b"hidden", "faces/notes.txt": b"no picture", "faces.tgz": archive.read_bytes()}
    objects |= {f"rec/{path.name}": path.read_bytes() for path in (records, records.with_suffix(".idx"))}
    with made_bucket.served(objects) as host:
        monkeypatch.setenv("STORAGE_EMULATOR_HOST", host)
        monkeypatch.setenv("NO_GCE_CHECK", "true")
        # Each test has a store of its own.
        fsspec.get_filesystem_class("gs").clear_instance_cache()
        yield


def test_a_bucket_gives_what_the_folder_gives(bucket, tmp_path):
    folder = sources.open_photographs(write_source(tmp_path, "folder"))

    found = sources.open_photographs("gs://open/faces")

    assert read(found) == read(folder)
    assert read(pickle.loads(pickle.dumps(found.part(3, 9)))) == read(folder)[3:9]
    assert found.remarks == [
        "gs://open/faces: 1 file is no picture that can be read, ignored: 1 .txt",
        "gs://open/faces: 1 hidden or system folder left out (as .thumbnails, @eaDir)",
    ]
    # One that vanishes meanwhile is unreadable; the others come.
    assert list(found.contents([*found.places[:1], "open/faces/gone.png"])) == [CONTENTS["a/0.png"], b""]
    assert sources.within_reach("gs://open/faces", tmp_path, in_parts=True) == "gs://open/faces"


def test_what_lies_in_a_bucket_in_one_piece_is_fetched(bucket, tmp_path):
    (tmp_path / "temporary").mkdir()
    expected = read(sources.open_photographs(tmp_path / "faces.tgz"))

    archive = sources.within_reach("gs://open/faces.tgz", tmp_path / "temporary", in_parts=False)
    records = sources.within_reach("gs://open/rec", tmp_path / "temporary", in_parts=False)

    assert read(sources.open_photographs(archive)) == expected
    assert [content for _, _, content in read(sources.open_photographs(records))] == list(CONTENTS.values())


def test_a_digest_tells_contents_apart(monkeypatch):
    digests = []
    for objects in ({"a/1.png": b"x"}, {"a/1.png": b"x"}, {"a/1.png": b"xx"}, {"a/2.png": b"x"}):
        with made_bucket.served(objects) as host:
            monkeypatch.setenv("STORAGE_EMULATOR_HOST", host)
            monkeypatch.setenv("NO_GCE_CHECK", "true")
            fsspec.get_filesystem_class("gs").clear_instance_cache()
            digests.append(buckets.digest("gs://open/a"))
    assert digests[0] == digests[1]
    assert len(set(digests)) == 3


@pytest.mark.parametrize(
    ("address", "message"),
    [
        ("gs://closed/faces", "no permission to read it .*gcloud auth application-default login"),
        ("gs://none/faces", "there is no such bucket, folder or file"),
        ("gs://open/empty", "no pictures there|there is no such bucket, folder or file"),
        ("s3://bucket/faces", "needs a package that is not installed .*s3fs"),
        ("zz://bucket/faces", "cannot be read .*zz"),
    ],
)
def test_a_bucket_that_cannot_be_read_is_one_line(bucket, tmp_path, address, message):
    with pytest.raises(UserError, match=f"^{address}: ({message}).*$"):
        sources.open_photographs(address)
    with pytest.raises(UserError, match=f"^{address}.tgz: ({message}).*$"):
        sources.within_reach(f"{address}.tgz", tmp_path, in_parts=False)


def test_a_full_disk_is_not_the_sources_fault(bucket, tmp_path, monkeypatch):
    path = str(write_source(tmp_path, "faces.tgz"))
    with pytest.raises(UserError, match=r"^/dev/full/source.tar: cannot be written"):
        sources.within_reach(path, Path("/dev/full"), in_parts=True)
    full = OSError(errno.ENOSPC, "No space left on device")

    async def get_file(self: object, *_: object, **__: object) -> None:
        raise full

    monkeypatch.setattr(fsspec.get_filesystem_class("gs"), "_get_file", get_file)
    with pytest.raises(UserError, match=r"^gs://open/faces.tgz: cannot be copied to this machine .No space left"):
        sources.within_reach("gs://open/faces.tgz", tmp_path, in_parts=False)
