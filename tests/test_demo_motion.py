"""The strip's motion views: what they show, and that nothing is measured unasked or twice."""

import base64
import json
import os
import threading
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from demo.engine import Engine
from demo.motion import motion_message, pictures_of, wheel_radius_px
from demo.watching import Wish, watch
from s2vt_model.clip_flow import clip_flow
from s2vt_model.errors import FlowError
from s2vt_model.progress import Progress, finish
from tests.browsing import choose_example, needs_chromium, send, traced, visiting
from tests.videos import sliding_frames, write_video


def picture_of(data_uri: str) -> np.ndarray:
    """(H, W, 3) RGB."""
    data = np.frombuffer(base64.b64decode(data_uri.split(",")[1]), np.uint8)
    return cv2.cvtColor(cv2.imdecode(data, cv2.IMREAD_COLOR), cv2.COLOR_BGR2RGB)


def uniform(x: float, y: float) -> torch.Tensor:
    """(1, 2, 224, 224) px."""
    return torch.tensor([float(x), float(y)]).view(1, 2, 1, 1).expand(1, 2, 224, 224).contiguous()


# --- pictures --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("speed", "radius"), [(0, 1), (0.3, 1), (1.2, 1.5), (1.7, 2), (6.2, 8), (9.1, 10), (17, 20), (200, 200)]
)
def test_the_wheel_is_a_little_larger_than_the_speed(speed, radius):
    assert wheel_radius_px(uniform(0, speed)) == radius


def test_a_few_wild_pixels_do_not_pale_the_others():
    flow = uniform(2, 0)
    flow[..., :1] = 90
    assert wheel_radius_px(flow) == 2


def test_pictures_have_the_size_of_the_frames_thumbnails():
    pictures = pictures_of(uniform(1, 0), (180, 320))
    for view in ("wheel", "cnn"):
        assert picture_of(pictures[view]["images"][0]).shape == (96, 171, 3)


def test_a_cnn_is_shown_sixteen_levels_a_pixel():
    image = picture_of(pictures_of(uniform(3, -4), (224, 224))["cnn"]["images"][0])
    assert np.abs(image.reshape(-1, 3).mean(axis=0) - [128 + 48, 128 - 64, 128 + 80]).max() < 3


@pytest.mark.parametrize("algorithm", ["farneback", "tvl1"])
def test_a_pattern_that_moves_right_is_red(captioner, tmp_path, algorithm):
    file = write_video(tmp_path / "right.avi", sliding_frames(12, (2, 0)))
    engine = Engine(lambda _: captioner)
    watched = finish(watch(engine, Wish(file), None, tmp_path / "preview.webm"))
    motion = json.loads(finish(motion_message(engine, watched, algorithm)))["motion"]
    assert motion["look"] == watched.scene["look"]
    assert len(motion["wheel"]["images"]) == len(watched.scene["frames"]) == 2
    assert motion["radius_px"] in (2, 3)
    red, green, blue = np.median(picture_of(motion["wheel"]["images"][0])[20:-20, 20:-20].reshape(-1, 3), axis=0)
    assert red > 180
    assert max(green, blue) < red - 100


def test_an_unknown_algorithm_is_a_sentence(captioner):
    with pytest.raises(FlowError, match="farneback and tvl1"):
        finish(motion_message(Engine(lambda _: captioner), None, "guess"))


# --- the page --------------------------------------------------------------------------------


@pytest.fixture
def calls(page):
    """Every call of the server that the page makes."""
    calls = []
    page.on("request", lambda request: "/queue/join" in request.url and calls.append(request.url))
    return calls


def images(page):
    return page.locator(".strip img").evaluate_all("pictures => pictures.map((picture) => picture.src)")


def view(page, label):
    """Choose a view or an algorithm, and wait for its pictures."""
    page.get_by_label(label, exact=True).check()
    page.locator(".strip[aria-busy=false]").wait_for()


class Measuring:
    """Flow, at work until it is released."""

    def __init__(self, patch):
        self.released, self.left = threading.Event(), threading.Event()
        patch.setattr("s2vt_model.clip_flow.clip_flow", self)

    def __call__(self, *_):
        try:
            while not self.released.wait(0.1):
                yield Progress("flow", 0.5, "Measuring motion: frame 1 of many")
            raise FlowError("No motion after all.")
        finally:
            self.left.set()


@needs_chromium
def test_motion_is_measured_when_first_looked_at_and_kept(page, calls, monkeypatch):
    measured = []

    def counted(clip, settings, device):
        measured.append(settings.algorithm)
        return clip_flow(clip, settings, device)

    monkeypatch.setattr("s2vt_model.clip_flow.clip_flow", counted)
    choose_example(page, 2)
    traced(page)
    assert not measured
    frames = images(page)
    assert page.get_by_label("TV-L1").is_hidden()
    before = len(calls)

    view(page, "Motion")
    wheel = images(page)
    assert page.locator(".reading[data-view=wheel]").is_visible()
    assert "full colour = 4 px a frame" in page.locator(".reading[data-view=wheel]").inner_text().replace("\n", " ")
    assert len(calls) > before

    asked = len(calls)
    view(page, "As a CNN sees it")
    cnn = images(page)
    view(page, "Frames")
    assert images(page) == frames
    assert page.locator(".reading:visible").count() == 0
    view(page, "Motion")
    assert images(page) == wheel
    assert len(calls) == asked
    for i, j in ((frames, wheel), (wheel, cnn), (frames, cnn)):
        assert all(a != b for a, b in zip(i, j, strict=True))

    view(page, "TV-L1")
    assert images(page) != wheel
    assert len(calls) > asked
    asked = len(calls)
    view(page, "Farnebäck")
    assert images(page) == wheel
    view(page, "TV-L1")
    assert len(calls) == asked
    assert measured == ["farneback", "tvl1"]


@needs_chromium
def test_the_strip_works_the_same_in_all_views(page):
    choose_example(page, 2)
    frame = page.locator(".strip button").nth(4)
    sizes = "pictures => pictures.map((picture) => [picture.clientWidth, picture.clientHeight])"
    before = page.locator(".strip img").evaluate_all(sizes)
    view(page, "Motion")
    page.wait_for_function("[...document.querySelectorAll('.strip img')].every((picture) => picture.complete)")
    assert page.locator(".strip img").evaluate_all(sizes) == before
    frame.click()
    page.wait_for_function("!document.querySelector('video').seeking")
    assert f"{page.evaluate('document.querySelector(`video`).currentTime'):.1f}" == frame.inner_text().strip()[:3]
    view(page, "As a CNN sees it")
    assert frame.get_attribute("aria-current") == "true"


@needs_chromium
def test_writing_again_keeps_the_view_and_another_look_does_not(page, calls):
    choose_example(page, 1)
    view(page, "Motion")
    wheel = images(page)
    page.get_by_label("Greedy").check()
    page.locator(".eyebrow", has_text="greedy").wait_for()
    traced(page)
    assert images(page) == wheel
    view(page, "Frames")
    asked = len(calls)
    view(page, "Motion")
    assert len(calls) == asked

    choose_example(page, 0)
    assert page.get_by_label("Frames", exact=True).is_checked()
    asked = len(calls)
    view(page, "Motion")
    assert len(calls) > asked
    assert len(images(page)) == 5


@needs_chromium
def test_the_keyboard_chooses_views(page):
    choose_example(page, 0)
    page.get_by_label("Frames", exact=True).focus()
    page.keyboard.press("ArrowRight")
    page.locator(".reading[data-view=wheel]").wait_for()
    page.keyboard.press("ArrowRight")
    page.locator(".reading[data-view=cnn]").wait_for()
    page.keyboard.press("Tab")
    page.keyboard.press("ArrowRight")
    assert page.get_by_label("TV-L1").is_checked()
    page.locator(".strip[aria-busy=false]").wait_for()


@needs_chromium
def test_stop_goes_back_to_what_was_shown(page, monkeypatch):
    choose_example(page, 0)
    frames = images(page)
    with monkeypatch.context() as patch:
        flow = Measuring(patch)
        page.get_by_label("Motion", exact=True).check()
        page.locator("#motion-status .message", has_text="frame 1 of many").wait_for()
        assert page.locator(".strip").get_attribute("aria-busy") == "true"
        page.locator("#motion-progress").get_by_role("button", name="Stop", exact=True).click()
        page.locator("#motion-status .message", has_text="Stopped.").wait_for()
        assert flow.left.wait(10)
    assert page.get_by_label("Frames", exact=True).is_checked()
    assert images(page) == frames
    view(page, "Motion")
    assert images(page) != frames
    assert page.locator("#motion-status .status").is_hidden()


@needs_chromium
def test_another_video_ends_the_measuring(page, monkeypatch):
    choose_example(page, 0)
    with monkeypatch.context() as patch:
        flow = Measuring(patch)
        page.get_by_label("Motion", exact=True).check()
        page.locator("#motion-status .message", has_text="frame 1 of many").wait_for()
        choose_example(page, 1)
        assert flow.left.is_set()
    assert page.locator("#motion-status .status").is_hidden()
    assert page.get_by_label("Frames", exact=True).is_checked()


@needs_chromium
def test_progress_is_on_the_screen_of_a_phone(browser, url, monkeypatch):
    flow = Measuring(monkeypatch)
    with visiting(browser, url, width=390) as page:
        choose_example(page, 1)
        page.get_by_label("Motion", exact=True).check()
        page.locator("#motion-status .message", has_text="frame 1 of many").wait_for()
        for part in (
            page.locator("#motion-status .message"),
            page.locator("#motion-progress").get_by_role("button", name="Stop", exact=True),
        ):
            box = part.bounding_box()
            assert box["y"] + box["height"] <= 844
        assert page.evaluate("document.documentElement.scrollWidth") <= 390
        flow.released.set()


@needs_chromium
def test_what_has_no_motion_is_a_sentence(page, tmp_path):
    send(page, write_video(tmp_path / "still.webm", 1))
    page.locator(".usage", has_text="single frame").wait_for()
    page.get_by_label("Motion", exact=True).check()
    page.locator("#motion-status .message", has_text="there is no motion to measure").wait_for()
    assert page.get_by_label("Frames", exact=True).is_checked()


@needs_chromium
def test_a_file_that_is_gone_is_a_sentence(page, tmp_path):
    send(page, write_video(tmp_path / "gone.webm", 12))
    page.locator("figcaption .name", has_text="gone").wait_for()
    for upload in Path(os.environ["GRADIO_TEMP_DIR"]).rglob("gone.webm"):
        upload.unlink()
    page.get_by_label("Motion", exact=True).check()
    page.locator("#motion-status .message", has_text="has been deleted").wait_for()
