"""The page and the Hub: a visitor's own checkpoint, and a Hub that hangs, which holds nobody up."""

import threading
import time
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from gradio_client import Client, handle_file

from demo.comparison import compare
from demo.engine import Engine
from demo.examples import EXAMPLES
from demo.limits import MAX_VISITORS_MODELS
from demo.turns import Turns
from demo.watching import Wish, watch
from s2vt_model.captioner import Captioner
from s2vt_model.checkpoint import WEIGHTS
from s2vt_model.errors import HubError, S2VTError
from s2vt_model.hub import Hub, fetch, is_here
from s2vt_model.hub_name import HubName
from s2vt_model.models import Model, read_catalogue
from s2vt_model.progress import Progress, finish
from s2vt_model.stream import StreamLibrary
from tests.browsing import choose_example, needs_chromium, running, say, visiting
from tests.hub_server import serving

FILES = {file.name: file.read_bytes() for file in (WEIGHTS / "meanpool-msvd-rgb").iterdir()}


@pytest.fixture
def server(monkeypatch):
    monkeypatch.setenv("HF_TOKEN", "")
    with serving() as server:
        server.repository("org/mine", FILES)
        yield server


@pytest.fixture(scope="module")
def library() -> StreamLibrary:
    return StreamLibrary("cpu")


@pytest.fixture
def engine(server, library, tmp_path):
    return Engine(
        load=lambda model: Captioner.load(model, library),
        catalogue=lambda: replace(read_catalogue(added=""), default="rgb"),
        fetch=lambda model, is_listed: fetch(model, Hub(server.url, tmp_path / "home", token=False)),
        is_here=lambda model: is_here(model, Hub(server.url, tmp_path / "home")),
    )


def until(condition):
    patience = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < patience
        time.sleep(0.05)


# --- the engine ---------------------------------------------------------------------------------


def test_a_checkpoint_of_the_hub_by_its_name(engine):
    steps = list(engine.captioner("org/mine"))
    captioner = finish(engine.captioner("org/mine"))
    assert captioner.name == "org/mine"
    assert any(step.stage == "download" for step in steps)
    both = finish(engine.captioner("rgb+org/mine"))
    assert list(both.streams) == ["rgb", "org/mine"]


def test_what_failed_is_tried_again_when_asked_again(engine, server):
    server.status = 503
    with pytest.raises(HubError, match="cannot answer now"):
        finish(engine.captioner("org/mine"))
    server.status = None
    assert finish(engine.captioner("org/mine")).name == "org/mine"


def test_when_the_last_one_leaves_the_download_ends(engine, server):
    server.stalls.add("model.safetensors")
    first, second = engine.captioner("org/mine"), engine.captioner("org/mine")
    until(lambda: next(first).stage == "download" and server.asked("GET", "/storage/"))
    next(second)
    first.close()
    assert next(second).stage == "download"  # the other one still waits
    second.close()
    server.stalls.clear()
    assert finish(engine.captioner("org/mine")).name == "org/mine"  # begun anew


def test_visitors_bring_only_so_many(server):
    def load(model: Model):
        return model

    engine = Engine(load, lambda: read_catalogue(added="org/listed"))
    for i in range(MAX_VISITORS_MODELS):
        finish(engine.captioner(f"org/own{i}"))
    assert finish(engine.captioner("org/own0")).name == "org/own0"
    assert finish(engine.captioner("org/listed")).checkpoints == {"org/listed": HubName("org/listed")}
    with pytest.raises(S2VTError, match=f"holds {MAX_VISITORS_MODELS} models that visitors brought"):
        finish(engine.captioner("org/another"))


def test_the_token_is_for_listed_models_alone(monkeypatch):
    from demo.engine import _fetch

    used = []

    def checkpoint(hub, name):
        used.append(hub.token)
        yield from ()
        return WEIGHTS / "meanpool-msvd-rgb"

    monkeypatch.setattr(Hub, "checkpoint", checkpoint)
    model = Model("org/mine", "", {"org/mine": HubName("org/mine")}, {"org/mine": 1.0}, None)
    for is_listed in (True, False):
        finish(_fetch(model, is_listed))
    assert used == [None, False]


def test_a_comparison_downloads_nothing(engine, server):
    """A row tells how the model can be had; once it was chosen, it writes."""

    def rows():
        found = [step[0] for step in compare(engine, models, watched) if not isinstance(step, Progress)]
        return {row["name"]: row for row in found}

    catalogue = finish(engine.catalogue())
    models = [catalogue.model(name) for name in ("rgb", "org/mine", "vgg19")]
    watched = finish(watch(engine, Wish(EXAMPLES[0].path, model="rgb"), None, Path("unused")))
    assert rows()["rgb"]["caption"]
    assert "Choose it once to download it" in rows()["org/mine"]["problem"]
    assert "Choose it once to download it" in rows()["vgg19"]["problem"]  # its backbone would have to come
    assert server.requests == []
    finish(engine.captioner("org/mine"))
    assert rows()["org/mine"]["caption"]


def test_what_is_at_hand_is_found_without_the_hub(server, tmp_path):
    """A name that may mean something else by now must be asked for."""
    commit = server.repository("org/mine").refs["main"]
    hub = Hub(server.url, tmp_path, token=False)
    loose, pinned = (Model("mine", "", {"mine": HubName("org/mine", at)}, {}, None) for at in (None, commit))
    assert not is_here(pinned, hub)
    finish(fetch(loose, hub))
    server.requests.clear()
    assert not is_here(loose, hub)
    assert is_here(pinned, hub)
    assert server.requests == []


# --- turns --------------------------------------------------------------------------------------


def test_one_at_a_time_in_the_order_of_asking():
    turns, done = Turns(), []

    def work(name):
        yield Progress("features", None, name)
        done.append(name)

    first, second, third = (turns.of_program(work(name)) for name in ("first", "second", "third"))
    assert [next(w).message for w in (first, second, third)] == [
        "first", "1 video is ahead of yours", "2 videos are ahead of yours"
    ]  # fmt: skip
    page = turns.of_page(work("page"))
    assert next(page).message == "1 video is ahead of yours"  # programs leave every other turn to the page
    assert next(second).message == "2 videos are ahead of yours"
    finish(first)
    second.close()  # given up
    assert next(third).message == "1 video is ahead of yours"
    finish(page)
    finish(third)
    assert done == ["first", "page", "third"]
    with pytest.raises(TypeError):
        finish(turns.of_page(None))  # a failure
    finish(turns.of_page(work("after it")))
    assert done[-1] == "after it"


@pytest.mark.parametrize("endpoint", ["/caption", "/trace"])
def test_a_program_that_waits_for_the_hub_holds_no_other_up(url, server, endpoint):
    server.stalls.add("model.safetensors")
    clients = [Client(url, verbose=False) for _ in range(2)]
    waiting = clients[0].submit(handle_file(EXAMPLES[0].path), model="org/mine", api_name=endpoint)
    until(lambda: server.asked("GET", "/storage/"))
    answer = clients[1].submit(handle_file(EXAMPLES[0].path), model="rgb", api_name=endpoint).result(timeout=300)
    assert answer["model"] == "rgb"
    assert not waiting.done()
    server.stalls.clear()
    server.released.set()
    assert waiting.result(timeout=300)["model"] == "org/mine"


# --- the page -----------------------------------------------------------------------------------


@pytest.fixture
def url(engine):
    with running(engine) as url:
        yield url


def bring(page, name):
    box = page.locator("#unlisted input, #unlisted textarea")
    box.fill(name)
    box.press("Enter")


@contextmanager
def waiting_for_the_hub(browser, url, server):
    """The page of a visitor whose checkpoint does not arrive."""
    server.stalls.add("model.safetensors")
    with visiting(browser, url) as page:
        page.locator("#model", has_text="words and runs on").wait_for()
        bring(page, "org/mine")
        say(page, "Downloading org/mine")
        yield page


@needs_chromium
def test_a_visitor_brings_a_checkpoint(browser, url, server):
    with visiting(browser, url) as page:
        page.locator("#model", has_text="words and runs on").wait_for()
        bring(page, "org/mine")
        page.locator("#model", has_text="org/mine: ").get_by_text("words and runs on").wait_for()
        assert page.get_by_label("org/mine", exact=True).is_checked()
        choose_example(page)
        bring(page, "org/none")
        alert = page.locator("#model [role=alert]")
        alert.get_by_text("There is no “org/none” on the Hub").wait_for()
        alert.get_by_text("“org/mine” is chosen in its place.").wait_for()
        bring(page, "nonsense")
        alert.get_by_text("“nonsense” is no name on the Hub: write org/name").wait_for()
        page.get_by_label("rgb", exact=True).check()
        page.locator("#model", has_text="rgb: ").get_by_text("words and runs on").wait_for()
        page.locator(".word").first.wait_for()


@needs_chromium
def test_a_hub_that_hangs_holds_nobody_up(browser, url, server, engine):
    """Usable within 2 s, and a caption of the embedded checkpoint in its usual time, while the Hub says nothing."""
    finish(engine.captioner("rgb"))
    usual = _seconds(lambda: finish(watch(engine, Wish(EXAMPLES[0].path, model="rgb"), None, Path("unused"))))
    server.is_hanging = True
    with visiting(browser, url) as waiting:
        waiting.locator("#model", has_text="words and runs on").wait_for()
        bring(waiting, "org/mine")
        say(waiting, "Asking the Hugging Face Hub")
        with visiting(browser, url) as page:
            ready = page.evaluate("performance.timing.domContentLoadedEventEnd - performance.timing.navigationStart")
            assert ready < 2000
            took = _seconds(lambda: finish(watch(engine, Wish(EXAMPLES[0].path, model="rgb"), None, Path("unused"))))
            assert took < 3 * usual + 1
            choose_example(page)
        waiting.locator("#model [role=alert]").get_by_text("cannot be reached").wait_for()
        choose_example(waiting, 1)


@needs_chromium
def test_stop_ends_the_wait_for_the_hub(browser, url, server):
    with waiting_for_the_hub(browser, url, server) as page:
        page.get_by_role("button", name="Stop", exact=True).first.click()
        say(page, "Stopped.")
        assert page.get_by_label("rgb", exact=True).is_checked()
        choose_example(page)


@needs_chromium
def test_a_listed_model_whose_network_is_on_the_hub(browser, url, server):
    """Nothing is asked for before it is chosen; where it cannot be had, the page goes on with another."""
    with visiting(browser, url) as page:
        page.locator("#model", has_text="words and runs on").wait_for()
        choose_example(page)
        assert server.requests == []
        server.status = 503
        page.get_by_label("vgg19", exact=True).check()
        alert = page.locator("#model [role=alert]")
        alert.get_by_text("cannot answer now").wait_for()
        alert.get_by_text("“rgb” is chosen in its place.").wait_for()
        assert page.get_by_label("rgb", exact=True).is_checked()
        assert server.asked("GET", "timm/vgg19.tv_in1k")


@pytest.fixture
def arrived(monkeypatch):
    """What mean pooling's loading waits for."""
    arrived, load = threading.Event(), Captioner.load

    def load_late(model, library):
        assert model.name != "mean-pool" or arrived.wait(60)
        return load(model, library)

    monkeypatch.setattr(Captioner, "load", load_late)
    return arrived


@needs_chromium
def test_a_later_choice_stands(browser, url, server, arrived):
    """Whatever becomes of the checkpoint that was asked for before, and whenever."""
    with waiting_for_the_hub(browser, url, server) as page:
        about = page.locator("#model")
        page.get_by_label("mean-pool", exact=True).check()
        about.get_by_text("mean-pool: ").get_by_text("It is loading.").wait_for()
        server.status = 503
        server.released.set()
        page.wait_for_timeout(3000)  # the time in which the other would be given up, and say so
        assert about.inner_text().startswith("mean-pool: ")
        arrived.set()
        about.get_by_text("mean-pool: ").get_by_text("words and runs on").wait_for()
        assert page.get_by_label("mean-pool", exact=True).is_checked()
        bring(page, "nonsense")
        about.get_by_text("is no name on the Hub").wait_for()


@needs_chromium
def test_a_video_that_is_chosen_while_a_model_loads_stands(browser, url, server, arrived):
    with visiting(browser, url) as page:
        page.locator("#model", has_text="words and runs on").wait_for()
        choose_example(page, 0)
        page.get_by_label("mean-pool", exact=True).check()
        page.locator("#model").get_by_text("mean-pool: ").get_by_text("It is loading.").wait_for()
        page.locator(".gallery button").nth(1).click()
        page.wait_for_timeout(1000)  # both wait for the model now
        arrived.set()
        page.locator("#model", has_text="mean-pool: ").get_by_text("words and runs on").wait_for()
        page.locator("figcaption .name", has_text=EXAMPLES[1].path.name).wait_for()
        page.locator(".player:not([data-stored]) .word").first.wait_for()
        for _ in range(2):  # the time in which the other video would come back
            page.wait_for_timeout(3000)
            page.locator("#status .status").wait_for(state="hidden")
        assert page.locator("figcaption .name").inner_text() == EXAMPLES[1].path.name


def _seconds(task) -> float:
    began = time.perf_counter()
    task()
    return time.perf_counter() - began
