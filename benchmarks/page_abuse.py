"""The page's server under abuse: damaged uploads, many at once, clients that go away; and its answers' time.

    python benchmarks/page_abuse.py --uploads 10000 --photograph photograph.jpg

Starts a server, sends so many damaged pictures, 50 requests at once, and 50 whose sender hangs up before or while they
are answered. Told are the answers by status, tracebacks in what the server says, and its memory on the way; before all
that, how long a photograph takes.
"""

import argparse
import asyncio
import collections
import io
import re
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import httpx2
import numpy as np
from PIL import Image


def main() -> None:
    """Runs all of it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--uploads", type=int, default=10_000)
    parser.add_argument("--photograph", type=Path)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, (Path(folder) / "said.txt").open("wb") as said:
        command = [sys.executable, "-m", "lowres_jax.main", "--config=serve", "--config.port=0", "--config.open=false"]
        server = subprocess.Popen(command, cwd=folder, stdout=said, stderr=subprocess.STDOUT)
        try:
            while not (found := re.search(r"http://127\.0\.0\.1:(\d+)/", (Path(folder) / "said.txt").read_text())):
                if server.poll() is not None:
                    raise SystemExit((Path(folder) / "said.txt").read_text())
                time.sleep(0.5)
            asyncio.run(abuse(int(found[1]), server.pid, arguments))
        finally:
            server.terminate()
            server.wait()
        text = (Path(folder) / "said.txt").read_text()
        print(f"tracebacks: {text.count('Traceback')}; ended with {server.returncode}; said: {text.splitlines()[-1]}")


async def abuse(port: int, pid: int, arguments: argparse.Namespace) -> None:
    """Sends everything and prints what came back."""
    async with httpx2.AsyncClient(base_url=f"http://127.0.0.1:{port}", timeout=600) as client:
        if arguments.photograph:
            content = arguments.photograph.read_bytes()
            times = []
            for _ in range(6):
                begin = time.perf_counter()
                answer = await client.post("/enhance", files={"picture": ("photograph.jpg", content)})
                times.append(time.perf_counter() - begin)
            found = answer.json()
            print(
                f"{found['width']}x{found['height']}, {len(found['faces'])} faces, "
                f"{sum(face['model'] is not None for face in found['faces'])} enlarged: first {times[0]:.2f} s, then "
                f"{statistics.median(times[1:]):.2f} s"
            )
        print(f"memory: {resident(pid):.0f} MB")
        seeds = [encoded(kind) for kind in ("JPEG", "PNG", "WEBP", "GIF", "TIFF")]
        generator = np.random.default_rng(0)
        counts: collections.Counter[int] = collections.Counter()
        for start in range(0, arguments.uploads, 10):
            damaged = [mutated(seeds[generator.integers(len(seeds))], generator) for _ in range(10)]
            answers = await asyncio.gather(*(post(client, each) for each in damaged))
            counts.update(answers)
            if start % 1000 == 0:
                print(f"{start + 10:6} damaged uploads: {dict(counts)}, {resident(pid):.0f} MB", flush=True)
        print(f"{arguments.uploads:6} damaged uploads: {dict(counts)}, {resident(pid):.0f} MB")
        answers = await asyncio.gather(*(post(client, seeds[0]) for _ in range(50)))
        print(f"50 at once: {dict(collections.Counter(answers))}, {resident(pid):.0f} MB")
        for number in range(50):
            hang_up(port, seeds[0], whole=number % 2 == 0)
        print(f"50 hung up; then {await post(client, seeds[0])}, {resident(pid):.0f} MB")


async def post(client: httpx2.AsyncClient, content: bytes) -> int:
    return (await client.post("/enhance", files={"picture": ("a.png", content)})).status_code


def hang_up(port: int, content: bytes, whole: bool) -> None:
    """Sends a request, or half of it, and is gone."""
    body = b'--b\r\nContent-Disposition: form-data; name="picture"; filename="a"\r\n\r\n' + content + b"\r\n--b--\r\n"
    head = (
        f"POST /enhance HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nContent-Length: {len(body)}\r\n"
        "Content-Type: multipart/form-data; boundary=b\r\n\r\n"
    )
    with socket.create_connection(("127.0.0.1", port)) as connection:
        connection.sendall(head.encode() + (body if whole else body[: len(body) // 2]))


def encoded(kind: str) -> bytes:
    """A small picture in a format."""
    image = Image.fromarray(np.random.default_rng(1).integers(0, 256, (40, 56, 3), np.uint8))
    file = io.BytesIO()
    image.save(file, kind)
    return file.getvalue()


def mutated(content: bytes, generator: np.random.Generator) -> bytes:
    """With a few bytes of others, and often cut."""
    damaged = np.frombuffer(content, np.uint8).copy()
    # Headers are where it hurts.
    reach = len(damaged) if generator.random() < 0.5 else min(len(damaged), 120)
    count = int(generator.integers(1, 12))
    damaged[generator.integers(0, reach, count)] = generator.integers(0, 256, count)
    end = generator.integers(1, len(damaged) + 1) if generator.random() < 0.4 else len(damaged)
    return damaged[:end].tobytes()


def resident(pid: int) -> float:
    """Memory of a process in MB."""
    return int(re.search(r"VmRSS:\s+(\d+)", Path(f"/proc/{pid}/status").read_text())[1]) / 1024


if __name__ == "__main__":
    main()
