"""The real page in a real Chromium: every test fails on a page error or a request that leaves the machine."""

import subprocess
import sys
import threading
from pathlib import Path

import cv2
import numpy as np
import pytest

from demo.engine import Engine
from s2vt_model.captioner import Captioner
from s2vt_model.errors import CheckpointError
from tests.browsing import PATIENCE_MS, Held, choose_example, needs_chromium, running, say, send, visiting

pytestmark = needs_chromium


def film(path: Path, codec: str, seconds: float = 2.0, fps: float = 30, size=(160, 120)) -> Path:
    """A video whose picture gets brighter: its grey level tells its time."""
    writer = cv2.VideoWriter(str(path), cv2.CAP_FFMPEG, cv2.VideoWriter_fourcc(*codec), fps, size)
    assert writer.isOpened()
    count = round(seconds * fps)
    for i in range(count):
        writer.write(np.full((size[1], size[0], 3), round(30 + 200 * i / count), np.uint8))
    writer.release()
    return path


# --- the main road ---------------------------------------------------------------------------


def test_an_example_is_captioned_by_one_click(page):
    assert not page.locator("video").is_visible()
    choose_example(page, 1)
    words = page.locator(".word:not(.end) b").all_inner_texts()
    caption = page.locator(".caption").text_content()
    assert words
    assert caption.split()[: len(words)] == words
    assert all("%" in number for number in page.locator(".word span").all_inner_texts())
    assert page.locator(".strip button").count() == 10
    assert "10 of 100 frames (every 10th)" in page.locator(".usage").text_content()
    page.wait_for_function("document.querySelector('video').readyState >= 2")
    assert page.locator("#status .status").is_hidden()


def test_the_stages_are_named_while_they_run(page, captioner, monkeypatch):
    cnn = Held(captioner, monkeypatch)
    page.locator(".gallery button").first.click()
    say(page, "Looking at frame")
    assert page.locator("#status .stages li").all_inner_texts() == ["Reading", "Features", "Decoding"]
    assert page.locator("#status .stages li[data-state=current]").inner_text() == "Features"
    assert page.locator("#status .stages li[data-state=done]").inner_text() == "Reading"
    cnn.released.set()
    page.locator(".word").first.wait_for()


def test_a_frame_of_the_strip_leads_to_its_moment(page):
    choose_example(page, 2)
    frames = page.locator(".strip button")
    frames.nth(4).click()
    page.wait_for_function("!document.querySelector('video').seeking")
    at = page.evaluate("document.querySelector('video').currentTime")
    assert f"{at:.1f}" == frames.nth(4).inner_text().strip()[:3]
    assert frames.nth(4).get_attribute("aria-current") == "true"
    assert page.locator(".strip button[aria-current]").count() == 1
    frames.nth(4).press("ArrowRight")
    assert frames.nth(5).get_attribute("aria-current") == "true"
    assert page.evaluate("document.activeElement === document.querySelectorAll('.strip button')[5]")


def test_the_current_frame_follows_the_playing_video(page):
    choose_example(page, 2)
    page.wait_for_function("document.querySelectorAll('.strip button')[3].hasAttribute('aria-current')")


def test_the_keyboard_is_enough(page):
    page.locator(".gallery button").nth(0).focus()
    page.keyboard.press("Enter")
    page.locator(".word").first.wait_for()


# --- decoding again --------------------------------------------------------------------------


def test_controls_decode_again_without_the_cnn(page, captioner, monkeypatch):
    choose_example(page, 0)
    monkeypatch.setattr(captioner.streams["rgb"].backbone, "extract", forbidden)
    monkeypatch.setattr("s2vt_model.captioner.read_clips", forbidden)
    cost = page.locator(".cost").text_content()
    page.evaluate("document.querySelector('video').marked = true")

    page.get_by_label("Sampling").check()
    page.locator(".eyebrow", has_text="sampling, temperature 1, seed 0").wait_for()
    page.get_by_label("number input for Seed").fill("7")
    page.locator(".eyebrow", has_text="seed 7").wait_for()
    page.get_by_label("Greedy").check()
    page.locator(".eyebrow", has_text="greedy").wait_for()
    page.get_by_label("number input for Words, at most").fill("2")
    page.wait_for_function("document.querySelectorAll('.word').length <= 2")

    # What reading and features took is still told of the one time they ran.
    assert cost.split("writing")[0] == page.locator(".cost").text_content().split("writing")[0]
    assert page.evaluate("document.querySelector('video').marked")


def test_only_the_numbers_of_the_method_are_shown(page):
    choose_example(page, 0)
    labels = {"Beam width", "Exponent", "Temperature", "Seed", "Words, at most"}
    shown = {"Beam search": {"Beam width", "Exponent"}, "Greedy": set(), "Sampling": {"Temperature", "Seed"}}
    for method in ("Sampling", "Greedy", "Beam search"):
        page.get_by_label(method).check()
        expected = shown[method] | {"Words, at most"}
        for label in labels:
            slider = page.get_by_label(f"number input for {label}")
            slider.wait_for(state="visible" if label in expected else "hidden")


def test_the_order_of_the_beams_sentences_is_explained(page, captioner):
    """A sentence may stand above a more probable one; the line below the list says why."""
    choose_example(page, 0)
    ranking = page.locator(".ranking")
    exponent = captioner.default_options.length_exponent
    ranking.filter(has_text=f"divided by length (the end counts) to the power of {exponent:g}. ").wait_for()
    page.get_by_label("number input for Exponent").fill("0")
    ranking.filter(has_text="The most probable first.").wait_for()
    percents = page.locator(".others .prob").all_text_contents()
    probabilities = [float(text.removesuffix("%").removeprefix("<").strip()) for text in percents]
    assert len(probabilities) > 1
    assert probabilities == sorted(probabilities, reverse=True)


def test_controls_start_as_the_checkpoint_says(page, captioner):
    choose_example(page, 0)
    options = captioner.default_options
    assert float(page.get_by_label("number input for Beam width").input_value()) == options.beam_width
    assert float(page.get_by_label("number input for Exponent").input_value()) == options.length_exponent


def test_a_part_is_read_again(page):
    choose_example(page, 1)
    page.get_by_label("number input for Start, s").fill("2")
    page.get_by_label("number input for End, s").fill("4")
    page.get_by_role("button", name="Read this part").click()
    page.locator(".usage", has_text="from 2.0 s to").wait_for()
    assert page.locator(".strip button").first.inner_text().strip() == "2.00 s"

    page.get_by_label("number input for Start, s").fill("4.5")
    page.get_by_role("button", name="Read this part").click()
    say(page, "must lie before the end")
    assert page.locator(".word").first.is_visible()  # what was there stays


# --- stopping and waiting --------------------------------------------------------------------


def forbidden(*_):
    raise AssertionError("this must not run again")


def test_stop_stops_the_work(page, captioner, monkeypatch):
    with monkeypatch.context() as patch:
        cnn = Held(captioner, patch)
        page.locator(".gallery button").nth(2).click()
        say(page, "Looking at frame")
        page.get_by_role("button", name="Stop", exact=True).click()
        say(page, "Stopped.")
        assert cnn.left.wait(10)
        assert not cnn.released.is_set()
    page.wait_for_timeout(1000)  # nothing that was under way may speak up again
    assert page.locator("#status .message").text_content() == "Stopped."
    assert not page.get_by_role("button", name="Stop", exact=True).is_visible()
    choose_example(page, 0)


def test_another_choice_takes_the_place_of_a_running_one(page, captioner, monkeypatch):
    with monkeypatch.context() as patch:
        cnn = Held(captioner, patch)
        page.locator(".gallery button").nth(2).click()
        say(page, "Looking at frame")
    choose_example(page, 0)
    assert cnn.left.is_set()


def test_the_queue_says_how_many_are_ahead(browser, url, page, captioner, monkeypatch):
    cnn = Held(captioner, monkeypatch)
    page.locator(".gallery button").nth(2).click()
    say(page, "Looking at frame")
    with visiting(browser, url) as other:
        other.locator(".gallery button").nth(0).click()
        say(other, "1 video is ahead of yours")
        other.get_by_role("button", name="Stop", exact=True).click()
        say(other, "Stopped.")
    cnn.released.set()
    page.locator(".word").first.wait_for()


# --- files of all kinds ----------------------------------------------------------------------


def test_an_upload_is_captioned_whatever_its_name(page, tmp_path):
    send(page, film(tmp_path / "ünï 'q' <img src=x onerror=document.title=1>.webm", "VP80"))
    page.locator("figcaption .name", has_text="ünï").wait_for()
    assert page.locator("figcaption img").count() == 0
    assert page.locator(".strip button").count() == 6
    assert page.locator(".note").text_content() == ""
    assert page.locator("#upload").get_by_text("Drop File Here").is_visible()  # ready for the next one


@pytest.mark.parametrize(("name", "codec"), [("old.avi", "mp4v"), ("phone.mp4", "mp4v"), ("disc.mkv", "MJPG")])
def test_what_browsers_do_not_play_is_previewed(page, tmp_path, name, codec):
    send(page, film(tmp_path / name, codec))
    page.locator(".note", has_text="preview").wait_for()
    page.wait_for_function("document.querySelector('video').readyState >= 2")
    frame = page.locator(".strip button").nth(3)
    frame.click()
    page.wait_for_function("!document.querySelector('video').seeking")
    # The preview keeps the source's clock: its grey is that of the thumbnail.
    shades = page.evaluate(
        """() => [document.querySelector('video'), document.querySelectorAll('.strip img')[3]].map((picture) => {
            const canvas = Object.assign(document.createElement('canvas'), { width: 8, height: 8 }).getContext('2d');
            canvas.drawImage(picture, 0, 0, 8, 8);
            return canvas.getImageData(4, 4, 1, 1).data[0];
        })"""
    )
    assert abs(shades[0] - shades[1]) < 20


def test_the_browser_has_the_last_word_on_what_it_plays(page, tmp_path, monkeypatch):
    monkeypatch.setattr("demo.watching.is_playable", lambda path: True)
    send(page, film(tmp_path / "odd.mp4", "mp4v"))
    page.locator(".note", has_text="preview").wait_for()
    page.wait_for_function("document.querySelector('video').readyState >= 2")


def test_a_bad_file_gives_a_sentence_and_loses_nothing(page, tmp_path):
    choose_example(page, 0)
    bad = tmp_path / "notes.mp4"
    bad.write_text("no film at all")
    send(page, bad)
    say(page, "“notes.mp4” ")
    box = page.locator("#status .status")
    assert box.get_attribute("data-kind") == "problem"
    assert "Traceback" not in page.content()
    assert page.locator("figcaption .name").text_content() == "dog.mp4"
    choose_example(page, 1)
    assert box.is_hidden()


# --- the page itself -------------------------------------------------------------------------


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_phone_needs_no_sideways_scrolling(browser, url, scheme):
    with visiting(browser, url, width=390, color_scheme=scheme, has_touch=True) as page:
        width = "document.documentElement.scrollWidth"
        assert page.evaluate(width) <= 390
        choose_example(page, 1)
        page.get_by_label("Sampling").check()
        page.get_by_label("number input for Temperature").wait_for()
        assert page.evaluate(width) <= 390


def test_limits_and_formats_stand_beside_the_upload_box(page):
    assert page.get_by_text("mp4, mov, webm, mkv, avi or gif, up to 200 MB").is_visible()


def test_the_page_is_up_while_the_model_loads(browser, captioner):
    released = threading.Event()

    def load(_):
        assert released.wait(PATIENCE_MS / 1000)
        return captioner

    with running(Engine(load)) as url, visiting(browser, url) as page:
        page.locator("#model", has_text="It is loading").wait_for()
        page.locator(".gallery button").first.click()
        say(page, "Loading the model")
        released.set()
        page.locator(".word").first.wait_for()
        page.locator("#model", has_text="words and runs on cpu").wait_for()


def test_a_model_that_cannot_be_loaded_is_a_sentence(browser, tmp_path):
    def load(_):
        return Captioner.of_checkpoint(tmp_path / "nowhere")

    with running(Engine(load)) as url, visiting(browser, url) as page:
        page.locator("#model [role=alert]", has_text="There is no checkpoint folder").wait_for()
        page.locator(".gallery button").first.click()
        say(page, "There is no checkpoint folder")
    with pytest.raises(CheckpointError):
        load(None)


def test_a_process_ends_in_good_order_while_a_model_is_loading():
    """The default model is still on its way when another one, asked for by name, is there."""
    code = (
        "from demo.engine import Engine\n"
        "from s2vt_model.progress import finish\n"
        "print(finish(Engine().captioner('rgb')).name)"
    )
    ended = subprocess.run(
        [sys.executable, "-c", code], cwd=Path(__file__).parents[1], capture_output=True, text=True, timeout=120
    )
    assert (ended.returncode, ended.stdout, ended.stderr) == (0, "rgb\n", "")


def test_building_the_page_needs_no_torch():
    code = "import sys, demo.serve; sys.exit('torch' in sys.modules)"
    root = Path(__file__).parents[1]
    assert subprocess.run([sys.executable, "-c", code], cwd=root, timeout=120).returncode == 0
