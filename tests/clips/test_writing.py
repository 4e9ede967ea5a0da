"""Written clips: sound goes along, and nothing half-written stays.

Covers `clips/sound.py` too.
"""

import resource
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from made_clips import BARS, bars, flashes, make, tones

from lowres_jax.clips.reading import Frame, open_clip
from lowres_jax.clips.writing import writing
from lowres_jax.errors import UserError


def frame(number: int, height: int = 48, width: int = 64) -> Frame:
    return Frame(number, number / 25, np.full((height, width, 3), 100, np.uint8))


@pytest.fixture
def with_sound(tmp_path: Path) -> Path:
    """Two seconds of gray with a tone of 1,000 hertz."""
    path = tmp_path / "sound.mp4"
    with av.open(str(path), "w") as container:
        video = container.add_stream("libx264", rate=25)
        video.width, video.height, video.pix_fmt = 64, 48, "yuv420p"
        audio = container.add_stream("aac", rate=16000)
        audio.layout = "mono"
        for number in range(50):
            container.mux(video.encode(av.VideoFrame.from_ndarray(frame(number).pixels, format="rgb24")))
        container.mux(video.encode())
        for number in range(31):
            times = (np.arange(1024) + 1024 * number) / 16000
            tone = (8000 * np.sin(2 * np.pi * 1000 * times)).astype(np.int16)[None]
            samples = av.AudioFrame.from_ndarray(tone, format="s16", layout="mono")
            samples.sample_rate, samples.pts = 16000, 1024 * number
            container.mux(audio.encode(samples))
        container.mux(audio.encode())
    return path


def heard(path: Path) -> np.ndarray:
    with av.open(str(path)) as container:
        return np.concatenate([each.to_ndarray()[0] for each in container.decode(audio=0)])


def test_the_sound_goes_along(with_sound: Path, tmp_path: Path) -> None:
    path = tmp_path / "out.mp4"
    with writing(path, 25.0, open_clip(with_sound), comment="made") as write:
        for each in open_clip(with_sound).read():
            write(each, each.pixels)
    np.testing.assert_array_equal(heard(path), heard(with_sound))
    with av.open(str(path)) as container:
        assert container.metadata["comment"] == "made"


def test_of_a_part_the_part_of_the_sound(with_sound: Path, tmp_path: Path) -> None:
    path = tmp_path / "out.mp4"
    with writing(path, 25.0, open_clip(with_sound), start=0.4) as write:
        for each in open_clip(with_sound).read(0.4, 1.2):
            write(each, each.pixels)
    # .8 seconds of 16,000 samples each, in packets of 1,024.
    assert abs(len(heard(path)) - 12_800) <= 2048
    assert [round(each.seconds, 2) for each in open_clip(path).read()][:3] == [0.0, 0.04, 0.08]
    # And it begins with the picture, not .4 s later.
    with av.open(str(path)) as container:
        times = [float(each.time) for each in container.decode(audio=0)]
    assert abs(times[0]) <= 1024 / 16_000
    assert abs(times[-1] - 0.8) <= 2048 / 16_000


WAYS: dict[str, dict[str, Any]] = {
    "plain.mp4": {},
    "bt601.mp4": {"matrix": 6},
    "untagged.mp4": {"matrix": None, "sound": "aac"},
    "pixels.mp4": {"aspect": Fraction(8, 7)},
    "offset.ts": {"sound": "aac", "offset": 10.0},
    "offset14.ts": {"sound": "mp2", "offset": 1.4},
    "alaw.mov": {"sound": "pcm_alaw"},
    "s16.mov": {"sound": "pcm_s16le"},
    "u8.avi": {"sound": "pcm_u8", "codec": "mpeg4"},
    "flac.mkv": {"sound": "flac"},
    "long.mkv": {"sound": "ac3", "sound_seconds": 5.0},
    "browser.webm": {"codec": "libvpx", "matrix": None},
}


@pytest.mark.parametrize("name", WAYS)
def test_what_is_written_is_its_source(name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Duration, sound against a flash, colors within 2 of 255, size."""
    times = np.arange(55) / 25
    if name == "browser.webm":
        times = np.cumsum(np.random.default_rng(2).choice([0.02, 0.033, 0.067], 55)) - 0.02
    source = open_clip(make(tmp_path / name, times, **WAYS[name]))
    path = tmp_path / "out.mp4"
    with writing(path, source.rate, source) as write:
        for each in source.read():
            write(each, each.pixels)
    made = open_clip(path)
    assert made.seconds == pytest.approx(source.seconds, abs=0.02)
    assert (made.frames, made.problem, source.problem) == (55, "", "")
    np.testing.assert_allclose(flashes(made), flashes(source), atol=2e-3)
    assert len(flashes(made)) == 3
    one, other = next(source.read()).pixels, next(made.read()).pixels
    assert one.shape == other.shape
    np.testing.assert_allclose(bars(other), bars(one), atol=2)
    if "sound" in WAYS[name]:
        # A flash, and with it a tone: what the source has of it (a frame of sound is up to 26 ms), so has the copy.
        np.testing.assert_allclose(tones(path), flashes(made), atol=0.03)
    printed = capsys.readouterr().out
    encoded = name in ("alaw.mov", "s16.mov", "u8.avi", "flac.mkv", "offset14.ts")
    assert ("becomes AAC, as MP4 does not take it" in printed) == encoded


def test_colors_are_tagged_and_right_for_the_size(tmp_path: Path) -> None:
    source = open_clip(make(tmp_path / "a.mp4", [0.0, 0.04], matrix=6))
    for scale, matrix in ((1, 6), (8, 1)):
        path = tmp_path / f"{scale}.mp4"
        with writing(path, source.rate, source) as write:
            for each in source.read():
                write(each, each.pixels.repeat(scale, 0).repeat(scale, 1))
        with av.open(str(path)) as container:
            made = next(container.decode(video=0))
        # The matrix is that of the size, primaries and transfer are still the source's.
        assert (made.colorspace, made.color_primaries, made.color_trc, made.color_range) == (matrix, 6, 6, 1)
        np.testing.assert_allclose(bars(next(open_clip(path).read()).pixels), BARS, atol=3)


def test_sound_after_a_clock_that_begins_anew(tmp_path: Path) -> None:
    times = np.arange(25) / 25
    one, two = (make(tmp_path / f"{name}.ts", times, sound="aac", offset=1.4) for name in "ab")
    joined = tmp_path / "joined.ts"
    joined.write_bytes(one.read_bytes() + two.read_bytes())
    source, path = open_clip(joined), tmp_path / "out.mp4"
    with writing(path, source.rate, source) as write:
        for each in source.read():
            write(each, each.pixels)
    np.testing.assert_allclose(flashes(open_clip(path)), [0.0, 1.0], atol=2e-3)
    np.testing.assert_allclose(tones(path), [0.0, 1.0], atol=0.05)


def test_odd_sides_are_padded(tmp_path: Path) -> None:
    with writing(tmp_path / "odd.mp4", 25.0) as write:
        write(frame(0, 49, 63), frame(0, 49, 63).pixels)
    (read,) = open_clip(tmp_path / "odd.mp4").read()
    assert read.pixels.shape == (50, 64, 3)


def test_nothing_half_written_stays(tmp_path: Path) -> None:
    old = tmp_path / "clip.mp4"
    old.write_bytes(b"what was there")

    def broken() -> None:
        with writing(old, 25.0) as write:
            write(frame(0), frame(0).pixels)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        broken()
    assert old.read_bytes() == b"what was there"
    assert list(tmp_path.iterdir()) == [old]


def test_what_cannot_be_written_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match="cannot be written"), writing(tmp_path / "file" / "a.mp4", 25.0):
        pass
    with pytest.raises(UserError, match="no frame to write"), writing(tmp_path / "a.mp4", 25.0):
        pass
    assert [each.name for each in tmp_path.iterdir()] == ["file"]


def test_a_disk_that_fills(tmp_path: Path) -> None:
    path, random = tmp_path / "out.mp4", np.random.default_rng(0)
    path.write_bytes(b"the one before")
    before = resource.getrlimit(resource.RLIMIT_FSIZE)

    def noise() -> None:
        with writing(path, 25.0) as write:
            for number in range(100):
                write(frame(number), random.integers(0, 256, (240, 320, 3), np.uint8))

    try:
        # Files may have so many bytes: writing more fails as on a full disk.
        resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, before[1]))
        with pytest.raises(UserError, match=r"out\.mp4: cannot be written \(.*\); nothing of it is left"):
            noise()
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert path.read_bytes() == b"the one before"
    assert [each.name for each in tmp_path.iterdir()] == ["out.mp4"]
