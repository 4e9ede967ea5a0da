"""Makes the README's pictures of the program from what the program writes today.

    make demo
    python benchmarks/readme_pictures.py workdirs/demo docs/images

report.jpg and clip.jpg show the demo's output, identify.jpg a search among its portraits, page.jpg the page in a
browser. Needs Chromium and the extra "dev".
"""

import contextlib
import io
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from PIL import Image
from playwright.sync_api import Browser, expect, sync_playwright

from lowres_jax.clips.reading import open_clip
from lowres_jax.pretrained.weights import find_fetched_file
from lowres_jax.utils.files import write_atomically

_KNOWN = {"Emmanuel Macron": "person_a_1.jpg", "Jacinda Ardern": "person_b_1.jpg"}
_SEARCHED = ("impostor_1.jpg", "impostor_2.jpg", "person_a_2.jpg", "person_b_2.jpg")
_MOST_HEIGHT = 1420  # up to the answer
_MAIN = (sys.executable, "-m", "lowres_jax.main")


def report(browser: Browser, demo: Path) -> Image.Image:
    """Top of the demo's report."""
    return _shot(browser, (demo / "report.html").resolve().as_uri(), 1225, 1150)


def clip(demo: Path) -> Image.Image:
    """A third and two thirds of the demo's searched clip, beside each other."""
    video = open_clip(demo / "clip" / "clips" / "walk.mp4")
    frames = [Image.fromarray(frame.pixels) for frame in video.read()]
    first, second = frames[len(frames) // 3], frames[2 * len(frames) // 3]
    both = Image.new("RGB", (first.width + second.width, first.height))
    both.paste(first, (0, 0))
    both.paste(second, (first.width, 0))
    return both


def identify(browser: Browser, folder: Path) -> Image.Image:
    """The page of a search by person."""
    known, searched = _people(folder)
    flags = ("identify", known, searched, f"--workdir={folder / 'work'}")
    subprocess.run([*_MAIN, *map(str, flags)], check=True, stdout=subprocess.DEVNULL)
    return _shot(browser, (folder / "work" / "identify.html").as_uri(), 900, 880, part="main")


def page(browser: Browser, folder: Path) -> Image.Image:
    """The page with a photograph whose faces have been found, and one of them asked for."""
    known, _ = _people(folder)
    with _served() as address:
        opened = browser.new_page(viewport={"width": 720, "height": 1200})
        opened.goto(address)
        opened.set_input_files("#folder", known)
        opened.get_by_role("button", name="Try an example").click()
        expect(opened.locator("#enhance .status")).to_contain_text("found", timeout=120_000)
        opened.get_by_role("button", name="Who is this?").click()
        expect(opened.locator(".answer .beside-pair")).to_be_visible(timeout=120_000)
        content = opened.locator("#enhance").screenshot()
        opened.close()
    whole = Image.open(io.BytesIO(content)).convert("RGB")
    return whole.crop((0, 0, whole.width, min(whole.height, _MOST_HEIGHT)))


def _people(folder: Path) -> tuple[Path, Path]:
    """Folders of known people and of searched portraits."""
    known, searched = folder / "known", folder / "photographs"
    for name, file in _KNOWN.items():
        (known / name).mkdir(parents=True, exist_ok=True)
        shutil.copy(find_fetched_file("portraits", file), known / name)
    searched.mkdir(exist_ok=True)
    for file in _SEARCHED:
        shutil.copy(find_fetched_file("portraits", file), searched)
    return known, searched


@contextlib.contextmanager
def _served() -> Iterator[str]:
    """Address of a page that is served meanwhile."""
    flags = ("serve", "--config.port=0", "--config.open=false")
    with subprocess.Popen([*_MAIN, *flags], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        lines = iter(process.stdout.readline, "")
        yield next(found[0] for line in lines if (found := re.search(r"http://\S+/", line)))
        process.terminate()


def _shot(browser: Browser, address: str, width: int, height: int, part: str = "") -> Image.Image:
    opened = browser.new_page(viewport={"width": width, "height": height})
    opened.goto(address)
    content = opened.locator(part).screenshot() if part else opened.screenshot()
    opened.close()
    return Image.open(io.BytesIO(content)).convert("RGB")


def main(demo: Path, output: Path) -> None:
    """Writes the pictures into a folder.

    Args:
      demo: workdir of `make demo`.
      output: folder of the pictures.
    """
    with tempfile.TemporaryDirectory() as place, sync_playwright() as play:
        chromium = shutil.which("chromium") or shutil.which("google-chrome")
        browser = play.chromium.launch(executable_path=chromium, args=["--no-sandbox", "--disable-dev-shm-usage"])
        made = {
            "report": report(browser, demo),
            "clip": clip(demo),
            "identify": identify(browser, Path(place)),
            "page": page(browser, Path(place)),
        }
        browser.close()
    for name, picture in made.items():
        with write_atomically(output / f"{name}.jpg") as file:
            picture.save(file, "JPEG", quality=85)
        print(output / f"{name}.jpg", *picture.size)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
