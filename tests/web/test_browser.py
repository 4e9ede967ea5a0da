"""The page in a real browser: everything that it offers, at a telephone's width, by keyboard, and in the dark."""

import re
import shutil
import socket
import threading
import zipfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import uvicorn
from made_scenes import orl, png
from playwright.sync_api import Browser, Page, expect, sync_playwright

from lowres_jax import config_keys
from lowres_jax.clips import example
from lowres_jax.data import resize
from lowres_jax.settings.serve import KEYS
from lowres_jax.web.app import close, make_app
from lowres_jax.web.engine import Engine

CHROMIUM = shutil.which("chromium") or shutil.which("google-chrome")
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(CHROMIUM is None, reason="no chromium here: the page was not tested in a browser"),
]


@pytest.fixture(scope="module")
def address(engine: Engine) -> Iterator[str]:
    config = config_keys.new(KEYS, "serve")
    guard = make_app(engine, config, frozenset({"127.0.0.1"}), None)
    listening = socket.create_server(("127.0.0.1", 0))
    server = uvicorn.Server(uvicorn.Config(guard, log_level="warning", lifespan="off"))
    serving = threading.Thread(target=server.run, args=([listening],))
    serving.start()
    yield f"http://127.0.0.1:{listening.getsockname()[1]}/"
    server.should_exit = True
    serving.join()
    close(guard.inner)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as play:
        browser = play.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox", "--disable-dev-shm-usage"])
        yield browser
        browser.close()


@pytest.fixture
def page(browser: Browser, address: str) -> Iterator[Page]:
    page = browser.new_page()
    # Minutes: on a busy machine what is waited for comes late, but it comes.
    page.set_default_timeout(300_000)
    expect.set_options(timeout=300_000)
    problems: list[str] = []
    page.on("pageerror", lambda error: problems.append(str(error)))
    page.on("console", lambda line: problems.append(line.text) if "Content Security Policy" in line.text else None)
    page.goto(address)
    yield page
    assert problems == []
    page.close()


def test_enlarging(page: Page, pictures: Path, tmp_path: Path) -> None:
    page.set_input_files("#photograph", pictures / "scene.png")
    page.click("#enhance button[type=submit]")
    expect(page.locator("#enhance .status")).to_have_text("2 faces found.")
    expect(page.locator("#enhance .box")).to_have_count(2)
    small = page.locator("#enhance .face").first
    expect(small.locator(".guess")).to_contain_text("invented")
    # From the face model back over bicubic to the pixels, by keyboard.
    slider = small.get_by_role("slider")
    expect(slider).to_have_attribute("aria-valuetext", "enlarged by identity")
    slider.focus()
    page.keyboard.press("Home")
    expect(slider).to_have_attribute("aria-valuetext", "as it is, in pixels")
    assert small.locator("img.enlarged").evaluate("each => each.style.opacity") == "0"
    expect(page.locator("#enhance .face").nth(1)).to_contain_text("Large enough as it is")
    with page.expect_download() as saved:
        page.get_by_role("button", name="Save the whole photograph").click()
    assert saved.value.suggested_filename == "scene_enlarged.png"
    saved.value.save_as(tmp_path / "whole.png")
    assert (tmp_path / "whole.png").read_bytes().startswith(b"\x89PNG")
    page.get_by_role("button", name="Enlarge the large faces too").click()
    expect(page.locator("#enhance .face input[type=range]")).to_have_count(2)


def test_who_is_it_in_a_folder(page: Page, pictures: Path) -> None:
    page.set_input_files("#searched", pictures / "scene.png")
    page.set_input_files("#folder", pictures / "known")
    page.click("#identify button[type=submit]")
    expect(page.locator("#identify .status")).to_have_text("2 searched among 3 people, 1 named.")
    expect(page.locator("#identify .face h3").first).to_have_text("Face 1: anna")
    expect(page.locator("#identify .face h3").nth(1)).to_have_text("Face 2: unknown")
    expect(page.locator("#identify .result")).to_contain_text("no proof of who somebody is")


def test_large_pictures_of_a_folder_are_reduced_before_they_are_sent(
    page: Page, pictures: Path, tmp_path: Path
) -> None:
    noise = np.random.default_rng(0).integers(0, 40, (1800, 2400, 3))
    whole = np.clip(resize.resize(orl(1, 1), 1800, 1473) * 255.0, 0, 255)
    noise[:, 400:1873] += whole.astype(noise.dtype)
    (tmp_path / "known" / "anna").mkdir(parents=True)
    large = tmp_path / "known" / "anna" / "large.png"
    large.write_bytes(png(np.clip(noise, 0, 255) / np.float32(255)))
    assert large.stat().st_size > 5_000_000
    page.set_input_files("#searched", pictures / "scene.png")
    page.set_input_files("#folder", tmp_path / "known")
    with page.expect_request("**/identify") as asked:
        page.click("#identify button[type=submit]")
    expect(page.locator("#identify .face h3").first).to_have_text("Face 1: likely the same person")
    assert int(asked.value.all_headers()["content-length"]) < 2_000_000


def test_the_same_person(page: Page, pictures: Path) -> None:
    page.set_input_files("#searched", pictures / "scene.png")
    page.get_by_label("one other picture").check()
    page.set_input_files("#other", pictures / "known" / "anna" / "1.png")
    page.click("#identify button[type=submit]")
    expect(page.locator("#identify .status")).to_have_text("likely the same person.")


def test_what_is_refused_is_said(page: Page, pictures: Path) -> None:
    page.set_input_files("#photograph", pictures / "text.png")
    page.click("#enhance button[type=submit]")
    status = page.locator("#enhance .status")
    expect(status).to_have_text("text.png: not a picture of a known format")
    expect(status).to_have_class("status wrong")
    page.set_input_files("#photograph", pictures / "wall.png")
    page.click("#enhance button[type=submit]")
    expect(status).to_have_text("No face found.")
    page.set_input_files("#searched", pictures / "scene.png")
    page.click("#identify button[type=submit]")
    expect(page.locator("#identify .status")).to_have_text("choose the known people first")


def test_a_picture_that_is_pasted(page: Page) -> None:
    content = list(png(orl(1, 1)))
    page.evaluate(
        """content => {
          const moved = new DataTransfer();
          moved.items.add(new File([new Uint8Array(content)], "pasted.png", { type: "image/png" }));
          document.dispatchEvent(new ClipboardEvent("paste", { clipboardData: moved }));
        }""",
        content,
    )
    expect(page.locator("#enhance .status")).to_have_text("1 face found.")


def test_on_a_telephone_and_in_the_dark(page: Page, pictures: Path) -> None:
    page.set_viewport_size({"width": 360, "height": 740})
    page.set_input_files("#photograph", pictures / "scene.png")
    page.click("#enhance button[type=submit]")
    expect(page.locator("#enhance .status")).to_have_text("2 faces found.")
    assert page.evaluate("document.documentElement.scrollWidth") <= 360
    light = page.evaluate("getComputedStyle(document.body).backgroundColor")
    page.emulate_media(color_scheme="dark")
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") != light == "rgb(255, 255, 255)"


def test_by_keyboard_alone(page: Page) -> None:
    reached = []
    for _ in range(12):
        page.keyboard.press("Tab")
        reached.append(page.evaluate("document.activeElement.id || document.activeElement.textContent.trim()"))
    assert reached[:4] == ["photograph", "Find and enlarge faces", "searched", "among-folder"]
    assert "archive" in reached
    # Every field has a name that a screen reader says.
    assert (
        page.evaluate(
            "[...document.querySelectorAll('input')].filter(each => !each.labels.length && !each.ariaLabel).length"
        )
        == 0
    )


def test_a_clip_and_its_progress(page: Page, tmp_path: Path) -> None:
    example.write(tmp_path / "walk.mp4", example.frames([orl(1, 9)], seconds=0.2, height=60))
    page.set_input_files("#photograph", tmp_path / "walk.mp4")
    page.click("#enhance button[type=submit]")
    expect(page.locator("#enhance .status")).to_have_text("Done. It is kept for an hour.")
    expect(page.locator("#enhance video")).to_have_attribute("src", re.compile(r"jobs/.+/result"))
    # It survives that the page is loaded anew.
    page.reload()
    expect(page.locator("#enhance .status")).to_have_text("Done. It is kept for an hour.")
    with page.expect_download() as saved:
        page.get_by_role("link", name="Save the clip").click()
    saved.value.save_as(tmp_path / "saved.mp4")
    assert b"ftyp" in (tmp_path / "saved.mp4").read_bytes()[:16]
    page.get_by_role("button", name="Remove it from the server").click()
    expect(page.locator("#enhance .status")).to_have_text("Removed.")


@pytest.mark.whole
def test_a_report_and_stopping_it(page: Page, tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "faces.zip", "w") as archive:
        for person in range(1, 7):
            for number in (1, 2):
                archive.writestr(f"faces/s{person}/{number}.png", png(orl(person, number)))
    page.set_input_files("#archive", tmp_path / "faces.zip")
    page.click("#compare button[type=submit]")
    # One bar, in words; a job that runs is found again by who started it, and can be stopped.
    expect(page.locator("#compare .status")).to_have_text(re.compile(r"^(Starting|Finding the faces) … \d+ %$"))
    page.reload()
    expect(page.locator("#compare progress")).to_have_attribute("max", "100")
    page.get_by_role("button", name="Stop").click()
    expect(page.locator("#compare .status")).to_have_text("Stopped; nothing of it is kept.")
    page.set_input_files("#archive", tmp_path / "faces.zip")  # a page that was loaded anew has no file
    page.click("#compare button[type=submit]")
    expect(page.locator("#compare .status")).to_have_text("Done. It is kept for an hour.")
    with page.expect_popup() as opened:
        page.get_by_role("link", name="Open the report").click()
    expect(opened.value.locator("h1")).to_be_visible()
    opened.value.close()
