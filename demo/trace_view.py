"""The trace on the page: made when a caption is on show, kept out of its way, stopped by a button.

- a caption is shown -> wish: its trace
- wish changes -> player: read and write once more; then ask every frame about every word (slow; Stop ends it)
- another look ends that; where nothing comes of it, the trace that was cut short is wished for once more
- the player's "save_page" event -> player: the page as one file
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import gradio as gr

from demo.component import served_file
from demo.engine import Engine
from demo.examples import EXAMPLES
from demo.limits import TRACES, UPLOADS_LIFETIME_S, busy
from demo.offline import saved_page
from demo.status import FAILED, FORGOTTEN, note, problem, reported, silent, status
from demo.tracing import ended_message, page_message, trace_message
from demo.watching import Watched
from s2vt_model.errors import S2VTError

if TYPE_CHECKING:
    from s2vt_model.decoding import DecodingOptions

STAGES = {"trace": "Looking through it"}
QUIET = {"api_visibility": "private", "show_progress": "hidden"}


@dataclass(frozen=True, eq=False)  # the same wish again is another wish: Gradio must see a change
class TraceWish:
    """The trace of one decoding of one look."""

    look: str
    options: DecodingOptions
    shares: Mapping[str, float] | None


class TraceView:
    """A line of stages and its Stop, where the page is being built. The player shows the result."""

    def __init__(self, engine: Engine, player: gr.HTML, watched: gr.State):
        self.engine = engine
        self.player = player
        self.wish = gr.State(time_to_live=UPLOADS_LIFETIME_S)
        self.unfinished = gr.State(time_to_live=UPLOADS_LIFETIME_S)  # a wish that waits, is under way or was cut short
        with gr.Row(elem_id="trace-progress", elem_classes="progress"):
            self.status = status("trace-status", STAGES)
            self.stop = gr.Button("Stop", variant="stop", visible=False, scale=0, min_width=84)
        self.tracing = self.wish.change(
            self.on_wish,
            inputs=[self.wish, watched],
            outputs=self.outputs,
            **busy(self.status, TRACES),
        )
        self.stop.click(None, cancels=self.tracing, api_visibility="private").then(
            lambda: self.ended(note("Stopped. Choose the video or a number again for the trace.")),
            outputs=self.outputs,
            **QUIET,
        )
        self.player.save_page(self.on_save, inputs=watched, outputs={self.status, self.player}, **QUIET)

    @property
    def outputs(self) -> set[Any]:
        """What `ended` updates."""
        return {self.status, self.stop, self.player, self.unfinished}

    def ended(self, saying: str) -> dict[Any, Any]:
        """Updates that end the wait for a trace."""
        return {
            self.status: saying,
            self.stop: gr.Button(visible=False),
            self.player: ended_message("trace"),
            self.unfinished: None,
        }

    def wished(self, wish: TraceWish) -> dict[Any, Any]:
        """Updates for when a caption is on show."""
        return {self.wish: wish, self.unfinished: wish}

    def resumed(self, unfinished: TraceWish | None) -> dict[Any, Any]:
        """Updates for when another look came to nothing: the trace that it cut short is made after all."""
        return {self.wish: replace(unfinished)} if unfinished else {}

    def silenced(self) -> dict[Any, Any]:
        """Updates for when another video is looked at, and a trace would be of the old one."""
        return {self.status: silent(), self.stop: gr.Button(visible=False)}

    def on_wish(self, wish: TraceWish, watched: Watched | None) -> Iterator[dict[Any, Any]]:
        if watched is None:
            yield self.ended(problem(FORGOTTEN))
            return
        if wish.look != watched.scene["look"]:
            yield self.ended(silent())  # another video came while this wish waited for its turn
            return
        yield {self.stop: gr.Button(visible=True)}
        try:
            for is_partial in (True, False):
                work = trace_message(self.engine, watched, wish.options, wish.shares, is_partial)
                message = yield from reported(self.engine.turns[TRACES].of_page(work), self.status)
                yield {self.player: message}
        except S2VTError as error:
            yield self.ended(problem(str(error)))
        except Exception:
            logging.exception("Tracing %s failed", watched.footage.source)
            yield self.ended(problem(FAILED))
        else:
            yield {**self.silenced(), self.unfinished: None}

    def on_save(self, watched: Watched | None, event: gr.EventData) -> dict[Any, Any]:
        """The player sends what it was told: the server keeps no trace."""
        video = _playing(watched, event.record)
        if video is None:
            return {self.status: problem(FORGOTTEN)}
        try:
            page = saved_page(event.record, event.told, video)
        except S2VTError as error:
            return {self.status: problem(str(error))}
        file = served_file(self.player, ".html")
        file.write_text(page, encoding="utf-8")
        return {self.player: page_message(event.record["look"], file, event.record["name"])}


def _playing(watched: Watched | None, record: dict[str, Any]) -> Path | None:
    """The file that plays, where it is an example's or the one that this visitor watches."""
    if record.get("is_stored"):
        return next((example.path for example in EXAMPLES if example.path.name == record["name"]), None)
    if watched is None or record["look"] != watched.scene["look"] or not watched.footage.played.is_file():
        return None
    return watched.footage.played
