"""Compare: every model on the video that is on show, a row each as they finish.

- the button -> wish: the rows of one look
- wish changes -> rows and watched: what each model needed to look at is kept (slow; Stop ends it)
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import gradio as gr

from demo.comparison import compare, comparison, rows_message
from demo.engine import Engine
from demo.limits import CNN, UPLOADS_LIFETIME_S, busy
from demo.status import FORGOTTEN, note, problem, reported, silent, status, waiting, working
from demo.watching import Watched
from s2vt_model.progress import Progress

STAGES = {"read": "Reading", "features": "Features", "decode": "Decoding"}
QUIET = {"api_visibility": "private", "show_progress": "hidden"}


@dataclass(frozen=True, eq=False)  # the same wish again is another wish: Gradio must see a change
class CompareWish:
    """All models' captions of one look."""

    look: str


class CompareView:
    """A button, a line of stages with its Stop, and the rows, where the page is being built."""

    def __init__(self, engine: Engine, watched: gr.State):
        self.engine = engine
        self.watched = watched
        self.wish = gr.State(time_to_live=UPLOADS_LIFETIME_S)
        self.button = gr.Button("Compare all models", elem_id="compare", visible=False)
        with gr.Row(elem_classes="progress"):
            self.status = status("compare-status", STAGES)
            self.stop = gr.Button("Stop", variant="stop", visible=False, scale=0, min_width=84)
        self.rows = comparison()
        self.comparing = self.wish.change(
            self.on_wish,
            inputs=[self.wish, watched],
            outputs={self.rows, self.status, self.stop, watched},
            **busy(self.status),
        )
        self.button.click(
            self.on_asked, inputs=watched, outputs={self.wish, *self.outputs}, cancels=self.comparing, **QUIET
        )
        self.stop.click(None, cancels=self.comparing, api_visibility="private").then(
            lambda: self.ended(note("Stopped.")), outputs=self.outputs, **QUIET
        )

    @property
    def outputs(self) -> set[Any]:
        """What `ended` and `cleared` update."""
        return {self.rows, self.status, self.stop}

    def ended(self, saying: str) -> dict[Any, Any]:
        """Updates that end the wait; the rows stay."""
        return {self.status: saying, self.stop: gr.Button(visible=False)}

    def cleared(self) -> dict[Any, Any]:
        """Updates that forget the rows: another video or part is looked at."""
        return {self.rows: "null", **self.ended(silent())}

    def on_asked(self, watched: Watched | None) -> dict[Any, Any]:
        if watched is None:
            return self.ended(problem(FORGOTTEN))
        return {
            self.wish: CompareWish(watched.scene["look"]),
            self.rows: "null",
            self.status: waiting(),
            self.stop: gr.Button(visible=True),
        }

    def on_wish(self, wish: CompareWish, watched: Watched | None) -> Iterator[dict[Any, Any]]:
        if watched is None or not watched.wish.path.is_file():
            yield self.ended(problem(FORGOTTEN))
            return
        if wish.look != watched.scene["look"]:
            yield self.ended(silent())  # another video came while this wish waited for its turn
            return
        catalogue = yield from reported(self.engine.catalogue(), self.status)
        chosen = watched.wish.model or catalogue.default
        rows = []
        for step in self.engine.turns[CNN].of_page(compare(self.engine, catalogue.models, watched)):
            if isinstance(step, Progress):
                yield {self.status: working(step)}
            else:
                row, known = step
                rows.append(row)
                yield {self.rows: rows_message(chosen, rows), self.watched: known}
        yield self.ended(silent())
