"""The trace on the page, in a real Chromium: what a click, a key and a playing film do to it."""

import functools
import json
import math
import re
import time
from dataclasses import replace
from pathlib import Path

import pytest

from demo.engine import Engine
from demo.examples import EXAMPLES
from demo.stored import stored_record
from s2vt_model.captioner import Captioner
from s2vt_model.progress import Progress, finish
from s2vt_model.trace import Trace, film_of, trace
from s2vt_model.trace.what_if import reverse
from s2vt_model.video import Sampling
from tests.browsing import choose_example, needs_chromium, running, send, traced, visiting
from tests.test_demo import film

pytestmark = needs_chromium
COCKATOO = 1


@pytest.fixture
def shown(page):
    """The page with an example and its trace, paused at its start."""
    choose_example(page, COCKATOO)
    traced(page)
    page.wait_for_function("document.querySelector('video').readyState >= 2")
    page.evaluate("document.querySelector('video').pause(); document.querySelector('video').currentTime = 0")
    page.wait_for_function("!document.querySelector('video').seeking")
    return page


@pytest.fixture(scope="module")
def trace_of(captioner):
    """What the page is to show of an example: its trace, made once."""
    return functools.cache(lambda example: finish(trace(captioner, finish(captioner.look(example.path)))))


@pytest.fixture(scope="module")
def record(trace_of):
    return json.loads(trace_of(EXAMPLES[COCKATOO]).to_json())


def open_row(page, name):
    page.locator(f"details[data-row={name}] summary").click()


def now(page):
    return page.evaluate("document.querySelector('video').currentTime")


# --- stored traces ---------------------------------------------------------------------------


def test_an_example_is_alive_before_any_weight_is_loaded(browser):
    def load(_):
        raise AssertionError("no weight is needed")

    with running(Engine(load)) as url, visiting(browser, url) as page:
        page.locator(".gallery button").nth(COCKATOO).click()
        page.locator(".trace .plot svg").first.wait_for()
        assert page.locator(".strip button").count() == 10
        assert page.locator(".player[data-stored] .caption").is_visible()
        page.wait_for_function("document.querySelector('video').readyState >= 2")
        assert page.get_by_label("Motion", exact=True).is_disabled()  # nothing was watched that could be measured
        assert page.locator(".not-yet").is_visible()


@pytest.fixture(scope="module")
def default_model():
    return Captioner.load(device="cpu")


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda example: example.path.stem)
def test_stored_traces_are_what_the_default_model_says_now(default_model, example):
    found = Trace.from_json(example.trace.read_text(encoding="utf-8"))
    seen = finish(default_model.look(example.path))
    captions = default_model.write(seen.features)
    assert found.caption == captions.best.text
    assert found.decoding == default_model.default_options
    now = [word.log_prob for word in captions.best.words]
    assert [word.log_prob for word in found.words][: len(now)] == pytest.approx(now, abs=1e-3)
    assert [frame.index for frame in found.streams[0].frames] == list(seen.clip.indices)


def test_the_film_goes_on_when_the_model_catches_up(page):
    page.locator(".gallery button").nth(COCKATOO).click()
    page.locator(".player[data-stored] .trace").wait_for()
    page.evaluate("document.querySelector('.strip button').marked = true")
    traced(page)
    assert page.evaluate("document.querySelector('.strip button').marked")
    assert page.get_by_label("Motion", exact=True).is_enabled()
    assert page.locator(".not-yet").is_hidden()


# --- time ------------------------------------------------------------------------------------


def test_the_cursor_stays_within_a_frame_of_the_playing_film(shown, record):
    """The cursor's place on the axis, as it is painted, against the film's clock."""
    found = shown.evaluate(
        """async () => {
            const video = document.querySelector('video');
            const cursor = document.querySelector('.attribution-map .cursor');
            const plot = document.querySelector('.attribution-map .plot');
            const place = () => cursor.getBoundingClientRect().left - plot.getBoundingClientRect().left + 1;
            const at = async (time) => {
                video.currentTime = time;
                await new Promise((done) => video.addEventListener('seeked', done, { once: true }));
                await new Promise(requestAnimationFrame);
                return place();
            };
            const [left, right] = [await at(0), await at(4)];
            await at(0);
            await video.play();
            const samples = [];
            while (samples.length < 100) {
                await new Promise(requestAnimationFrame);
                const time = 4 * (place() - left) / (right - left);
                if (video.currentTime < 4.5 && video.currentTime > 0.1) samples.push([video.currentTime, time]);
            }
            return samples;
        }"""
    )
    frame_s = record["streams"][0]["frames"][1]["time_s"] / record["streams"][0]["frames"][1]["index"]
    late = [abs(clock - cursor) for clock, cursor in found]
    print(f"\ncursor against the clock: at most {1000 * max(late):.0f} ms of a frame's {1000 * frame_s:.0f} ms")
    assert len(found) == 100
    assert len({round(clock, 3) for clock, _ in found}) > 20  # it did play
    assert max(late) <= frame_s


def test_playing_asks_the_server_nothing(shown):
    calls = []
    shown.on("request", lambda request: calls.append(request.url))
    shown.evaluate("document.querySelector('video').play()")
    shown.wait_for_timeout(1500)
    assert not [url for url in calls if "queue" in url]


# --- words and frames ------------------------------------------------------------------------


def weights(page):
    style = "buttons => buttons.map((button) => Number(button.style.getPropertyValue('--weight')))"
    return page.locator(".strip button").evaluate_all(style)


def test_a_word_lights_the_frames_it_came_from(shown, record):
    method = [m["name"] for m in record["methods"]].index("occlusion_replaced")
    values = Trace.from_json(json.dumps(record)).streams[0].attribution[method].values.unpack()
    for word in (1, 2):
        shown.locator(".word").nth(word).click()
        assert shown.locator(".word").nth(word).get_attribute("aria-pressed") == "true"
        expected = abs(values[word]) / abs(values[word]).max()
        assert weights(shown) == pytest.approx(expected.tolist(), abs=2e-3)
        assert record["words"][word]["text"] in shown.locator(".came-from").inner_text()


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda example: example.path.stem)
def test_what_speaks_against_a_word_is_not_lit(page, trace_of, example):
    """Of every word: bright is for, dark with a blue bar is against, and the sentence says which of them there are."""
    choose_example(page, EXAMPLES.index(example))
    traced(page)
    page.evaluate("document.querySelector('video').pause()")
    found = trace_of(example)
    method = [m.name for m in found.methods].index("occlusion_replaced")
    values = found.streams[0].attribution[method].values.unpack()
    for word, shares in enumerate(values[: page.locator(".word").count()]):
        page.locator(".word").nth(word).click()
        most = abs(shares).max()
        is_for, is_against = (shares > 0.05 * most).any(), (shares < -0.05 * most).any()
        sentence = page.locator(".came-from").inner_text()
        assert sentence.startswith("No frame speaks for") != is_for
        assert ("speak against it" in sentence) == is_against
        lit = page.locator(".strip button:not([aria-current]) img").evaluate_all(
            "pictures => pictures.map((picture) => [Number(getComputedStyle(picture).opacity), "
            "[...document.querySelectorAll('.strip img')].indexOf(picture)])"
        )
        assert all(opacity == pytest.approx(0.3 + 0.7 * max(shares[at] / most, 0), abs=0.01) for opacity, at in lit)


def test_a_frame_on_the_axis_leads_there_and_tells_what_it_gave(shown, record):
    shown.evaluate("window.scrollTo(0, document.querySelector('.attribution-map').offsetTop)")
    plot = shown.locator(".attribution-map .plot")
    plot.focus()
    for key in ["ArrowRight", *["ArrowRight"] * 4, "ArrowDown"]:
        shown.keyboard.press(key)
    time_s = record["streams"][0]["frames"][4]["time_s"]
    assert f"at {time_s:.2f} s" in shown.locator(".attribution-map .readout").inner_text()
    shown.keyboard.press("Enter")
    shown.wait_for_function("!document.querySelector('video').seeking")
    assert now(shown) == pytest.approx(time_s, abs=0.02)
    assert shown.locator(".strip button").nth(4).get_attribute("aria-current") == "true"
    assert shown.locator(".word").nth(1).get_attribute("aria-pressed") == "true"
    widths = shown.locator(".gave").evaluate_all("bars => bars.map((bar) => bar.style.width)")
    assert any(width != "0%" for width in widths)

    box = plot.bounding_box()
    shown.mouse.click(box["x"] + box["width"] * 0.3, box["y"] + box["height"] * 0.8)
    shown.wait_for_function(f"document.querySelector('video').currentTime !== {time_s}")
    frames = [frame["time_s"] for frame in record["streams"][0]["frames"]]
    assert min(abs(now(shown) - frame) for frame in frames) < 0.02


def test_nothing_is_attributed_to_another_sentence_of_the_beam(shown):
    """What is known is of the traced sentence: its numbers must not stand under the words of another one."""

    def given():
        return shown.locator(".gave").evaluate_all("bars => bars.filter((bar) => parseInt(bar.style.width)).length")

    def go_to(frame):
        shown.locator(".strip button").nth(frame).click()
        shown.locator(f".strip li:nth-child({frame + 1}) [aria-current]").wait_for()

    shown.locator(".word").nth(1).click()
    go_to(3)
    assert given()
    shown.locator(".candidate").nth(1).click()
    shown.locator(".untraced").wait_for()
    for frame in (5, 2):
        go_to(frame)
        assert not given()
        assert shown.locator(".word[aria-pressed=true]").count() == 0
        assert not any(weights(shown))
    shown.locator(".attribution-map .plot").focus()
    shown.keyboard.press("ArrowDown")
    shown.keyboard.press("Enter")  # a choice in the rows is not one among these words
    assert shown.locator(".word[aria-pressed=true]").count() == 0
    shown.locator(".candidate").nth(0).click()
    assert given()
    assert shown.locator(".word[aria-pressed=true]").count() == 1


def test_the_sentence_forms_as_the_film_is_moved(shown, record):
    open_row(shown, "watching")
    for prefix in (record["watching"][0], record["watching"][-1]):
        shown.evaluate(f"document.querySelector('video').currentTime = {prefix['time_s'] + 0.01}")
        shown.locator(".so-far", has_text=re.compile(f"^{re.escape(prefix['caption'])}$")).wait_for()


def test_every_row_can_be_opened(shown, record):
    for name in ("watching", "chances", "surprise", "sanity", "gates", "survival", "beam"):
        open_row(shown, name)
        shown.locator(f"details[data-row={name}] .body").wait_for()
    assert shown.locator(".candidates li").count() == 10
    assert shown.locator(".correlations td:not(:empty)").count() == 6 * 7
    assert shown.locator(".beam-map text").count() >= len(record["beam"])
    for quantity in "ifogch":
        shown.locator(".quantity").select_option(quantity)
        assert shown.locator(".layer .plot svg path").count() > 10
    shown.locator(".layer .plot").first.focus()
    shown.keyboard.press("ArrowRight")
    shown.keyboard.press("ArrowDown")
    assert re.search(r"unit \d+ of LSTM 1, reading .*: h = ", shown.locator(".layer .readout").first.inner_text())


def test_another_method_is_another_map(shown, record):
    before = shown.locator(".attribution-map svg").inner_html()
    for at, method in enumerate(record["methods"]):
        shown.locator(".method").select_option(str(at))
        assert shown.locator(".definition").inner_text().startswith(method["definition"])
    assert shown.locator(".attribution-map svg").inner_html() != before


# --- the keyboard ----------------------------------------------------------------------------


def test_the_keyboard_is_enough(shown, record):
    frames = [frame["time_s"] for frame in record["streams"][0]["frames"]]
    first = shown.locator(".word").first
    first.focus()
    shown.keyboard.press("Tab")
    shown.keyboard.press("Enter")
    assert shown.locator(".word").nth(1).get_attribute("aria-pressed") == "true"
    for expected in (1, 2):
        shown.keyboard.press("ArrowRight")
        shown.wait_for_function("!document.querySelector('video').seeking")
        assert now(shown) == pytest.approx(frames[expected], abs=0.02)
    shown.keyboard.press("ArrowLeft")
    shown.wait_for_function("!document.querySelector('video').seeking")
    assert now(shown) == pytest.approx(frames[1], abs=0.02)
    shown.keyboard.press(".")
    shown.wait_for_function(f"document.querySelector('video').currentTime > {frames[1] + 0.02}")
    assert now(shown) < frames[2]
    shown.keyboard.press("Space")
    shown.wait_for_function("!document.querySelector('video').paused")
    assert shown.locator(".word").nth(1).get_attribute("aria-pressed") == "true"
    shown.keyboard.press("Space")
    shown.wait_for_function("document.querySelector('video').paused")
    shown.locator("details[data-row=beam] summary").focus()
    shown.keyboard.press("Enter")
    shown.locator(".beam-map svg").wait_for()


def test_a_pause_that_comes_before_the_video_has_begun_to_play_is_no_error(shown):
    shown.evaluate("""async () => {
        const press = () => document.querySelector(".word").dispatchEvent(
            new KeyboardEvent("keydown", {key: " ", code: "Space", bubbles: true, cancelable: true}));
        const video = document.querySelector("video");
        video.currentTime = 1; // while it seeks, it cannot play yet
        press();
        if (video.paused) throw Error("Space did not play");
        press();
        await new Promise((done) => setTimeout(done, 200));
    }""")
    assert shown.evaluate("document.querySelector('video').paused")  # the page's errors are looked at when it closes


# --- a slider, Stop, another video ------------------------------------------------------------


def test_a_moved_slider_traces_again_from_the_kept_features(shown, captioner, monkeypatch):
    def forbidden(*_):
        raise AssertionError("this must not run again")

    monkeypatch.setattr(captioner.streams["rgb"].backbone, "extract", forbidden)
    monkeypatch.setattr("s2vt_model.captioner.read_clips", forbidden)
    shown.get_by_label("Greedy").check()
    shown.locator(".eyebrow", has_text="greedy").wait_for()
    shown.locator("details[data-row=beam]").wait_for(state="hidden")  # greedy has no tree


def endless(*_, **__):
    """A trace that never comes."""
    while True:
        time.sleep(0.1)
        yield Progress("trace", 0.5, "Looking through word 1 of many")


def test_stop_ends_the_tracing_and_keeps_the_caption(page, monkeypatch):
    monkeypatch.setattr("s2vt_model.trace.trace", endless)
    choose_example(page, 0)
    page.locator("#trace-status .message", has_text="word 1 of many").wait_for()
    page.locator("#trace-progress").get_by_role("button", name="Stop", exact=True).click()
    page.locator("#trace-status .message", has_text="Stopped.").wait_for()
    assert page.locator(".caption").is_visible()


def test_a_trace_that_a_bad_file_cut_short_is_made_after_all(page, captioner, monkeypatch, tmp_path):
    actual = trace
    monkeypatch.setattr("s2vt_model.trace.trace", endless)
    send(page, film(tmp_path / "film.webm", "VP80"))
    page.locator("#trace-status .message", has_text="word 1 of many").wait_for()
    monkeypatch.setattr("s2vt_model.trace.trace", actual)
    (tmp_path / "notes.mp4").write_text("no film at all")
    send(page, tmp_path / "notes.mp4")
    page.locator("#status .message", has_text="“notes.mp4” ").wait_for()
    page.locator(".trace[aria-busy=false] .plot svg").first.wait_for()
    assert page.locator(".coming").is_hidden()
    assert page.locator(".name").inner_text() == "film.webm"


# --- the looks -------------------------------------------------------------------------------


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_phone_needs_no_sideways_scrolling(browser, url, scheme):
    with visiting(browser, url, width=390, color_scheme=scheme, has_touch=True) as page:
        choose_example(page, COCKATOO)
        traced(page)
        page.evaluate("document.querySelectorAll('details').forEach((row) => (row.open = true))")
        page.locator(".beam-map svg").wait_for()
        assert page.evaluate("document.documentElement.scrollWidth") <= 390


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_in_the_player(browser, url, scheme):
    axe = pytest.importorskip("axe_playwright_python", reason="axe-core is not installed (requirements-dev.txt)")
    with visiting(browser, url, color_scheme=scheme, reduced_motion="reduce") as page:
        choose_example(page, COCKATOO)
        traced(page)
        page.evaluate("document.querySelectorAll('.player details').forEach((row) => (row.open = true))")
        page.locator(".beam-map svg").wait_for()
        wonder(page, "Run it backwards")  # before and after, side by side
        page.add_script_tag(path=Path(axe.__file__).parent / "axe.min.js")
        found = page.evaluate("axe.run('.player')")
        assert found["passes"]
        problems = [(v["id"], [node["html"][:200] for node in v["nodes"]][:4]) for v in found["violations"]]
        assert not problems


# --- weight and time -------------------------------------------------------------------------


def test_weight_and_time_of_a_long_film(browser, captioner, tmp_path):
    """80 frames: from the caption on the page to its trace on the page, and the size of what travels."""
    stream = captioner.streams["rgb"]
    often = replace(stream.checkpoint, config=replace(stream.checkpoint.config, sampling=Sampling(10, 80)))
    patient = Captioner("rgb", {"rgb": replace(stream, checkpoint=often)}, {"rgb": 1.0})
    path = film(tmp_path / "long.webm", "VP80", seconds=80 * 10 / 30)
    with running(Engine(lambda _: patient)) as url, visiting(browser, url) as page:
        send(page, path)
        page.locator(".word").first.wait_for()
        began = time.perf_counter()
        page.locator("details[data-row=beam]").wait_for()
        rows_s = time.perf_counter() - began
        page.locator(".trace[aria-busy=false] .attribution-map svg").wait_for(timeout=240_000)
        maps_s = time.perf_counter() - began
        with page.expect_download() as download:
            page.get_by_role("button", name="Trace, JSON").click()
        text = download.value.path().read_text(encoding="utf-8")
    trace, kilobytes = json.loads(text), len(text.encode()) / 1000
    assert len(trace["streams"][0]["frames"]) == 80
    words = len(trace["words"])
    print(f"\n80 frames, {words} words, {kilobytes:.0f} kB: rows after {rows_s:.1f} s, maps after {maps_s:.1f} s")
    assert kilobytes < 400


def test_a_stored_record_has_a_picture_for_every_frame():
    for example in EXAMPLES:
        record = stored_record(example, None)
        assert len({frame["image"] for frame in record["frames"]}) > 1
        (sentence,) = record["candidates"]
        assert math.isclose(sentence["prob"], math.exp(record["trace"]["log_prob"]))
        whole = math.prod([*(word["prob"] for word in sentence["words"]), sentence["end"]])
        assert math.isclose(whole, sentence["prob"], rel_tol=1e-4)
    assert stored_record(EXAMPLES[0], "gru") is None


# --- what if ---------------------------------------------------------------------------------


def wonder(page, button):
    page.get_by_role("button", name=button, exact=True).click()
    page.locator(".side").nth(1).wait_for()
    page.locator("#what-if-status .status").wait_for(state="hidden")


def sentences(page):
    return [" ".join(side.locator("b").all_inner_texts()) for side in page.locator(".side").all()]


@pytest.mark.parametrize(
    ("button", "title"),
    [
        ("Run it backwards", "backwards"),
        ("Shuffle the frames", "shuffled"),
        ("Leave out", "without 0 s to "),
        ("Swap the ending", "another clip's ending"),
    ],
)
def test_another_film_is_shown_beside_the_first(shown, button, title):
    open_row(shown, "what-if")
    assert shown.locator(".endings").input_value() != str(COCKATOO)  # its own ending would change nothing
    wonder(shown, button)
    assert title in shown.locator(".side h4").nth(1).inner_text()
    assert shown.locator(".side-map svg").count() == 2
    before = shown.locator(".caption").text_content()
    assert sentences(shown)[0] == f"{before} (end)"

    shown.get_by_role("button", name="Show this one in all rows").click()
    assert title in shown.locator(".looking-at").inner_text()
    shown.get_by_role("button", name="Back to the film").click()
    assert shown.locator(".looking").is_hidden()


@pytest.fixture
def backwards(shown):
    """The page with all its rows showing the what-if of the film backwards."""
    open_row(shown, "what-if")
    wonder(shown, "Run it backwards")
    shown.get_by_role("button", name="Show this one in all rows").click()
    shown.locator(".looking").wait_for()
    return shown


def test_what_an_edited_film_is_watched_as_follows_its_own_order(backwards, captioner, record):
    """While the film shows its last frame, the reversed one stands at its first; and a choice there leads back."""
    film = reverse(film_of(captioner, finish(captioner.look(EXAMPLES[COCKATOO].path))))
    watching = finish(trace(captioner, film, attribution=None)).watching
    times = [frame["time_s"] for frame in record["streams"][0]["frames"]]
    open_row(backwards, "watching")
    for at in (0, len(times) - 1):
        backwards.evaluate(f"document.querySelector('video').currentTime = {times[at] + 0.01}")
        caption = re.escape(watching[len(times) - 1 - at].caption)
        backwards.locator(".so-far", has_text=re.compile(f"^{caption}$")).wait_for()
    backwards.locator(".moment").first.click()
    backwards.wait_for_function("!document.querySelector('video').seeking")
    assert now(backwards) == pytest.approx(times[-1], abs=0.02)


def test_another_word_joins_what_was_done_to_the_film(backwards, captioner, monkeypatch):
    open_row(backwards, "chances")
    backwards.locator(".what-if[aria-busy=false]").wait_for()
    backwards.locator(".candidates button:not(:disabled)").first.wait_for()  # a row is drawn after it was opened
    click = "document.querySelector('.candidates button:not(:disabled)').click()"
    assert backwards.evaluate(f"{click}, document.querySelector('.what-if').getAttribute('aria-busy')") == "true"
    backwards.locator(".side h4", has_text=re.compile("backwards, “.+” as word")).wait_for()
    backwards.locator(".what-if[aria-busy=false]").wait_for()

    # A moved slider writes the film's sentence: what the rows show goes back to it at once, not with its next trace.
    monkeypatch.setattr("s2vt_model.trace.trace", endless)
    backwards.get_by_label("number input for Words, at most").fill("19")
    backwards.locator(".trace[aria-busy=true]").wait_for()
    backwards.locator(".looking").wait_for(state="hidden")
    backwards.locator(".came-from").wait_for()  # it is not there, of an edited film


def test_another_word_is_written_on_from(shown):
    shown.locator(".word").nth(1).click()
    open_row(shown, "chances")
    other = shown.locator(".candidates button:not(:disabled)").first
    word = other.locator("b").inner_text()
    other.click()
    shown.locator(".side").nth(1).wait_for()
    changed = shown.locator(".before-after").nth(1).locator("li")
    assert changed.nth(1).locator("b").inner_text() == word
    assert changed.nth(1).get_attribute("class") == "forced"

    own = shown.get_by_label("Another word")
    own.fill("Dolphin")  # it is not among the ten likeliest
    own.press("Enter")
    shown.locator(".side h4", has_text="“dolphin” as word 2").wait_for()
    assert changed.nth(1).locator("b").inner_text() == "dolphin"

    own.fill("blorp")
    shown.get_by_role("button", name="Write on from it").click()
    shown.locator("#what-if-status .message", has_text="“blorp” is not among the words").wait_for()
    assert shown.locator(".what-if").get_attribute("aria-busy") == "false"


def test_what_cannot_be_is_a_sentence(shown):
    open_row(shown, "what-if")
    shown.locator(".what-if input[name=to]").fill("99")
    shown.get_by_role("button", name="Leave out", exact=True).click()
    shown.locator("#what-if-status .message", has_text="Leave something").wait_for()
    assert shown.locator(".what-if").get_attribute("aria-busy") == "false"
