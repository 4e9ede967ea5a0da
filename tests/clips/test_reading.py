"""Clips that are whole, turned, cut off, or no clips.

Covers `clips/clock.py` too.
"""

import shutil
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from made_clips import BARS, bars, make, turned
from PIL import Image

from lowres_jax.clips.color import upright
from lowres_jax.clips.reading import Frame, clips_in, open_clip, open_frames
from lowres_jax.clips.writing import writing
from lowres_jax.errors import UserError


def pictures(count: int, height: int = 48, width: int = 64) -> list[np.ndarray]:
    """Frames that grow brighter, the left half red."""
    made = []
    for number in range(count):
        frame = np.full((height, width, 3), 5 * number, np.uint8)
        frame[:, : width // 2, 0] = 200
        made.append(frame)
    return made


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    """Thirty frames, 25 a second."""
    path = tmp_path / "clip.mp4"
    with writing(path, 25.0) as write:
        for number, pixels in enumerate(pictures(30)):
            write(Frame(number, number / 25, pixels), pixels)
    return path


def test_what_is_written_is_read(clip: Path) -> None:
    opened = open_clip(clip)
    assert (opened.rate, opened.frames) == (pytest.approx(25.0), 30)
    frames = list(opened.read())
    assert [frame.number for frame in frames] == list(range(30))
    np.testing.assert_allclose([frame.seconds for frame in frames], np.arange(30) / 25, atol=1e-3)
    for frame, pixels in zip(frames, pictures(30), strict=True):
        # H.264 keeps smooth areas within a few levels; colors have half the resolution.
        np.testing.assert_allclose(frame.pixels[:, 4:28], pixels[:, 4:28], atol=8)
    assert opened.problem == ""


def test_a_part_of_it(clip: Path) -> None:
    opened = open_clip(clip)
    assert [frame.number for frame in opened.read(0.19, 0.41)] == [5, 6, 7, 8, 9, 10]
    assert opened.expected(0.2, 0.4) == 5
    assert opened.expected(0.0, None) == 30
    assert opened.expected(1.0, 99.0) == 5


def test_its_times_are_its_own(tmp_path: Path) -> None:
    """A variable frame rate, as telephones have it."""
    path, times = tmp_path / "clip.mp4", [0.0, 0.04, 0.1, 0.5, 0.52]
    with writing(path, 25.0) as write:
        for number, (seconds, pixels) in enumerate(zip(times, pictures(5), strict=True)):
            write(Frame(number, seconds, pixels), pixels)
    np.testing.assert_allclose([frame.seconds for frame in open_clip(path).read()], times, atol=1e-3)


def test_seconds_count_from_the_first_frame(tmp_path: Path) -> None:
    """The clock of this clip begins at four seconds."""
    path = tmp_path / "clip.mkv"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=25)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        for number, pixels in enumerate(pictures(10)):
            picture = av.VideoFrame.from_ndarray(pixels, format="rgb24")
            picture.pts, picture.time_base = 100 + number, Fraction(1, 25)
            container.mux(stream.encode(picture))
        container.mux(stream.encode())
    with av.open(str(path)) as container:
        assert next(container.decode(video=0)).time == pytest.approx(4.0, abs=1e-3)
    np.testing.assert_allclose([frame.seconds for frame in open_clip(path).read()], np.arange(10) / 25, atol=1e-3)


def test_a_clock_that_begins_anew_goes_on(tmp_path: Path) -> None:
    """Two recordings joined, as `cat a.ts b.ts` does: the second one follows the first."""
    one, two = make(tmp_path / "one.ts", np.arange(37) / 25), make(tmp_path / "two.ts", np.arange(38) / 25)
    joined = tmp_path / "joined.ts"
    joined.write_bytes(one.read_bytes() + two.read_bytes())
    opened = open_clip(joined)
    np.testing.assert_allclose([frame.seconds for frame in opened.read()], np.arange(75) / 25, atol=1e-3)
    assert (opened.frames, opened.problem) == (75, "")
    assert opened.seconds == pytest.approx(3.0)


def test_as_browsers_record(tmp_path: Path) -> None:
    """A variable rate in milliseconds, which FFmpeg takes for 1,000 frames a second."""
    steps = np.random.default_rng(1).choice([0.033, 0.034, 0.05, 0.017, 0.067], 40)
    times = np.concatenate([[0.0], np.cumsum(steps)])
    opened = open_clip(make(tmp_path / "a.webm", times, codec="libvpx", matrix=None))
    np.testing.assert_allclose([frame.seconds for frame in opened.read()], times, atol=1e-3)
    assert opened.rate == pytest.approx(40 / times[-1], rel=1e-2)
    assert (opened.frames, opened.expected(0.0, None), opened.problem) == (41, 41, "")


def test_a_gap_is_in_time_and_in_no_rate(tmp_path: Path) -> None:
    times = [*np.arange(20) / 20, *(9.0 + np.arange(20) / 20)]
    opened = open_clip(make(tmp_path / "a.mp4", times))
    np.testing.assert_allclose([frame.seconds for frame in opened.read()], times, atol=1e-3)
    assert opened.rate == pytest.approx(20.0)


def test_sound_that_is_longer_is_no_early_end(tmp_path: Path) -> None:
    opened = open_clip(make(tmp_path / "a.mkv", np.arange(50) / 25, sound="aac", sound_seconds=6.0))
    assert len(list(opened.read())) == 50
    assert opened.problem == ""
    assert opened.seconds == pytest.approx(2.0)


@pytest.mark.parametrize(("name", "rate"), [("a.mkv", 24), ("b.mkv", 2), ("a.ts", 1)])
def test_a_clock_that_begins_late_or_is_slow_is_no_early_end(tmp_path: Path, name: str, rate: float) -> None:
    """Matroska's duration counts from 0; the last frame of a transport stream has no length of its own."""
    opened = open_clip(make(tmp_path / name, np.arange(4 * rate) / rate, offset=10.0))
    assert (len(list(opened.read())), opened.problem) == (4 * rate, "")


@pytest.mark.parametrize(
    ("rate", "every", "step"), [(25, 5, 5), (25, 20, 12), (5, 5, 2), (4, 5, 2), (2, 5, 1), (1, 5, 1), (1000, 5, 5)]
)
def test_of_slow_clips_more_frames_are_looked_at(tmp_path: Path, rate: float, every: int, step: int) -> None:
    assert open_frames(tmp_path, [tmp_path / "1.jpg"], rate).step(every) == step


@pytest.mark.parametrize(
    ("matrix", "aspect", "full"), [(1, None, False), (6, None, False), (None, Fraction(64, 45), False), (1, None, True)]
)
def test_colors_and_shape(tmp_path: Path, matrix: int | None, aspect: Fraction | None, full: bool) -> None:
    path = make(tmp_path / "a.mp4", [0.0, 0.04], matrix=matrix, aspect=aspect, full=full)
    frame = next(open_clip(path).read())
    np.testing.assert_allclose(bars(frame.pixels), BARS, atol=2)
    assert frame.pixels.shape == (128, 319 if aspect else 224, 3)


def test_hd_without_tags_is_bt709(tmp_path: Path) -> None:
    path = make(tmp_path / "a.mp4", [0.0], height=720, width=1280)
    content = path.read_bytes()
    # The tags are in the header of MP4 (`colr`) and in that of H.264, which decoders use.
    with av.open(str(path)) as container:
        frame = next(container.decode(video=0))
    assert int(frame.colorspace) == 1
    frame.colorspace = 2
    np.testing.assert_allclose(bars(upright(frame)), BARS, atol=2)
    assert content[4:8] == b"ftyp"


@pytest.mark.parametrize("across", [-1, 1])
@pytest.mark.parametrize("down", [-1, 1])
@pytest.mark.parametrize("transposed", [False, True])
def test_turned_and_mirrored_as_telephones_do(tmp_path: Path, across: int, down: int, transposed: bool) -> None:
    """(x, y) is shown at (a x + c y, b x + d y) (ISO/IEC 14496-12, 6.2.2)."""
    path = make(tmp_path / "a.mp4", [0.5])
    plain = next(open_clip(path).read()).pixels
    turned(path, (0, down, across, 0) if transposed else (across, 0, 0, down))
    found = next(open_clip(path).read()).pixels
    expected = plain.swapaxes(0, 1) if transposed else plain
    np.testing.assert_array_equal(found, expected[::down, ::across])


def test_names_with_colons_are_files(tmp_path: Path) -> None:
    path = make(tmp_path / "http:cam 1:2.mp4", [0.0, 0.04])
    assert open_clip(path).frames == 2


def test_large_frames_are_refused_before_they_are_decoded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = make(tmp_path / "a.mp4", [0.0])
    monkeypatch.setattr(av.container.InputContainer, "decode", lambda *_: pytest.fail("decoded"), raising=False)
    with pytest.raises(UserError, match="frames of 224x128 pixels are too large"):
        open_clip(path, most_pixels=10_000)


def test_a_clip_that_ends_early_is_used_as_far_as_it_goes(tmp_path: Path) -> None:
    path = tmp_path / "whole.ts"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=25)
        stream.width, stream.height, stream.pix_fmt = 320, 240, "yuv420p"
        generator = np.random.default_rng(0)
        for _ in range(100):
            noise = generator.integers(0, 255, (240, 320, 3), np.uint8)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(noise, format="rgb24")))
        container.mux(stream.encode())
    content = path.read_bytes()
    cut = tmp_path / "cut.mkv"
    # In a container that keeps its length at the beginning.
    with av.open(str(path)) as source, av.open(str(tmp_path / "whole.mkv"), "w") as target:
        stream = target.add_stream_from_template(source.streams.video[0])
        for packet in source.demux(video=0):
            if packet.dts is not None:
                packet.stream = stream
                target.mux(packet)
    content = (tmp_path / "whole.mkv").read_bytes()
    cut.write_bytes(content[: len(content) // 2])
    opened = open_clip(cut)
    count = len(list(opened.read()))
    assert 20 < count < 80
    assert opened.problem.startswith("ends early, after ")
    assert " of 4." in opened.problem or f" {count} frames" in opened.problem
    assert opened.problem.endswith("what comes before is used")


def test_no_clips(clip: Path, tmp_path: Path) -> None:
    text, empty, still, cut = (tmp_path / name for name in ("text.mp4", "empty.mp4", "still.mp4", "cut.mp4"))
    text.write_text("no clip")
    empty.write_bytes(b"")
    Image.new("RGB", (8, 8)).save(tmp_path / "still.png")
    shutil.copy(tmp_path / "still.png", still)
    # An MP4's table of contents stands at its end.
    cut.write_bytes(clip.read_bytes()[:-200])
    for path in (text, empty, cut):
        with pytest.raises(UserError, match="cannot be read as a clip"):
            open_clip(path)
    with pytest.raises(UserError, match="is a still picture with a clip's name"):
        open_clip(still)
    with pytest.raises(UserError, match="No such file"):
        open_clip(tmp_path / "nowhere.mp4")


def test_sound_alone_is_no_clip(tmp_path: Path) -> None:
    path = tmp_path / "sound.mp4"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("aac", rate=16000)
        stream.layout = "mono"
        samples = np.zeros((1, 1024), np.int16)
        frame = av.AudioFrame.from_ndarray(samples, format="s16", layout="mono")
        frame.sample_rate, frame.pts = 16000, 0
        container.mux(stream.encode(frame))
        container.mux(stream.encode())
    with pytest.raises(UserError, match="has no video stream"):
        open_clip(path)


def test_numbered_frames(tmp_path: Path) -> None:
    paths = []
    for number, pixels in enumerate(pictures(4)):
        paths.append(tmp_path / f"{number}.png")
        Image.fromarray(pixels).save(paths[-1])
    opened = open_frames(tmp_path, paths, rate=10.0)
    frames = list(opened.read())
    assert [frame.seconds for frame in frames] == [0.0, 0.1, 0.2, 0.3]
    np.testing.assert_array_equal(frames[3].pixels, pictures(4)[3])
    Image.new("RGB", (8, 8)).save(paths[2])
    assert len(list(opened.read())) == 2
    assert opened.problem == "2.png has another size than the frames before it, which are used"
    paths[1].write_bytes(b"")
    assert len(list(opened.read())) == 1
    assert "1.png" in opened.problem
    with pytest.raises(UserError, match="has no frames"):
        open_frames(tmp_path, [], 10.0)


def test_clips_of_a_folder(clip: Path, tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("")
    (tmp_path / ".hidden").mkdir()
    shutil.copy(clip, tmp_path / ".hidden" / "a.mp4")
    (tmp_path / "below").mkdir()
    shutil.copy(clip, tmp_path / "below" / "B.MOV")
    assert clips_in(tmp_path) == [tmp_path / "below" / "B.MOV", clip]
    assert clips_in(clip) == [clip]
    assert clips_in(tmp_path / "notes.txt") == []
