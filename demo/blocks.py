"""The page: its layout, and which event does what.

- example, upload or part -> wish: what is to be captioned
- wish changes -> watched: read the video, compute its features (slow; Stop ends it)
- watched changes -> player: write sentences and show them (milliseconds)
- a control changes -> player: the same again, from the features that were kept

The motion of the frames has its own events, in motion_view.py.
"""

from __future__ import annotations

import html
import json
import logging
import math
import uuid
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import gradio as gr

from demo.api import add_caption_endpoint
from demo.controls import Controls, options_from
from demo.engine import Engine
from demo.examples import EXAMPLES
from demo.examples import FOLDER as EXAMPLES_FOLDER
from demo.gallery import gallery
from demo.limits import CLEAN_UP_EVERY_S, CNN, MAX_UPLOAD_MB, UPLOADS_LIFETIME_S, WRITERS
from demo.motion_view import MotionView
from demo.player import player
from demo.status import FAILED, FORGOTTEN, note, problem, reported, silent, status, waiting, working
from demo.watching import Watched, Wish, watch, with_preview, write
from s2vt_model.errors import S2VTError
from s2vt_model.progress import Progress, finish

PAGE = Path(__file__).parent / "page"
ACCEPTED = ["video", ".mp4", ".mov", ".m4v", ".webm", ".mkv", ".avi", ".gif", ".mpg", ".mpeg", ".ogv", ".3gp"]
STAGES = {"read": "Reading", "features": "Features", "decode": "Decoding"}
PRIVATE = {"api_visibility": "private", "show_progress": "hidden"}

Updates = dict[Any, Any]  # component -> its new value or properties


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
            add_caption_endpoint(engine)

    def _lay_out(self) -> None:
        self.wish = gr.State(time_to_live=UPLOADS_LIFETIME_S)
        self.watched = gr.State(time_to_live=UPLOADS_LIFETIME_S)

        gr.HTML(_read("intro.html"))
        self.model = gr.HTML(elem_id="model")
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
        look = self.wish.change(
            self.on_wish,
            inputs=self.wish,
            outputs={self.status, self.stop, self.watched, self.start, self.end},
            concurrency_id=CNN,
            concurrency_limit=1,
            trigger_mode="multiple",  # a new wish does not wait for the end of one that is being cancelled
            show_progress="minimal",
            show_progress_on=self.status,
            api_visibility="private",
        )
        chosen = {
            "outputs": {self.wish, self.status, self.stop, self.upload} | self.motion.outputs,
            "cancels": [look, self.motion.measuring],
        }
        self.gallery.click(self.on_example, **chosen, **PRIVATE)
        self.upload.upload(self.on_upload, inputs=self.upload, **chosen, **PRIVATE)
        self.read_part.click(self.on_part, inputs=[self.watched, self.start, self.end], **chosen, **PRIVATE)
        self.stop.click(None, cancels=look, api_visibility="private").then(
            self.on_stop, outputs={self.status, self.stop}, **PRIVATE
        )

        told = {
            "inputs_kwargs": {"watched": self.watched, **self.controls.inputs},
            "outputs": {self.status, self.player, self.panel},
            "concurrency_id": "write",
            "concurrency_limit": WRITERS,
        }
        self.watched.change(self.on_watched, **told, **PRIVATE)
        gr.on(
            [component.input for component in self.controls.inputs.values()],
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
            self.on_load, outputs={self.model, *self.controls.inputs.values()}, concurrency_limit=None, **PRIVATE
        )

    # --- choosing -------------------------------------------------------------------------

    def on_example(self, event: gr.EventData) -> Updates:
        return self._wished(Wish(EXAMPLES[event.index].path))

    def on_upload(self, file: str) -> Updates:
        return self._wished(Wish(Path(file)))

    def on_part(self, watched: Watched | None, start: float, end: float) -> Updates:
        if watched is None:
            return {self.status: problem(FORGOTTEN)}
        return self._wished(
            Wish(
                watched.footage.source,
                start if start > 0 else None,
                end if end < watched.length_s else None,
                before=watched,
            )
        )

    def _wished(self, wish: Wish) -> Updates:
        # The upload box is emptied: it is ready for the next file, and the player names this one.
        return {
            self.wish: wish,
            self.status: waiting(),
            self.stop: gr.Button(visible=True),
            self.upload: None,
            **self.motion.without_motion(silent()),
        }

    # --- working --------------------------------------------------------------------------

    def on_wish(self, wish: Wish) -> Iterator[Updates]:
        try:
            watched = yield from reported(watch(self.engine, wish, self._preview_file()), self.status)
        except S2VTError as error:
            yield {self.status: problem(str(error)), self.stop: gr.Button(visible=False)}
        except Exception:
            logging.exception("Captioning %s failed", wish.path)
            yield {self.status: problem(FAILED), self.stop: gr.Button(visible=False)}
        else:
            yield {
                self.watched: watched,
                self.status: working(Progress("decode", 0.0, "Writing the caption")),
                self.stop: gr.Button(visible=False),
                **self._range_of(wish, watched),
            }

    def on_watched(self, watched: Watched | None, **options: Any) -> Updates:
        if watched is None:
            return {self.status: problem(FORGOTTEN)}
        try:
            record = finish(write(self.engine, watched, options_from(**options)))
        except S2VTError as error:
            return {self.status: problem(str(error))}
        return {self.player: json.dumps(record), self.status: silent(), self.panel: gr.Row(visible=True)}

    def on_unplayable(self, watched: Watched) -> Iterator[Updates]:
        """A browser could not play what most browsers can."""
        try:
            footage = yield from reported(with_preview(watched.footage, self._preview_file()), self.status)
        except S2VTError as error:
            yield {self.status: problem(str(error))}
        else:
            yield {self.watched: replace(watched, footage=footage)}

    def on_stop(self) -> Updates:
        return {self.status: note("Stopped."), self.stop: gr.Button(visible=False)}

    def on_load(self) -> Iterator[Updates]:
        yield {self.model: "<p>The model is loading. You can choose a video already.</p>"}
        try:
            captioner = finish(self.engine.wait())
        except S2VTError as error:
            yield {self.model: f'<p class="problem" role="alert">{html.escape(str(error))}</p>'}
        else:
            name = html.escape(captioner.name)
            words = len(captioner.vocabulary)
            where = html.escape(str(captioner.device))
            yield {
                self.model: f"<p>Model: {name}, {words:,} words, running on {where}</p>",
                **self.controls.set_to(captioner.default_options),
            }

    # --- helpers --------------------------------------------------------------------------

    def _range_of(self, wish: Wish, watched: Watched) -> Updates:
        """The sliders, over the whole of a new video; as they are where a part of one was read."""
        if wish.before is not None:
            return {}
        longest = math.ceil(watched.length_s * 10) / 10
        return {
            self.start: gr.Slider(maximum=longest, value=0),
            self.end: gr.Slider(maximum=longest, value=longest),
        }

    def _preview_file(self) -> Path:
        """A new name where Gradio serves files from, and deletes them after their lifetime."""
        folder = Path(self.player.GRADIO_CACHE)
        folder.mkdir(parents=True, exist_ok=True)
        file = folder / f"s2vt-{uuid.uuid4().hex}.webm"
        self.player.temp_files.add(str(file))
        return file


def _read(name: str) -> str:
    return (PAGE / name).read_text(encoding="utf-8")
