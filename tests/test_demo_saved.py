"""The page as one file: saved from the page or made from a trace on the command line, opened without a network."""

import json
import re
from xml.etree import ElementTree

import pytest

from demo.__main__ import main
from demo.examples import EXAMPLES
from demo.offline import MAX_CLIP_MB, saved_page
from demo.stored import stored_record
from s2vt_model.errors import S2VTError
from tests.browsing import PATIENCE_MS, choose_example, needs_chromium, traced
from tests.traces import made_trace

COCKATOO = EXAMPLES[1]


@pytest.fixture
def opened(browser):
    """Opens a file with the network off; the page must stay free of errors and ask for nothing."""
    contexts = []

    def open_file(path, width=1280):
        context = browser.new_context(offline=True, viewport={"width": width, "height": 844})
        page = context.new_page()
        page.set_default_timeout(PATIENCE_MS)
        troubles = []
        page.on("pageerror", lambda error: troubles.append(str(error)))
        page.on("console", lambda message: message.type == "error" and troubles.append(message.text))
        page.on("request", lambda r: r.url.startswith(("file:", "blob:", "data:")) or troubles.append(r.url))
        contexts.append((context, troubles))
        page.goto(path.as_uri())
        return page

    yield open_file
    for context, troubles in contexts:
        context.close()
        assert not troubles


def plays_and_follows(page):
    page.locator(".attribution-map svg").wait_for()
    page.evaluate("document.querySelector('video').play()")
    page.wait_for_function("document.querySelectorAll('.strip button')[2].hasAttribute('aria-current')")
    page.wait_for_function("Number(document.querySelector('.trace').dataset.cursor) > 1")
    page.evaluate("document.querySelector('video').pause()")
    page.locator(".word").nth(2).click()
    assert page.locator(".word").nth(2).get_attribute("aria-pressed") == "true"


@needs_chromium
def test_a_page_that_was_saved_plays_offline(page, opened, tmp_path):
    choose_example(page, 1)
    traced(page)
    with page.expect_download() as download:
        page.get_by_role("button", name="This page as one HTML file").click()
    file = tmp_path / download.value.suggested_filename
    download.value.save_as(file)
    assert file.name == "cockatoo.html"
    saved = opened(file)
    assert saved.locator(".caption").inner_text() == page.locator(".caption").inner_text()
    plays_and_follows(saved)
    assert saved.get_by_role("button", name="This page as one HTML file").is_hidden()


@needs_chromium
@pytest.mark.parametrize(
    ("kind", "ending"), [("Trace, JSON", ".trace.json"), ("Subtitles, SRT", ".srt"), ("Subtitles, VTT", ".vtt")]
)
def test_files_can_be_taken_away(page, tmp_path, kind, ending):
    choose_example(page, 1)
    traced(page)
    with page.expect_download() as download:
        page.get_by_role("button", name=kind).click()
    assert download.value.suggested_filename == f"cockatoo{ending}"
    text = download.value.path().read_text(encoding="utf-8")
    caption = page.locator(".caption").text_content()
    if ending == ".trace.json":
        assert json.loads(text)["caption"] == caption
    else:
        assert caption in text
        assert " --> " in text


@needs_chromium
def test_every_row_is_saved_as_a_picture_that_explains_itself(shown):
    page = shown(made_trace(streams=("rgb", "motion")))
    rows = {
        "Where each word came from": ["Occlusion, replaced: a definition", "against the word,", "nat, for it", "(end)"],
        "As it watches": ["A new shade: a new sentence."],
        "What else it could have said": ["Word 1, “a”", "cat", "20 % · rgb 20 % · motion 16 %"],
        "Surprise, word by word": ["surprise, −ln p of the word"],
        "Can the map be trusted?": ["agrees with that of the randomised network"],
        "Inside the memory": ["forget gate f: how much of the cell stays", "LSTM 2: 64 of its 512 units", "shut"],
        "What is left of each frame": ["Exact along the cell state c, the mean", "forgotten"],
        "The search": ["Struck out: dropped."],
    }
    page.locator(".word").first.click()
    buttons = page.get_by_role("button", name="as SVG")
    assert buttons.count() == len(rows)
    for row, texts in rows.items():
        with page.expect_download() as download:
            page.get_by_role("button", name=f"Save “{row}” as SVG").click()
        text = download.value.path().read_text(encoding="utf-8")
        assert text.startswith('<svg xmlns="http://www.w3.org/2000/svg"')
        assert "var(" not in text
        assert f"<title>{row}</title>" in text
        said = " ".join(" ".join(node.itertext()) for node in ElementTree.fromstring(text).iterfind(".//{*}text"))
        for expected in [row, "“a dog is lying on the floor” · stream rgb", *texts]:
            assert expected in said


@needs_chromium
def test_a_trace_is_shown_from_the_command_line(opened, tmp_path, capsys):
    page = tmp_path / "page.html"
    assert main(["show", str(COCKATOO.trace), "--video", str(COCKATOO.path), "--out", str(page)]) == 0
    assert capsys.readouterr() == (f"{page}\n", "")
    plays_and_follows(opened(page))


def test_a_page_tells_nothing_of_the_machine_it_was_made_on(tmp_path):
    page = tmp_path / "page.html"
    assert main(["show", str(COCKATOO.trace), "--video", str(COCKATOO.path), "--out", str(page)]) == 0
    stored = stored_record(COCKATOO, None)
    told = {key: stored[key] for key in ("trace", "subtitles")}
    for text in (page.read_text(encoding="utf-8"), saved_page(stored, told, COCKATOO.path)):
        assert COCKATOO.path.name in text
        assert not [folder for folder in COCKATOO.path.parents[:-1] if f"{folder}/" in text]


@needs_chromium
def test_without_its_video_a_trace_is_still_a_page(opened, tmp_path, capsys):
    page = tmp_path / "page.html"
    assert main(["show", str(COCKATOO.trace), "--out", str(page)]) == 0
    assert "--video" in capsys.readouterr().err  # grey frames need an explanation
    shown = opened(page)
    shown.locator(".attribution-map svg").wait_for()
    assert shown.locator("video").is_hidden()


@pytest.fixture
def shown(opened, tmp_path):
    """Opens the page of a trace, with all its rows."""

    def show(trace, width=1280):
        file, page = tmp_path / "trace.json", tmp_path / "page.html"
        file.write_text(json.dumps(trace), encoding="utf-8")
        assert main(["show", str(file), "--out", str(page)]) == 0
        shown = opened(page, width)
        shown.locator(".attribution-map svg").wait_for()
        shown.evaluate("document.querySelectorAll('details').forEach((row) => (row.open = true))")
        return shown

    return show


@needs_chromium
def test_a_long_sentence_leaves_a_phone_room_to_read_in(shown):
    """Frames stand beside each other from the left on, and no width is negative: that would be a console error."""
    page = shown(made_trace(sentence=("on",) * 40), width=390)
    cells = page.locator(".attribution-map path").evaluate_all("paths => paths.map((path) => path.getAttribute('d'))")
    places = {float(x) for d in cells for x in re.findall(r"M(\S+)", d)}
    assert len(places) == 10  # frames
    assert min(places) > 50
    assert max(places) - min(places) > 40
    assert page.evaluate("document.documentElement.scrollWidth") <= 390


@needs_chromium
def test_the_search_tells_scores_and_shows_the_cell_that_is_asked_about(shown):
    trace = made_trace()
    page = shown(trace)
    (finished,) = (node for node in trace["beam"] if node["fate"] == "finished")
    assert page.locator(".beam-map text", has_text=f"{finished['score']:.2f}".replace("-", "−")).count() == 1
    page.set_viewport_size({"width": 390, "height": 844})
    page.locator(".beam-map .plot").focus()
    for _ in range(8):
        page.keyboard.press("ArrowRight")
    assert "the end of the sentence" in page.locator(".beam-map .readout").inner_text()
    assert page.evaluate("document.querySelector('.beam-map').scrollLeft") > 300


@needs_chromium
def test_times_that_are_suggested_are_of_the_part_that_was_read(shown):
    page = shown(made_trace(start_s=1.5))
    for name, time_s in (("from", 1.5), ("to", 3.16), ("ending-from", 3.16)):
        assert page.locator(f"input[name={name}]").input_value() == str(time_s)


@needs_chromium
@pytest.mark.parametrize("cell", ["lstm", "gru", "rnn"])
def test_streams_and_cells_of_all_kinds_are_shown(shown, cell):
    page = shown(made_trace(streams=("rgb", "motion"), cell=cell))
    page.get_by_label("motion · α 0.50").check()
    assert page.locator(".quantity option").count() == {"lstm": 6, "gru": 4, "rnn": 1}[cell]
    assert page.locator("details[data-row=survival]").is_visible() == (cell != "rnn")
    rows = " ".join(page.locator("details:is([data-row=gates], [data-row=survival]):visible").all_inner_texts())
    assert f"{cell.upper()} 2: 64 of its 512 units" in rows
    others = {"lstm": "update|GRU|RNN", "gru": "forget|cell|LSTM|RNN", "rnn": "gate|cell|LSTM|GRU"}[cell]
    assert not re.search(others, rows)
    assert page.locator(".chance small").first.inner_text().startswith("rgb 30 % · motion 24 %")


@needs_chromium
def test_of_a_memory_without_a_reading_stage_none_is_told(shown):
    trace = made_trace()
    assert "first reading the frames" in shown(trace).locator("details[data-row=gates] summary").inner_text()
    (stream,) = trace["streams"]
    stream |= {"architecture": "mean_pool", "encoding_steps": 0, "reading_order": []}
    stream["layers"] = [layer | {"survival": None, "log_survival": None} for layer in stream["layers"]]
    assert shown(trace).locator("details[data-row=gates] summary").inner_text().endswith("did at every step.")


@needs_chromium
def test_a_row_with_nothing_to_show_is_not_there_to_be_opened(opened, tmp_path):
    file, page = tmp_path / "trace.json", tmp_path / "page.html"
    file.write_text(json.dumps(made_trace(cell="rnn") | {"watching": [], "beam": []}), encoding="utf-8")
    assert main(["show", str(file), "--out", str(page)]) == 0
    closed = opened(page)
    closed.locator(".attribution-map svg").wait_for()
    rows = closed.locator("details.row:visible").evaluate_all("rows => rows.map((row) => row.dataset.row)")
    assert rows[:4] == ["chances", "surprise", "sanity", "gates"]
    assert not {"watching", "survival", "beam"} & set(rows)


def test_what_is_no_trace_is_a_sentence(tmp_path, capsys):
    file = tmp_path / "notes.json"
    file.write_text("{}")
    assert main(["show", str(file)]) == 1
    assert "This is not a trace" in capsys.readouterr().err
    assert main(["show", str(COCKATOO.path)]) == 1
    assert "This is not a trace" in capsys.readouterr().err
    assert main(["show", str(tmp_path / "none.json")]) == 1


def test_a_clip_that_is_too_large_is_a_sentence(tmp_path):
    clip = tmp_path / "long.mp4"
    with clip.open("wb") as file:
        file.truncate((MAX_CLIP_MB + 1) * 1_000_000)
    with pytest.raises(S2VTError, match=f"holds clips of up to {MAX_CLIP_MB} MB"):
        saved_page({"candidates": [{"text": "a"}]}, {}, clip)
