"""What tests of the page share: a server, visitors in a real Chromium, and what they do there."""

import shutil
import threading
from contextlib import contextmanager

import pytest

from demo.engine import Engine
from demo.examples import EXAMPLES
from demo.serve import serve
from s2vt_model.progress import Progress

CHROMIUM = shutil.which("chromium") or shutil.which("google-chrome")
needs_chromium = pytest.mark.skipif(CHROMIUM is None, reason="no chromium or google-chrome on this machine")
PATIENCE_MS = 60_000  # a busy machine is slow; no wait is that long on an idle one


@contextmanager
def running(engine: Engine):
    demo = serve(engine, "127.0.0.1", quiet=True)
    engine.start()
    try:
        yield demo.local_url
    finally:
        demo.close()


@contextmanager
def visiting(browser, url, width=1280, **context):
    """A page that must stay free of errors and must not call anybody else."""
    errors, strangers = [], []
    own = (url, "data:", "blob:")
    context = browser.new_context(viewport={"width": width, "height": 844}, **context)
    page = context.new_page()
    page.set_default_timeout(PATIENCE_MS)
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.on("console", lambda message: _is_ours(message) and errors.append(f"{message.text} {message.location}"))
    page.on("request", lambda request: request.url.startswith(own) or strangers.append(request.url))
    page.goto(url)
    page.locator(".gallery button").first.wait_for()
    yield page
    context.close()
    assert not errors, errors
    assert not strangers, strangers


def _is_ours(message) -> bool:
    """Gradio complains when it cancels what has not quite begun, or has just ended: nothing is lost by that."""
    late = message.location["url"].endswith(("/gradio_api/cancel", "/gradio_api/reset"))
    return message.type == "error" and not late


def choose_example(page, index=0):
    page.locator(".gallery button").nth(index).click()
    name = EXAMPLES[index].path.name
    page.locator("figcaption .name", has_text=name).wait_for()
    page.locator(".player:not([data-stored]) .word").first.wait_for()  # its stored caption is there at once


def traced(page):
    """Wait for the trace of the caption on show."""
    page.locator(".player:not([data-stored]) .trace[aria-busy=false]").wait_for()


def send(page, path):
    page.set_input_files("#upload input[type=file]", path)


def say(page, text):
    """Wait until the line of stages says it."""
    page.locator("#status .message", has_text=text).wait_for()


class Held:
    """The CNN, at work until it is released."""

    def __init__(self, captioner, patch):
        self.extract = captioner.streams["rgb"].backbone.extract
        self.released, self.left = threading.Event(), threading.Event()
        patch.setattr(captioner.streams["rgb"].backbone, "extract", self)

    def __call__(self, frames):
        try:
            while not self.released.wait(0.1):
                yield Progress("features", 0.5, "Looking at frame 1 of many")
            return (yield from self.extract(frames))
        finally:
            self.left.set()
