"""The menu of models: what is offered, what another choice costs, and who has how much say."""

import json
import math
import time
from dataclasses import replace

import pytest
import torch
from gradio_client import Client, handle_file

from demo.comparison import compare
from demo.engine import Engine
from demo.examples import EXAMPLES
from demo.watching import Wish, watch, write
from s2vt_model.captioner import Captioner
from s2vt_model.decoding import DecodingOptions
from s2vt_model.errors import CheckpointError, S2VTError, VideoError
from s2vt_model.models import Catalogue, Model
from s2vt_model.progress import Progress, finish
from s2vt_model.stream import Stream
from s2vt_model.video import Sampling
from tests.browsing import choose_example, needs_chromium, running, say, visiting

DOG = EXAMPLES[0].path
NO_MOTION = "it shows no motion. Give it a longer part."


class Seeing:
    """A backbone that counts its looks and can be made to wait."""

    def __init__(self, shade: float):
        self.config = type("Config", (), {"feature_size": 1280, "name": "seeing"})
        self.device = torch.device("cpu")
        self.shade = shade
        self.looks = 0
        self.is_held = self.is_blind = False

    def features_of(self, clip):
        self.looks += 1
        while self.is_held:
            time.sleep(0.05)
            yield Progress("features", 0.5, "Looking at frame 1 of many")
        yield Progress("features", 0.0, "Looking at the frames")
        if self.is_blind:
            raise VideoError(NO_MOTION)
        return torch.full((len(clip.frames), 1280), self.shade)


class Zoo:
    """Models of two backbones: "rgb" and "mean-pool" share a view, "motion" looks at twice as many frames."""

    def __init__(self, library: Captioner, mean_pool: Captioner):
        rgb, mean = library.streams["rgb"], mean_pool.streams["mean-pool"]
        self.frames, self.flow = Seeing(0.1), Seeing(0.6)
        often = replace(rgb.checkpoint, config=replace(rgb.checkpoint.config, sampling=Sampling(5)))
        self.streams = {
            "rgb": replace(rgb, backbone=self.frames),
            "mean-pool": replace(mean, backbone=self.frames),
            "motion": Stream(often, self.flow),
        }
        single = {name: self.model(name, f"how {name} sees") for name in self.streams}
        both = self.model("rgb+motion", "both together", {"rgb": 0.75, "motion": 0.25}, DecodingOptions("greedy"))
        three = self.model("rgb+mean-pool+motion", "all", dict.fromkeys(self.streams, 1 / 3), DecodingOptions("greedy"))
        broken = Model("broken", "a broken one", {"broken": None}, {"broken": 1.0}, None)
        self.catalogue = Catalogue("rgb", single | {"broken": broken}, {m.name: m for m in (both, three)})

    def model(self, name, about, alpha=None, decoding=None) -> Model:
        alpha = alpha or {name: 1.0}
        return Model(name, about, dict.fromkeys(alpha), alpha, decoding)

    def load(self, model: Model) -> Captioner:
        if model.name == "broken":
            raise CheckpointError("The checkpoint “broken” is damaged.")
        return Captioner(model.name, {n: self.streams[n] for n in model.checkpoints}, model.alpha, model.decoding)

    @property
    def looks(self) -> tuple[int, int]:
        return self.frames.looks, self.flow.looks


@pytest.fixture(scope="module")
def mean_pool():
    return Captioner.load("mean-pool", device="cpu")


@pytest.fixture
def zoo(captioner, mean_pool):
    return Zoo(captioner, mean_pool)


@pytest.fixture
def engine(zoo):
    return Engine(zoo.load, lambda: zoo.catalogue)


@pytest.fixture
def visit(browser, engine):
    with running(engine) as url, visiting(browser, url) as page:
        page.get_by_label("rgb", exact=True).wait_for()
        yield page


def choose(page, model):
    page.get_by_label(model, exact=True).check()
    page.locator("#model", has_text=f"{model}: ").get_by_text("words and runs on").wait_for()


# --- without a page --------------------------------------------------------------------------


def look(engine, model, before=None, part=(None, None)):
    return finish(watch(engine, Wish(DOG, *part, model), before, None))


def test_another_model_of_the_same_view_looks_at_nothing(engine, zoo):
    first = look(engine, "rgb")
    second = look(engine, "mean-pool", first)
    assert zoo.looks == (1, 0)
    assert first.seconds
    assert second.seconds is None
    assert second.scene is first.scene
    assert finish(write(engine, second, DecodingOptions("greedy")))["candidates"]


def test_a_new_view_is_all_that_is_computed(engine, zoo):
    first = look(engine, "rgb")
    both = look(engine, "rgb+motion", first)
    assert zoo.looks == (1, 1)
    assert len(both.scene["frames"]) == 5
    motion = look(engine, "motion", both)
    assert len(motion.scene["frames"]) == 10
    assert look(engine, "rgb", motion).scene is first.scene
    assert zoo.looks == (1, 1)


def test_another_part_of_the_video_is_another_look(engine, zoo):
    first = look(engine, "rgb")
    part = look(engine, "rgb", first, (0.5, 1.5))
    assert zoo.looks == (2, 0)
    assert part.scene["frames"] != first.scene["frames"]
    assert part.footage is first.footage


@pytest.mark.parametrize("stream", ["rgb", "motion"])
def test_all_the_say_for_one_stream_is_that_stream_alone(engine, stream):
    options = DecodingOptions("greedy")
    shares = {"rgb": 0.0, "motion": 0.0} | {stream: 1.0}
    fused = finish(write(engine, look(engine, "rgb+motion"), options, shares))
    alone = finish(write(engine, look(engine, stream), options))
    assert fused["candidates"][0]["text"] == alone["candidates"][0]["text"]


@pytest.mark.parametrize(
    ("model", "usage"),
    [
        ("rgb", "The model saw 5 of 46 frames (every 10th), from 0.0 s to 1.3 s."),
        (
            "rgb+mean-pool+motion",
            "The rgb and mean-pool streams saw 5 of 46 frames (every 10th), from 0.0 s to 1.3 s. "
            "The motion stream saw 10 of 46 frames (every 5th), from 0.0 s to 1.5 s.",
        ),
    ],
)
def test_it_is_told_which_stream_saw_which_frames(engine, model, usage):
    assert finish(write(engine, look(engine, model), DecodingOptions("greedy")))["usage"] == usage


def test_the_words_and_the_end_make_up_the_whole(engine):
    """Students multiply what stands on the words; without the end, it is not the sentence's probability."""
    for sentence in finish(write(engine, look(engine, "rgb"), DecodingOptions("beam", 3)))["candidates"]:
        whole = math.prod([*(word["prob"] for word in sentence["words"]), sentence["end"]])
        assert math.isclose(whole, sentence["prob"], rel_tol=1e-5)
    (cut,) = finish(write(engine, look(engine, "rgb"), DecodingOptions("greedy", max_words=1)))["candidates"]
    assert cut["end"] is None
    assert math.isclose(cut["words"][0]["prob"], cut["prob"], rel_tol=1e-5)


def test_a_left_out_stream_is_told(engine, zoo):
    zoo.flow.is_blind = True
    record = finish(write(engine, look(engine, "rgb+motion"), DecodingOptions("greedy")))
    assert record["usage"].endswith(f"The motion stream was left out: {NO_MOTION}")


def test_an_unknown_model_is_a_sentence(engine):
    with pytest.raises(S2VTError, match="Name one of rgb, mean-pool, motion"):
        look(engine, "guess")


# --- the page --------------------------------------------------------------------------------


@needs_chromium
def test_the_menu_lists_the_catalogue(visit, zoo):
    labels = visit.locator("#models label").all_inner_texts()
    assert [label.strip() for label in labels] == [model.name for model in zoo.catalogue.models]
    assert visit.get_by_label("rgb", exact=True).is_checked()
    choose(visit, "mean-pool")
    visit.locator("#model", has_text="how mean-pool sees").wait_for()


@needs_chromium
def test_another_choice_writes_again_with_its_own_decoding(visit, zoo):
    choose_example(visit)
    assert zoo.looks == (1, 0)
    visit.evaluate("document.querySelector('video').marked = true")
    choose(visit, "mean-pool")
    visit.locator(".cost", has_text="the features were kept").wait_for()
    assert zoo.looks == (1, 0)
    assert visit.locator(".shares").is_hidden()
    choose(visit, "rgb+motion")
    visit.locator(".eyebrow", has_text="greedy").wait_for()
    assert zoo.looks == (1, 1)
    assert visit.get_by_label("Greedy").is_checked()
    choose(visit, "motion")
    visit.locator(".eyebrow", has_text="beam").wait_for()
    assert visit.locator(".strip button").count() == 10
    assert zoo.looks == (1, 1)
    assert visit.locator("#status .status").is_hidden()


@needs_chromium
def test_shares_are_moved_without_looking_again(visit, zoo):
    choose(visit, "rgb+motion")
    choose_example(visit)
    slider = visit.locator(".shares input")
    assert slider.count() == 1
    assert [s.strip() for s in visit.locator(".shares .share").all_inner_texts()] == ["0.75", "0.25"]
    first = visit.locator(".word span").all_inner_texts()
    slider.fill("1")
    visit.wait_for_function(
        "before => [...document.querySelectorAll('.word span')].map((s) => s.innerText).join() !== before",
        arg=",".join(first),
    )
    assert visit.locator(".shares .share").all_inner_texts() == ["0.00", "1.00"]
    slider.fill("0.25")
    visit.wait_for_function(
        "before => [...document.querySelectorAll('.word span')].map((s) => s.innerText).join() === before",
        arg=",".join(first),
    )
    assert zoo.looks == (1, 1)


@needs_chromium
def test_three_streams_have_a_slider_each_that_add_up(visit):
    choose(visit, "rgb+mean-pool+motion")
    visit.get_by_label("Share of mean-pool").fill("0")
    shares = [float(text) for text in visit.locator(".shares .share").all_inner_texts()]
    assert shares[1] == 0
    assert sum(shares) == pytest.approx(1, abs=0.02)


@needs_chromium
def test_a_choice_while_a_video_is_looked_at_takes_over(visit, zoo):
    zoo.frames.is_held = True
    visit.locator(".gallery button").first.click()
    say(visit, "Looking at frame 1 of many")
    choose(visit, "motion")
    visit.locator(".strip button").nth(9).wait_for()
    assert zoo.looks == (1, 1)


@needs_chromium
def test_stop_ends_the_look_of_another_model(visit, zoo):
    choose_example(visit)
    zoo.flow.is_held = True
    choose(visit, "motion")
    say(visit, "Looking at frame 1 of many")
    visit.get_by_role("button", name="Stop", exact=True).click()
    say(visit, "Stopped.")
    assert visit.locator(".strip button").count() == 5
    choose(visit, "mean-pool")  # of what is on show
    visit.locator(".cost", has_text="the features were kept").wait_for()


@needs_chromium
def test_a_model_that_cannot_be_loaded_leaves_the_others(visit):
    choose_example(visit)
    visit.get_by_label("broken", exact=True).check()
    visit.locator("#model [role=alert]", has_text="The checkpoint “broken” is damaged.").wait_for()
    choose(visit, "mean-pool")
    visit.locator(".cost", has_text="the features were kept").wait_for()


# --- all models at once ----------------------------------------------------------------------


def rows_of(engine, watched):
    models = finish(engine.catalogue()).models
    return [step for step in compare(engine, models, watched) if not isinstance(step, Progress)]


def test_a_comparison_looks_once_at_every_view(engine, zoo):
    first = look(engine, "mean-pool")
    steps = rows_of(engine, first)
    assert [row["name"] for row, _ in steps] == [
        "rgb", "mean-pool", "broken", "motion", "rgb+motion", "rgb+mean-pool+motion"
    ]  # fmt: skip
    assert zoo.looks == (1, 1)
    known = steps[-1][1]
    assert known.wish is first.wish
    assert len(known.views) == 2
    assert all(known is first for _, known in steps[:3])
    for row, _ in steps:
        if row["name"] == "broken":
            assert row["problem"] == "The checkpoint “broken” is damaged."
        else:
            assert row["caption"]
            assert 0 < row["prob"] <= 1
    looked = [row["name"] for row, _ in steps if row.get("seconds_to_look") is not None]
    assert looked == ["motion"]


def test_a_comparison_tells_what_was_left_out(engine, zoo):
    zoo.flow.is_blind = True
    rows = {row["name"]: row for row, _ in rows_of(engine, look(engine, "rgb"))}
    assert rows["motion"]["problem"] == f"“{DOG.name}” cannot be captioned: {NO_MOTION}"
    assert rows["rgb+motion"]["note"] == f"The motion stream was left out: {NO_MOTION}"


@needs_chromium
def test_compare_shows_a_row_a_model_as_they_finish(visit, zoo):
    choose_example(visit)
    zoo.flow.is_held = True
    visit.get_by_role("button", name="Compare all models").click()
    visit.locator("#compare-status .message", has_text="Looking at frame 1 of many").wait_for()
    assert visit.locator(".comparison li").count() == 3  # two that need not look, and the broken one
    zoo.flow.is_held = False
    visit.locator(".comparison li").nth(5).wait_for()
    names = visit.locator(".comparison .who .name").all_inner_texts()
    assert len(set(names)) == len(zoo.catalogue.models)
    assert visit.locator(".comparison li[aria-current] .name").inner_text().startswith("rgb")
    assert visit.locator(".comparison .caption").count() == 5
    visit.locator("#compare-status .status").wait_for(state="hidden")
    choose(visit, "rgb+motion")
    visit.locator(".cost", has_text="the features were kept").first.wait_for()
    assert zoo.looks == (1, 1)


@needs_chromium
def test_compare_can_be_stopped(visit, zoo):
    choose_example(visit)
    zoo.flow.is_held = True
    visit.get_by_role("button", name="Compare all models").click()
    visit.locator("#compare-status .message", has_text="Looking at frame 1 of many").wait_for()
    line = visit.locator(".progress", has=visit.locator("#compare-status"))
    line.get_by_role("button", name="Stop", exact=True).click()
    visit.locator("#compare-status .message", has_text="Stopped.").wait_for()
    assert visit.locator(".comparison li").count() == 3


# --- programs --------------------------------------------------------------------------------


def test_the_endpoint_takes_a_model(engine):
    with running(engine) as url:
        client = Client(url, verbose=False)
        record = client.predict(handle_file(DOG), model="motion+rgb", api_name="/caption")
        assert record["model"] == "rgb+motion"
        assert json.dumps(record["frames"]).count("index") == 5
        with pytest.raises(ValueError, match="There is no model “guess”"):
            client.predict(handle_file(DOG), model="guess", api_name="/caption")
