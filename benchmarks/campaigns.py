"""Campaigns against the worst faults: wrong names, lost people, clips that are not their sources, errors of the page.

    python benchmarks/campaigns.py gallery --count 50      # a gallery's writer killed, beside a reader
    python benchmarks/campaigns.py clips --count 30        # clips of random clock, gaps, sound, colors; copied
    python benchmarks/campaigns.py archives --count 200    # damaged archives sent to the page

Prints what was wrong; the exit status is 1 if anything was.
"""

import argparse
import asyncio
import io
import json
import random
import signal
import subprocess
import sys
import tempfile
import time
import warnings
import zipfile
from collections import Counter
from collections.abc import Callable, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import httpx2
import numpy as np
from abuse import mutated, originals, served, tried
from made_clips import bars, flashes, make, tones

from lowres_jax.clips.reading import open_clip
from lowres_jax.clips.writing import writing
from lowres_jax.faces.reader import FaceView
from lowres_jax.localization.detector import Face
from lowres_jax.matching.kept_gallery import KeptGallery

PEOPLE, DIMENSION, MADE_BY = 400, 64, "campaign"
_PLACE = Face(np.zeros(4, np.float32), 1.0)


def face(person: int, version: int) -> FaceView:
    """A person's face in some version: near the person's center, as another photograph is."""
    center = np.random.default_rng(person).normal(size=DIMENSION)
    vector = center + 0.5 * np.random.default_rng((person, version)).normal(size=DIMENSION)
    return FaceView(_PLACE, 99, 0, (vector / np.linalg.norm(vector)).astype(np.float32))


def write_for_ever(folder: Path, log: Path, seed: int) -> None:
    """Enrolls, replaces and removes people until it is killed; notes what is begun and what is done."""
    draw, gallery = random.Random(seed), KeptGallery.open(folder, MADE_BY)
    with log.open("a") as notes:

        def note(**what: Any) -> None:
            notes.write(json.dumps(what) + "\n")
            notes.flush()

        for change in range(10**9):
            people = draw.sample(range(PEOPLE), draw.randint(1, 12))
            if draw.random() < 0.7:
                version = seed * 10**6 + change
                note(begun=people, version=version)
                gallery.add({f"p{person}": [face(person, version)] for person in people})
                note(done=people, version=version)
            else:
                people = [person for person in people if gallery.has(f"p{person}")]
                note(begun=people, version=None)
                if people:
                    gallery.remove([f"p{person}" for person in people])
                note(done=people, version=None)


def read_for_ever(folder: Path) -> None:
    """Searches people until it is killed; says every wrong name, and how many answers were right."""
    gallery, draw, answers = KeptGallery.open(folder, MADE_BY), random.Random(1), 0
    while True:
        person = draw.randrange(PEOPLE)
        probe = face(person, -1 % 10**9)
        for match in gallery.search(probe.template, 1, 0.65):
            # Versions of one person are alike to about .8; of two people hardly any pair to .6.
            if match.similarity > 0.65 and match.name != f"p{person}":
                print(f"wrong: p{person} was called {match.name} ({match.similarity:.2f})", flush=True)
        answers += 1
        if answers % 200 == 0:
            print(f"answers {answers}", flush=True)


def gallery(given: argparse.Namespace) -> list[str]:
    """Kills the writer at random moments; after each kill everybody is there, in the old version or the new one."""
    draw, wrong = random.Random(given.seed), list[str]()
    with tempfile.TemporaryDirectory() as name:
        folder, log = Path(name) / "people.gallery", Path(name) / "log.jsonl"
        made = KeptGallery.create(folder, MADE_BY, "campaign", DIMENSION)
        made.add({f"p{person}": [face(person, 0)] for person in range(PEOPLE)})
        known: dict[int, int | None] = dict.fromkeys(range(PEOPLE), 0)
        heard = Path(name) / "reader.txt"
        with heard.open("w") as output:
            reader = subprocess.Popen([sys.executable, __file__, "read", str(folder)], stdout=output, stderr=output)
        changes = 0
        for number in range(given.count):
            log.write_text("")
            writer = subprocess.Popen([sys.executable, __file__, "write", str(folder), str(log), str(number + 1)])
            while not log.read_text():
                time.sleep(0.01)
            time.sleep(draw.uniform(0.0, 1.0))
            writer.send_signal(signal.SIGKILL)
            writer.wait()
            notes = [json.loads(line) for line in log.read_text().splitlines() if line.endswith("}")]
            open_change: dict[str, Any] | None = None
            for note in notes:
                open_change = note if "begun" in note else None
                if "done" in note:
                    changes += 1
                    known |= dict.fromkeys(note["done"], note["version"])
            try:
                after = KeptGallery.open(folder, MADE_BY)
            except Exception as error:
                wrong.append(f"kill {number}: {error}")
                break
            found = {person: _version(after, person, known, open_change) for person in range(PEOPLE)}
            begun = open_change["begun"] if open_change else []
            news = {person: found[person] for person in begun}
            if open_change and begun and all(news[person] == open_change["version"] for person in begun):
                known |= news  # it had come to the point where it counts
            wrong += [
                f"kill {number}: p{person} is in version {found[person]}, not {known[person]}"
                for person in range(PEOPLE)
                if found[person] != known[person]
            ]
            if after.people != sum(version is not None for version in known.values()):
                wrong.append(f"kill {number}: {after.people} people")
        reader.kill()
        reader.wait()
        said = heard.read_text().splitlines()
        wrong += [line for line in said if not line.startswith("answers")]
        print(f"{given.count} kills, {changes} changes done; the reader: {said[-1] if said else 'no answer'}")
    return wrong


def _version(
    gallery: KeptGallery, person: int, known: dict[int, int | None], begun: dict[str, Any] | None
) -> int | None:
    """The version of a person that a gallery has; -1 for none of those that were written."""
    if not gallery.has(f"p{person}"):
        return None
    versions = {known[person], begun["version"] if begun and person in begun["begun"] else known[person]}
    for version in [each for each in versions if each is not None]:
        (match,) = gallery.search(face(person, version).template, 1, 2.0)
        if match.name == f"p{person}" and match.similarity > 0.9999:
            return version
    return -1


_KINDS: tuple[tuple[str, str, tuple[str | None, ...]], ...] = (
    ("mp4", "libx264", (None, "aac", "ac3")),
    ("mov", "libx264", ("aac", "pcm_s16le", "pcm_alaw", "pcm_mulaw")),
    ("mkv", "libx264", (None, "aac", "flac", "ac3")),
    ("ts", "libx264", (None, "aac", "mp2")),
    ("webm", "libvpx", (None,)),
    ("avi", "mpeg4", ("pcm_u8", "pcm_s16le")),
)


def clips(given: argparse.Namespace) -> list[str]:
    """Copies random clips; tells where a copy is not its source."""
    draw, wrong = random.Random(given.seed), list[str]()
    with tempfile.TemporaryDirectory() as name:
        for number in range(given.count):
            ending, codec, sounds = draw.choice(_KINDS)
            rate, sound = draw.choice((1, 2, 4, 12.5, 24, 25, 30, 60)), draw.choice(sounds)
            times = np.arange(round(rate * 4)) / rate
            if ending == "webm" or (draw.random() < 0.3 and ending in ("mp4", "mkv")):
                steps = [draw.choice((0.5, 1.0, 2.0)) / rate for _ in times]
                times = np.concatenate([[0.0], np.cumsum(steps[:-1])])
            if draw.random() < 0.3 and ending not in ("avi", "webm") and sound is None:
                times = times + np.where(np.arange(len(times)) > len(times) // 2, draw.uniform(2.0, 30.0), 0.0)
            if ending == "avi":
                times = np.arange(100) / 25  # the only clock that it knows
            path = Path(name) / f"{number:02}.{ending}"
            settings: dict[str, Any] = {
                "codec": codec,
                "sound": sound,
                "offset": draw.choice((0.0, 1.4, 10.0)) if ending in ("ts", "mkv") else 0.0,
                "aspect": draw.choice((None, None, Fraction(8, 7), Fraction(4, 5))) if codec == "libx264" else None,
                "matrix": draw.choice((1, 6, None)) if codec == "libx264" else None,
                "height": draw.choice((128, 256)),
            }
            told = f"{path.name}: {rate} a second, {settings}"
            joined = ending == "ts" and draw.random() < 0.4
            try:
                make(path, times.tolist(), **settings)
                if joined:
                    path.write_bytes(path.read_bytes() * 2)
                found = _differences(path)
            except Exception as error:
                found = [repr(error)]
            wrong += [f"{told}{', joined' if joined else ''}: {each}" for each in found]
            print(f"{told}{', joined' if joined else ''}: {found or 'the same'}", flush=True)
    return wrong


def _differences(path: Path) -> list[str]:
    source, copy = open_clip(path), path.with_name(f"{path.stem}_copy.mp4")
    with writing(copy, source.rate, source) as write:
        for frame in source.read():
            write(frame, frame.pixels)
    made = open_clip(copy)
    one, other = next(source.read()).pixels, next(made.read()).pixels
    at, copied = flashes(source), flashes(made)
    found = []
    if source.problem or made.problem:
        found.append(source.problem or made.problem)
    if abs(source.seconds - made.seconds) > 0.05 or source.frames != made.frames:
        found.append(f"{source.seconds:.2f} s, {source.frames} frames; copied {made.seconds:.2f}, {made.frames}")
    if len(at) != len(copied) or any(abs(a - b) > 2e-3 for a, b in zip(at, copied, strict=False)):
        found.append(f"flashes at {at}, copied {copied}")
    if one.shape != other.shape or np.abs(bars(one) - bars(other)).max() > 2:
        found.append(f"{one.shape}, {bars(one).round().tolist()}; copied {other.shape}, {bars(other).round().tolist()}")
    try:
        heard = tones(path)
    except (IndexError, ValueError):  # without sound
        return found
    # A joined clip's second clock is that of the copy alone.
    again = [each for each in tones(copy) if each < made.seconds]
    heard = heard if len(source.sound().shifts) == 1 else at  # type: ignore[union-attr]
    heard = [each for each in heard if each < source.seconds]
    if len(heard) != len(again) or any(abs(a - b) > 0.06 for a, b in zip(heard, again, strict=False)):
        found.append(f"tones at {heard}, copied {again}")
    return found


def archives(given: argparse.Namespace) -> list[str]:
    """Sends damaged archives to a server: each is refused in a line, or its job is begun and stopped."""
    return served(given, lambda port, process: asyncio.run(_send_archives(port, given)))


async def _send_archives(port: int, given: argparse.Namespace) -> list[str]:
    draw, wrong, counts = random.Random(given.seed), list[str](), Counter[int]()
    seeds = [content for kind, content in originals() if "RGB" in kind]
    async with httpx2.AsyncClient(base_url=f"http://127.0.0.1:{port}", timeout=600) as client:
        for number in range(given.count):
            file = io.BytesIO()
            method = draw.choice((zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA))
            with zipfile.ZipFile(file, "w", method) as archive, warnings.catch_warnings():
                warnings.simplefilter("ignore")
                for each in range(draw.randint(0, 6)):
                    person = draw.choice(("anna", "../x", "Ü:x", "a" * 300, ".hidden", "CON", "b/c/d"))
                    archive.writestr(f"{person}/{each}.png", draw.choice(seeds))
            content = file.getvalue() if draw.random() < 0.1 else mutated(file.getvalue(), draw)
            if draw.random() < 0.3:
                # Within the central directory, at the end.
                damaged = bytearray(content)
                for _ in range(5):
                    damaged[-draw.randint(1, min(200, len(damaged)))] = draw.randrange(256)
                content = bytes(damaged)
            answer = await client.post("/compare", files={"archive": ("a.zip", content)})
            counts[answer.status_code] += 1
            if answer.status_code == 202:
                await client.delete(f"/jobs/{answer.json()['id']}")
            elif answer.status_code != 422 or "\n" in str(answer.json().get("detail")):
                wrong.append(f"archive {number} (seed {given.seed}): {answer.status_code} {answer.text[:200]}")
    print(f"{given.count} archives: {dict(counts)}")
    return wrong


WAYS: dict[str, Callable[[argparse.Namespace], list[str]]] = {
    each.__name__: each for each in (gallery, clips, archives)
}


def main(argv: Sequence[str] | None = None) -> None:
    """Runs a campaign, and prints what was wrong."""
    given_words = list(sys.argv[1:] if argv is None else argv)
    if given_words[:1] == ["write"]:
        write_for_ever(Path(given_words[1]), Path(given_words[2]), int(given_words[3]))
    if given_words[:1] == ["read"]:
        read_for_ever(Path(given_words[1]))
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("way", choices=WAYS)
    parser.add_argument("--count", type=int, default=30, help="kills, clips, or archives")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--folder", type=Path, default=Path("workdirs/campaigns"))
    tried(WAYS, parser.parse_args(given_words))


if __name__ == "__main__":
    main()
