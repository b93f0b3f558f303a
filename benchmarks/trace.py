"""What seeing through a clip costs: the ratio of a traced decoding to a plain one, seconds, and kilobytes.

    python -m benchmarks.trace                    (the rabbit of the examples)
    python -m benchmarks.trace clip.mp4 --page    (also on the page, in Chromium)

The clip is read as `FRAMES` frames. A traced decoding keeps the beam's tree, and all gates and states of reading the
film and of writing the best sentence. The rest asks further questions: as it watches (all beginnings of the film), and
the maps (every frame about every word, by the model and by one of shuffled weights).
"""

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

from s2vt_model.captioner import Captioner, Features
from s2vt_model.decoding import DecodingOptions
from s2vt_model.progress import finish
from s2vt_model.trace import Film, Trace, film_of, trace
from s2vt_model.trace.make import record
from s2vt_model.video import Sampling

RABBIT = Path(__file__).parents[1] / "demo/examples/rabbit.mp4"
FRAMES = 80
SENTENCE = "a man and a woman are in the kitchen and cutting a piece of meat"  # 15 words
REPEATS = 9


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("clip", type=Path, nargs="?", default=RABBIT)
    parser.add_argument("--page", action="store_true", help="also time the page (needs requirements-dev.txt, Chromium)")
    options = parser.parse_args()
    captioner = reading_often(Captioner.load("rgb", device="cpu"))
    film = film_of(captioner, finish(captioner.look(options.clip)))
    print(f"{options.clip.name}: {len(film.streams['rgb'].frames)} frames, {torch.get_num_threads()} threads")

    compare(captioner, film.features)
    words = captioner.vocabulary.encode(SENTENCE)
    for prefix in ((), words):
        measure(captioner, film, prefix)
    if options.page:
        time_the_page(captioner, options.clip)


def reading_often(captioner: Captioner) -> Captioner:
    """The same model, which takes `FRAMES` frames of a clip."""
    stream = captioner.streams["rgb"]
    config = replace(stream.checkpoint.config, sampling=Sampling(1, FRAMES))
    often = replace(stream, checkpoint=replace(stream.checkpoint, config=config))
    return Captioner(captioner.name, {"rgb": often}, {"rgb": 1.0})


def compare(captioner: Captioner, features: Features) -> None:
    """Plain and traced decodings take turns; both are medians."""
    options = captioner.default_options

    def plain() -> None:
        captioner.decode([features], options)

    def traced() -> None:
        record(captioner, features, options)

    both = [(timed(plain)[0], timed(traced)[0]) for _ in range(REPEATS)]
    without, with_trace = (1000 * statistics.median(times) for times in zip(*both, strict=True))
    print(f"decoding {without:.0f} ms, traced {with_trace:.0f} ms: ratio {with_trace / without:.2f}")


def measure(captioner: Captioner, film: Film, prefix: list[int] | tuple[()]) -> None:
    options = replace(captioner.default_options, max_words=max(len(prefix), DecodingOptions().max_words))
    rows_s, _ = timed(lambda: finish(trace(captioner, film, options, prefix=prefix, attribution=None)))
    all_s, found = timed(lambda: finish(trace(captioner, film, options, prefix=prefix)))
    written_words = len(found.words) - found.finished
    print(
        f"{written_words} words: rows {rows_s:.1f} s, all with its maps {all_s:.1f} s, "
        f"JSON {len(found.to_json().encode()) / 1000:.0f} kB a stream; integrated gradients are "
        f"{worst_completeness(found):.3f} nat off at most"
    )


def worst_completeness(found: Trace) -> float:
    return max(
        abs(error) for stream in found.streams for map_ in stream.attribution for error in map_.completeness_error or ()
    )


def time_the_page(captioner: Captioner, clip: Path) -> None:
    """From the caption on the page to its rows and its maps, painted."""
    from playwright.sync_api import sync_playwright

    from demo.engine import Engine
    from tests.browsing import CHROMIUM, running, send, visiting

    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        upload = Path(folder) / f"upload{clip.suffix}"  # a file of the visitor's own: examples bring stored traces
        upload.write_bytes(clip.read_bytes())
        browser = playwright.chromium.launch(executable_path=CHROMIUM)
        with running(Engine(lambda _: captioner)) as url, visiting(browser, url) as page:
            send(page, upload)
            page.locator(".word").first.wait_for()
            began = time.perf_counter()
            page.locator("details[data-row=beam]").wait_for()
            painted(page)
            rows_s = time.perf_counter() - began
            page.locator(".trace[aria-busy=false] .attribution-map svg").wait_for(timeout=600_000)
            painted(page)
            maps_s = time.perf_counter() - began
        browser.close()
    print(f"page: from the caption to the painted rows {rows_s:.1f} s, to the painted maps {maps_s:.1f} s")


def painted(page: Any) -> None:
    """Wait for the frame after the next: what was drawn before is on the screen then."""
    page.evaluate("new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))")


def timed(work: Callable[[], Any]) -> tuple[float, Any]:
    began = time.perf_counter()
    result = work()
    return time.perf_counter() - began, result


if __name__ == "__main__":
    main()
