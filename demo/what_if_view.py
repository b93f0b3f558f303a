"""What if, on the page: who asks, what is said meanwhile, and how it is stopped.

- the player's "what_if" event -> wish: another word, or another film
- wish changes -> player: write and trace once more (slow; Stop ends it)
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import gradio as gr

from demo.engine import Engine
from demo.limits import TRACES, UPLOADS_LIFETIME_S, busy
from demo.status import FAILED, FORGOTTEN, note, problem, reported, silent, status, waiting
from demo.trace_view import QUIET, TraceWish
from demo.tracing import ended_message
from demo.watching import Watched
from demo.what_if import Change, what_if_message
from s2vt_model.errors import S2VTError

STAGES = {"read": "Reading", "features": "Features", "trace": "Looking through it"}


@dataclass(frozen=True, eq=False)  # the same wish again is another wish: Gradio must see a change
class WhatIfWish:
    """A change to the sentence or the film of one look."""

    look: str
    change: Change


class WhatIfView:
    """A line of stages and its Stop, where the page is being built. The player shows before and after."""

    def __init__(self, engine: Engine, player: gr.HTML, watched: gr.State, traced: gr.State):
        """`traced`: the `TraceWish` of the sentence on show, whose decoding options hold here, too."""
        self.engine = engine
        self.player = player
        self.wish = gr.State(time_to_live=UPLOADS_LIFETIME_S)
        with gr.Row(elem_id="what-if-progress", elem_classes="progress"):
            self.status = status("what-if-status", STAGES)
            self.stop = gr.Button("Stop", variant="stop", visible=False, scale=0, min_width=84)
        self.wondering = self.wish.change(
            self.on_wish,
            inputs=[self.wish, watched, traced],
            outputs={self.status, self.stop, self.player},
            **busy(self.status, TRACES),
        )
        self.player.what_if(
            self.on_asked,
            outputs={self.wish, self.status, self.stop},
            cancels=self.wondering,
            trigger_mode="multiple",
            **QUIET,
        )
        self.stop.click(None, cancels=self.wondering, api_visibility="private").then(
            lambda: self.ended(note("Stopped.")), outputs={self.status, self.stop, self.player}, **QUIET
        )

    @property
    def outputs(self) -> set[Any]:
        """What `silenced` updates."""
        return {self.status, self.stop}

    def silenced(self) -> dict[Any, Any]:
        """Updates for when another video is looked at."""
        return {self.status: silent(), self.stop: gr.Button(visible=False)}

    def ended(self, saying: str) -> dict[Any, Any]:
        """Updates that end the wait for an answer."""
        return {**self.silenced(), self.status: saying, self.player: ended_message("what_if")}

    def on_asked(self, event: gr.EventData) -> dict[Any, Any]:
        asked = event.change
        change = Change(**{**asked, "words": tuple(asked.get("words", ()))})
        return {
            self.wish: WhatIfWish(event.look, change),
            self.status: waiting(),
            self.stop: gr.Button(visible=True),
        }

    def on_wish(self, wish: WhatIfWish, watched: Watched | None, traced: TraceWish | None) -> Iterator[dict[Any, Any]]:
        if watched is None or traced is None:
            yield self.ended(problem(FORGOTTEN))
            return
        if wish.look != watched.scene["look"]:
            yield self.ended(silent())  # another video came while this wish waited for its turn
            return
        try:
            work = what_if_message(self.engine, watched, wish.change, traced.options, traced.shares)
            message = yield from reported(self.engine.turns[TRACES].of_page(work), self.status)
        except S2VTError as error:
            yield self.ended(problem(str(error)))
        except Exception:
            logging.exception("What if %s failed", wish.change)
            yield self.ended(problem(FAILED))
        else:
            yield {self.player: message, **self.silenced()}
