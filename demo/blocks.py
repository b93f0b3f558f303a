"""The page: its layout, and which event does what.

- example, upload or part -> wish: what is to be captioned
- wish changes -> ready: its model is loaded, perhaps downloaded first (keeps nobody else waiting)
- ready changes -> watched: read the video, compute its features (slow; Stop ends it)
- watched changes -> player: write sentences and show them (milliseconds)
- a control or α changes -> player: the same again, from the features that were kept
- the player shows a caption -> its trace, in trace_view.py; an example's is stored with the page
- another model -> its controls; chosen, when it is loaded
- chosen changes -> if there is a video by then, a wish: what is known of it is not computed again
- a model of the Hub that is not listed -> it is downloaded, then the same

The motion of the frames and the comparison have their own events, in motion_view.py and compare_view.py.
"""

from __future__ import annotations

import json
import logging
import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import gradio as gr

from demo.api import add_endpoints
from demo.compare_view import CompareView
from demo.component import served_file
from demo.controls import Controls, options_from
from demo.engine import Engine
from demo.examples import EXAMPLES
from demo.examples import FOLDER as EXAMPLES_FOLDER
from demo.gallery import gallery
from demo.limits import CLEAN_UP_EVERY_S, CNN, MAX_UPLOAD_MB, UPLOADS_LIFETIME_S, WRITERS, busy
from demo.menu import Menu
from demo.motion_view import MotionView
from demo.player import player
from demo.shares import moved_to, shown, sliders
from demo.status import FAILED, FORGOTTEN, note, problem, reported, silent, status, waiting, working
from demo.stored import stored_record
from demo.trace_view import TraceView, TraceWish
from demo.tracing import ended_message
from demo.watching import Watched, Wish, watch, with_preview, write
from demo.what_if_view import WhatIfView
from s2vt_model.errors import HubError, S2VTError
from s2vt_model.hub_name import HubName
from s2vt_model.progress import Progress, finish

if TYPE_CHECKING:
    from s2vt_model.captioner import Captioner
    from s2vt_model.models import Model

PAGE = Path(__file__).parent / "page"
ACCEPTED = ["video", ".mp4", ".mov", ".m4v", ".webm", ".mkv", ".avi", ".gif", ".mpg", ".mpeg", ".ogv", ".3gp"]
STAGES = {"read": "Reading", "features": "Features", "decode": "Decoding"}
PRIVATE = {"api_visibility": "private", "show_progress": "hidden"}

Updates = dict[Any, Any]  # component -> its new value or properties


@dataclass(frozen=True, eq=False)  # the same choice again is another one: Gradio must see a change
class Chosen:
    """A model that was chosen and is loaded."""

    name: str


class Page:
    """The components, and what happens to them. `blocks` is what Gradio serves."""

    def __init__(self, engine: Engine):
        self.engine = engine
        gr.set_static_paths([EXAMPLES_FOLDER])
        with gr.Blocks(
            title="S2VT: video to text",
            analytics_enabled=False,
            delete_cache=(CLEAN_UP_EVERY_S, UPLOADS_LIFETIME_S),
        ) as self.blocks:
            self._lay_out()
            self._connect()
            add_endpoints(engine)

    def _lay_out(self) -> None:
        self.wish = gr.State(time_to_live=UPLOADS_LIFETIME_S)
        self.chosen = gr.State(time_to_live=UPLOADS_LIFETIME_S)
        self.ready = gr.State(time_to_live=UPLOADS_LIFETIME_S)
        self.watched = gr.State(time_to_live=UPLOADS_LIFETIME_S)

        gr.HTML(_read("intro.html"))
        self.menu = Menu.draw()
        with gr.Row(elem_id="choice"):
            with gr.Column(scale=3, min_width=320):
                self.gallery = gallery()
            with gr.Column(scale=2, min_width=280):
                gr.HTML(_read("upload.html").format(max_mb=MAX_UPLOAD_MB))
                self.upload = gr.File(
                    label="Your own video", show_label=False, file_types=ACCEPTED, height=176, elem_id="upload"
                )
        with gr.Row(elem_classes="progress"):
            self.status = status("status", STAGES)
            self.stop = gr.Button("Stop", variant="stop", visible=False, scale=0, min_width=84)
        self.player = player()
        self.motion = MotionView(self.engine, self.player, self.watched)
        self.trace = TraceView(self.engine, self.player, self.watched)
        self.what_if = WhatIfView(self.engine, self.player, self.watched, self.trace.wish)
        self.shares = sliders()
        self.comparison = CompareView(self.engine, self.watched)
        with gr.Row(visible=False, elem_id="panel") as self.panel:
            with gr.Column(scale=5, min_width=320):
                gr.Markdown("### How the sentence is searched for")
                self.controls = Controls.draw()
            with gr.Column(scale=3, min_width=320):
                gr.Markdown("### Which part is read")
                with gr.Row():
                    self.start = gr.Slider(0, 1, 0, step=0.1, label="Start, s", min_width=180)
                    self.end = gr.Slider(0, 1, 1, step=0.1, label="End, s", min_width=180)
                self.read_part = gr.Button("Read this part", elem_id="read-part")
        gr.HTML(_read("about.html"))

    def _connect(self) -> None:
        given_up = {self.wish, self.status, self.stop, self.player, self.trace.wish}
        loading = self.wish.change(
            self.on_wish,
            inputs=[self.wish, self.trace.unfinished],
            outputs={self.ready} | given_up,
            trigger_mode="multiple",
            concurrency_limit=None,  # it waits for the model, not for the processor
            **PRIVATE,
        )
        look = self.ready.change(
            self.on_ready,
            inputs=[self.ready, self.wish, self.watched, self.trace.unfinished],
            outputs={self.watched, self.start, self.end} | given_up,
            **busy(self.status),
        )
        wished = {
            "outputs": {self.wish, self.status, self.stop, self.upload}
            | self.motion.outputs
            | self.trace.outputs
            | self.what_if.outputs
            | self.comparison.outputs,
        }
        model, unlisted = self.menu.choice, self.menu.unlisted
        # Before the events that wish for another look: these must not be cancelled with what was under way.
        gr.on(
            [self.gallery.click, self.upload.upload, self.read_part.click, model.input, unlisted.submit],
            None,
            cancels=[
                loading,
                look,
                self.motion.measuring,
                self.trace.tracing,
                self.what_if.wondering,
                self.comparison.comparing,
            ],
            api_visibility="private",
        )
        self.gallery.click(self.on_example, inputs=model, **wished, **PRIVATE)
        self.upload.upload(self.on_upload, inputs=[self.upload, model], **wished, **PRIVATE)
        self.read_part.click(self.on_part, inputs=[self.watched, model, self.start, self.end], **wished, **PRIVATE)
        self.chosen.change(self.on_chosen, inputs=[self.chosen, self.wish, self.watched], **wished, **PRIVATE)
        choice = {
            "outputs": {self.chosen, self.status, self.stop, self.shares, *self.controls.inputs.values()}
            | self.menu.outputs,
            "trigger_mode": "always_last",
            "concurrency_limit": None,
        }
        # Of a listed model and one of the Hub, the later choice stands, however long the earlier one takes.
        choosing = model.input(self.on_model, inputs=model, **choice, **PRIVATE)
        unlisted.submit(None, cancels=choosing, api_visibility="private")
        bringing = unlisted.submit(self.on_unlisted, inputs=[unlisted, model], **choice, **PRIVATE)
        # Not at its input: Gradio serves what hangs on one event in turn, and this would wait for the choice.
        model.select(None, cancels=bringing, api_visibility="private")
        self.stop.click(None, cancels=[loading, look, choosing, bringing], api_visibility="private").then(
            self.on_stop, inputs=self.trace.unfinished, outputs=given_up, **PRIVATE
        )

        told = {
            "inputs_kwargs": {"watched": self.watched, "shares": self.shares, **self.controls.inputs},
            "outputs": {self.status, self.player, self.panel, self.comparison.button, self.trace.wish}
            | self.trace.outputs
            | self.what_if.outputs,
            "cancels": [self.trace.tracing, self.what_if.wondering],
            "concurrency_id": "write",
            "concurrency_limit": WRITERS,
        }
        self.watched.change(self.on_watched, **told, **PRIVATE)
        gr.on(
            [self.shares.input, *(component.input for component in self.controls.inputs.values())],
            self.on_watched,
            trigger_mode="always_last",
            **told,
            **PRIVATE,
        )
        method = self.controls.method
        method.change(self.controls.show_for, method, self.controls.outputs_of_show_for, queue=False, **PRIVATE)
        self.player.input(
            self.on_unplayable,
            inputs=self.watched,
            outputs={self.status, self.watched},
            concurrency_id=CNN,
            concurrency_limit=1,
            **PRIVATE,
        )
        self.blocks.load(
            self.on_load,
            outputs=self.menu.outputs | {self.shares, *self.controls.inputs.values()},
            concurrency_limit=None,
            **PRIVATE,
        )

    # --- choosing -------------------------------------------------------------------------

    def on_example(self, model: str | None, event: gr.EventData) -> Updates:
        example = EXAMPLES[event.index]
        record = stored_record(example, model)
        stored = {self.player: json.dumps(record), self.trace.unfinished: None} if record else {}
        return self._wished(Wish(example.path, model=model)) | stored

    def on_upload(self, file: str, model: str | None) -> Updates:
        return self._wished(Wish(Path(file), model=model))

    def on_part(self, watched: Watched | None, model: str | None, start: float, end: float) -> Updates:
        if watched is None:
            return {self.status: problem(FORGOTTEN)}
        from_start, to_end = start <= 0, end >= watched.length_s
        return self._wished(Wish(watched.wish.path, None if from_start else start, None if to_end else end, model))

    def on_model(self, name: str) -> Iterator[Updates]:
        try:
            catalogue = yield from reported(self.engine.catalogue(), self.status)
            model = catalogue.model(name)
            yield {
                **self.menu.describe(model),
                self.stop: gr.Button(visible=True),
            }
            captioner = yield from reported(self.engine.captioner(name), self.status)
        except S2VTError as error:
            yield {**self.menu.complain(str(error)), self.status: silent(), self.stop: gr.Button(visible=False)}
            if isinstance(error, HubError) and name != catalogue.default:  # that one does without the Hub
                yield from self._back_to(catalogue.default, str(error))
            return
        yield {
            **self.menu.choose(catalogue, name),
            **self._as_chosen_for(model, captioner),
            self.status: silent(),
            self.stop: gr.Button(visible=False),
            self.chosen: Chosen(name),
        }

    def on_chosen(self, chosen: Chosen, wish: Wish | None, watched: Watched | None) -> Updates:
        """Loading took a while: what counts is what is wished for by now, or else what is on show."""
        wish = wish or (watched and watched.wish)
        return self._wished(replace(wish, model=chosen.name)) if wish else {self.wish: None}

    def on_unlisted(self, text: str, before: str | None) -> Iterator[Updates]:
        """A checkpoint of the Hub; where it cannot be had, what was chosen before is chosen still."""
        try:
            name = str(HubName.parse(text))
            yield {self.stop: gr.Button(visible=True)}
            yield from reported(self.engine.captioner(name), self.status)
        except S2VTError as error:
            yield {
                **self.menu.complain(str(error)),
                self.status: silent(),
                self.stop: gr.Button(visible=False),
            }
            if before is not None:
                yield from self._back_to(before, str(error))
        else:
            yield {self.menu.unlisted: gr.Textbox("")}
            yield from self.on_model(name)

    def _back_to(self, name: str, why: str) -> Iterator[Updates]:
        """The Hub cannot help: go on with another model, and say so."""
        for updates in self.on_model(name):
            yield {**updates, **self.menu.complain(f"{why} “{name}” is chosen in its place.")}

    def _wished(self, wish: Wish) -> Updates:
        # The upload box is emptied: it is ready for the next file, and the player names this one.
        return {
            self.wish: wish,
            self.status: waiting(),
            self.stop: gr.Button(visible=True),
            self.upload: None,
            **self.motion.without_motion(silent()),
            **self.trace.silenced(),
            **self.what_if.silenced(),
            **self.comparison.cleared(),
        }

    # --- working --------------------------------------------------------------------------

    def on_wish(self, wish: Wish | None, traced: TraceWish | None) -> Iterator[Updates]:
        if wish is None:
            yield {self.wish: None}  # it was given up; an event that says nothing would empty its outputs
            return
        try:
            yield from reported(self.engine.captioner(wish.model), self.status)
        except S2VTError as error:
            yield self._given_up(problem(str(error)), traced)
        else:
            yield {self.ready: wish, self.status: waiting()}

    def on_ready(
        self, ready: Wish, wish: Wish | None, before: Watched | None, traced: TraceWish | None
    ) -> Iterator[Updates]:
        if ready is not wish:
            yield {self.wish: wish}  # another wish came while this one waited for its turn
            return
        try:
            work = watch(self.engine, wish, before, served_file(self.player, ".webm"))
            watched = yield from reported(self.engine.turns[CNN].of_page(work), self.status)
        except S2VTError as error:
            yield self._given_up(problem(str(error)), traced)
        except Exception:
            logging.exception("Captioning %s failed", wish.path)
            yield self._given_up(problem(FAILED), traced)
        else:
            yield {
                self.watched: watched,
                self.status: working(Progress("decode", 0.0, "Writing the caption")),
                self.stop: gr.Button(visible=False),
                **self._range_of(watched),
            }

    def on_watched(self, watched: Watched | None, shares: str | None, **options: Any) -> Updates:
        if watched is None:
            return {self.status: problem(FORGOTTEN)}
        try:
            decoding, alpha = options_from(**options), moved_to(shares)
            record = finish(write(self.engine, watched, decoding, alpha))
        except S2VTError as error:
            return {self.status: problem(str(error)), **self.trace.silenced(), **self.what_if.silenced()}
        return {
            **self.trace.silenced(),
            **self.what_if.silenced(),
            self.player: json.dumps(record),
            self.status: silent(),
            self.panel: gr.Row(visible=True),
            self.comparison.button: gr.Button(visible=True),
            **self.trace.wished(TraceWish(record["look"], decoding, alpha)),
        }

    def on_unplayable(self, watched: Watched) -> Iterator[Updates]:
        """A browser could not play what most browsers can."""
        try:
            work = with_preview(watched.footage, served_file(self.player, ".webm"))
            footage = yield from reported(self.engine.turns[CNN].of_page(work), self.status)
        except S2VTError as error:
            yield {self.status: problem(str(error))}
        else:
            yield {self.watched: replace(watched, footage=footage)}

    def on_stop(self, traced: TraceWish | None) -> Updates:
        return self._given_up(note("Stopped."), traced)

    def on_load(self) -> Iterator[Updates]:
        try:
            catalogue = finish(self.engine.catalogue())
            model = catalogue.models[0]
            yield {**self.menu.list(catalogue), **self.menu.describe(model)}
            captioner = finish(self.engine.captioner(model.name))
        except S2VTError as error:
            yield self.menu.complain(str(error))
        else:
            yield self._as_chosen_for(model, captioner)

    # --- helpers --------------------------------------------------------------------------

    def _as_chosen_for(self, model: Model, captioner: Captioner) -> Updates:
        """The line about a model, and the controls at what was chosen for it on validation data."""
        return {
            **self.menu.describe(model, captioner),
            **self.controls.set_to(captioner.default_options),
            self.shares: shown(captioner.alpha),
        }

    def _given_up(self, saying: str, traced: TraceWish | None) -> Updates:
        """A wish that will not come true: what is on show stays, and so does the trace that was being made of it."""
        return {
            self.wish: None,
            self.status: saying,
            self.stop: gr.Button(visible=False),
            self.player: ended_message("what_if"),
            **self.trace.resumed(traced),
        }

    def _range_of(self, watched: Watched) -> Updates:
        """The sliders, over the whole video, at the part that was read."""
        longest = math.ceil(watched.length_s * 10) / 10
        wish = watched.wish
        return {
            self.start: gr.Slider(maximum=longest, value=wish.start or 0),
            self.end: gr.Slider(maximum=longest, value=longest if wish.end is None else wish.end),
        }


def _read(name: str) -> str:
    return (PAGE / name).read_text(encoding="utf-8")
