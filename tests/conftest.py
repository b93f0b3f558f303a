"""What several test files share."""

import os

import pytest

from s2vt_model.captioner import Captioner


@pytest.fixture(scope="session")
def captioner() -> Captioner:
    """The RGB stream that comes with the project, on the CPU."""
    return Captioner.load("rgb", device="cpu")


# --- the page; what it needs is imported where a test visits it --------------------------------


@pytest.fixture(scope="module")
def browser():
    from playwright.sync_api import sync_playwright

    from tests.browsing import CHROMIUM

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM)
        yield browser
        browser.close()


@pytest.fixture(scope="session", autouse=True)
def temporary_files(tmp_path_factory):
    before = os.environ.get("GRADIO_TEMP_DIR")
    os.environ["GRADIO_TEMP_DIR"] = str(tmp_path_factory.mktemp("gradio"))
    yield
    os.environ.pop("GRADIO_TEMP_DIR")
    if before is not None:
        os.environ["GRADIO_TEMP_DIR"] = before


@pytest.fixture(scope="module")
def url(captioner):
    from demo.engine import Engine
    from tests.browsing import running

    with running(Engine(lambda _: captioner)) as url:
        yield url


@pytest.fixture
def page(browser, url):
    from tests.browsing import visiting

    with visiting(browser, url) as page:
        yield page
