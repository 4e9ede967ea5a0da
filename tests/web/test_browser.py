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


def find_faces(page: Page, *paths: Path) -> None:
    page.set_input_files("#photograph", list(paths))
    page.get_by_role("button", name="Find the faces").click()


def test_enlarging(page: Page, pictures: Path, tmp_path: Path) -> None:
    find_faces(page, pictures / "scene.png")
    expect(page.locator("#enhance .status")).to_have_text("2 faces found.")
    # The focus stays where it was.
    expect(page.get_by_role("button", name="Find the faces")).to_be_focused()
    expect(page.locator("#enhance .box")).to_have_count(2)
    small = page.locator("#enhance .face").first
    expect(small.locator(".guess")).to_contain_text("invented")
    expect(small).to_contain_text("for research only")
    # From the face model over bicubic to the pixels, by keyboard, in three stops.
    slider = small.get_by_role("slider")
    expect(slider).to_have_attribute("aria-valuetext", "enlarged by identity")
    slider.focus()
    stops = []
    for key in ("ArrowLeft", "ArrowLeft", "ArrowLeft", "ArrowRight"):
        page.keyboard.press(key)
        stops.append(slider.get_attribute("aria-valuetext"))
    assert stops == ["enlarged by bicubic", "as it is, in pixels", "as it is, in pixels", "enlarged by bicubic"]
    page.keyboard.press("Home")
    assert small.locator("img.enlarged").evaluate("each => each.style.opacity") == "0"
    expect(page.locator("#enhance .face").nth(1)).to_contain_text("Large enough as it is")
    assert small.get_by_role("link", name="Save this face").get_attribute("download") == "scene_face1.png"
    with page.expect_download() as saved:
        page.get_by_role("button", name="Save the whole photograph").click()
    assert saved.value.suggested_filename == "scene_enlarged.png"
    saved.value.save_as(tmp_path / "whole.png")
    assert (tmp_path / "whole.png").read_bytes().startswith(b"\x89PNG")
    page.get_by_role("button", name="Enlarge the large faces too").click()
    expect(page.locator("#enhance .face input[type=range]")).to_have_count(2)


def test_an_example_and_a_model_of_one_s_own_choice(page: Page) -> None:
    page.get_by_role("button", name="Try an example").click()
    expect(page.locator("#enhance .status")).to_have_text("1 face found.")
    expect(page.get_by_role("slider")).to_have_attribute("aria-valuetext", "enlarged by identity")
    page.select_option("#model", "identity_footage")
    page.get_by_role("button", name="Find the faces").click()
    expect(page.get_by_role("slider")).to_have_attribute("aria-valuetext", "enlarged by identity_footage")
    page.get_by_text("What the figures mean").click()
    expect(page.locator("#figures")).to_contain_text("how alike two faces look")
    shown = page.locator("body").inner_text()
    assert not [word for word in ("--config", "SFace", "lfw", "mtcnn") if word in shown]


def test_several_photographs_and_one_archive(page: Page, pictures: Path, tmp_path: Path) -> None:
    find_faces(page, pictures / "scene.png", pictures / "text.png", pictures / "known" / "anna" / "1.png")
    expect(page.locator("#enhance .status")).to_contain_text("3 faces found. text.png: not a picture")
    assert page.locator("#enhance h3.file").all_inner_texts() == ["scene.png", "1.png"]
    with page.expect_download() as saved:
        page.get_by_role("button", name="Save all enlarged faces (zip)").click()
    saved.value.save_as(tmp_path / "faces.zip")
    with zipfile.ZipFile(tmp_path / "faces.zip") as archive:
        assert archive.namelist() == ["scene_face1.png", "read_me.txt"]
        assert "text.png: not a picture" in archive.read("read_me.txt").decode()


def test_who_is_it_in_a_folder(page: Page, pictures: Path) -> None:
    find_faces(page, pictures / "scene.png")
    page.get_by_text("Known people, to ask").click()
    page.set_input_files("#folder", pictures / "known")
    small, large = page.locator("#enhance .face").first, page.locator("#enhance .face").nth(1)
    small.get_by_role("button", name="Who is this?").click()
    expect(small.locator(".answer p").first).to_have_text("anna: likely the same person")
    expect(small.locator(".answer figcaption")).to_have_text(["as it was searched for", "anna, known"])
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    large.get_by_role("button", name="Who is this?").click()
    expect(large.locator(".answer p").first).to_have_text("likely nobody of the known people")
    assert asked == []  # the first search has answered for both
    small.get_by_text("How sure is this?").click()
    expect(small.locator(".answer")).to_contain_text("no proof of who somebody is")
    shown = page.locator("body").inner_text()
    assert not [word for word in ("--config", "SFace", "lfw", "mtcnn") if word in shown]


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
    find_faces(page, pictures / "scene.png")
    page.get_by_text("Known people, to ask").click()
    page.set_input_files("#folder", tmp_path / "known")
    with page.expect_request("**/identify") as asked:
        page.get_by_role("button", name="Who is this?").first.click()
    expect(page.locator("#enhance .answer p").first).to_have_text("likely the same person")
    assert int(asked.value.all_headers()["content-length"]) < 2_000_000


def test_the_same_person(page: Page, pictures: Path) -> None:
    find_faces(page, pictures / "scene.png")
    page.get_by_text("Known people, to ask").click()
    page.get_by_label("one other picture").check()
    page.set_input_files("#other", pictures / "known" / "anna" / "1.png")
    page.get_by_role("button", name="Who is this?").first.click()
    expect(page.locator("#enhance .status")).to_have_text("likely the same person.")


def test_what_is_refused_is_said(page: Page, pictures: Path) -> None:
    status = page.locator("#enhance .status")
    page.get_by_role("button", name="Find the faces").click()
    expect(status).to_have_text("choose a file first")
    find_faces(page, pictures / "text.png")
    expect(status).to_have_text("text.png: not a picture of a known format")
    expect(status).to_have_class("status wrong")
    find_faces(page, pictures / "wall.png")
    expect(status).to_have_text("No face found.")
    find_faces(page, pictures / "scene.png")
    page.get_by_role("button", name="Who is this?").first.click()
    expect(status).to_have_text("choose the known people first")
    expect(page.locator("#people summary")).to_be_focused()


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
    find_faces(page, pictures / "scene.png")
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
    assert reached[:4] == ["photograph", "model", "Find the faces", "example"]
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
    find_faces(page, tmp_path / "walk.mp4")
    page.get_by_role("button", name="Preview").click()
    expect(page.locator("#enhance .status")).to_have_text("Done. It is kept for an hour.")
    expect(page.locator("#enhance video")).to_have_attribute("src", re.compile(r"jobs/.+/result"))
    # It survives that the page is loaded again.
    page.reload()
    expect(page.locator("#enhance .status")).to_have_text("Done. It is kept for an hour.")
    with page.expect_download() as saved:
        page.get_by_role("link", name="Save the clip").click()
    saved.value.save_as(tmp_path / "saved.mp4")
    assert b"ftyp" in (tmp_path / "saved.mp4").read_bytes()[:16]
    page.get_by_role("button", name="Remove it from the server").click()
    expect(page.locator("#enhance .status")).to_have_text("Removed.")


@pytest.mark.whole
def test_who_is_in_a_clip(page: Page, pictures: Path, tmp_path: Path) -> None:
    """A track in a list, with its time and thumbnail; a click jumps to its place."""
    example.write(tmp_path / "walk.mp4", example.frames([orl(1, 9)], seconds=1.0, height=120))
    find_faces(page, tmp_path / "walk.mp4")
    page.get_by_role("button", name="Who is in it?").click()
    expect(page.locator("#enhance .status")).to_have_text("choose the known people first")
    page.set_input_files("#folder", pictures / "known")
    page.get_by_role("button", name="Who is in it?").click()
    expect(page.locator("#enhance .status")).to_have_text("Done. It is kept for an hour.")
    track = page.locator(".track button")
    expect(track).to_have_count(1)
    expect(track).to_contain_text("anna: likely the same person")
    expect(track).to_contain_text(re.compile(r"0:00\.\d to 0:00\.\d, \d+ px"))
    page.wait_for_function(
        "() => document.querySelector('.track canvas').getContext('2d').getImageData(64, 64, 1, 1).data[3] === 255"
    )
    track.click()
    page.wait_for_function("() => document.querySelector('#enhance video').currentTime > 0")


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
    page.set_input_files("#archive", tmp_path / "faces.zip")  # a page that was loaded again has no file
    page.click("#compare button[type=submit]")
    expect(page.locator("#compare .status")).to_have_text("Done. It is kept for an hour.")
    with page.expect_popup() as opened:
        page.get_by_role("link", name="Open the report").click()
    expect(opened.value.locator("h1")).to_be_visible()
    opened.value.close()
