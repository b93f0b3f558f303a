"""Motion on the page: who asks for it, what is said meanwhile, and how it is stopped.

- the player's "motion" event -> wish: its visitor looks at the motion for the first time
- wish changes -> player: read the frames again, measure, show (slow; Stop ends it)
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import gradio as gr

from demo.engine import Engine
from demo.limits import CNN, UPLOADS_LIFETIME_S, busy
from demo.motion import motion_message, no_motion_message
from demo.status import FAILED, FORGOTTEN, note, problem, reported, silent, status, waiting
from demo.watching import Watched
from s2vt_model.errors import S2VTError

STAGES = {"read": "Reading", "flow": "Motion"}
QUIET = {"api_visibility": "private", "show_progress": "hidden"}


@dataclass(frozen=True, eq=False)  # the same wish again is another wish: Gradio must see a change
class MotionWish:
    """The motion of one look, by one algorithm."""

    look: str
    algorithm: str


class MotionView:
    """A line of stages and its Stop, where the page is being built. The player shows the result.

    The player keeps what it was shown and asks once; nothing of it stays on the server.
    """

    def __init__(self, engine: Engine, player: gr.HTML, watched: gr.State):
        self.engine = engine
        self.player = player
        self.wish = gr.State(time_to_live=UPLOADS_LIFETIME_S)
        with gr.Row(elem_id="motion-progress", elem_classes="progress"):
            self.status = status("motion-status", STAGES)
            self.stop = gr.Button("Stop", variant="stop", visible=False, scale=0, min_width=84)
        self.measuring = self.wish.change(
            self.on_wish,
            inputs=[self.wish, watched],
            outputs={self.status, self.stop, self.player},
            **busy(self.status),
        )
        self.player.motion(
            self.on_asked,
            outputs={self.wish, self.status, self.stop},
            cancels=self.measuring,
            trigger_mode="multiple",  # the algorithm may be changed faster than the page is answered
            **QUIET,
        )
        self.stop.click(None, cancels=self.measuring, api_visibility="private").then(
            lambda: self.without_motion(note("Stopped.")), outputs=self.outputs, **QUIET
        )

    @property
    def outputs(self) -> set[Any]:
        """What `without_motion` updates."""
        return {self.status, self.stop, self.player}

    def without_motion(self, saying: str) -> dict[Any, Any]:
        """Updates that end the wait for motion."""
        return {self.status: saying, self.stop: gr.Button(visible=False), self.player: no_motion_message()}

    def on_asked(self, event: gr.EventData) -> dict[Any, Any]:
        wish = MotionWish(event.look, event.algorithm)
        return {self.wish: wish, self.status: waiting(), self.stop: gr.Button(visible=True)}

    def on_wish(self, wish: MotionWish, watched: Watched | None) -> Iterator[dict[Any, Any]]:
        if watched is None or not watched.footage.source.is_file():
            yield self.without_motion(problem(FORGOTTEN))
        elif wish.look != watched.scene["look"]:
            yield self.without_motion(silent())  # another video came while this wish waited for its turn
        else:
            try:
                work = motion_message(self.engine, watched, wish.algorithm)
                message = yield from reported(self.engine.turns[CNN].of_page(work), self.status)
            except S2VTError as error:
                yield self.without_motion(problem(str(error)))
            except Exception:
                logging.exception("Measuring the motion of %s failed", watched.footage.source)
                yield self.without_motion(problem(FAILED))
            else:
                yield {self.player: message, self.status: silent(), self.stop: gr.Button(visible=False)}
