"""The same captions for programs: `/caption`, with `gradio_client` or plain HTTP."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import gradio as gr

from demo.engine import Engine
from demo.limits import CNN
from s2vt_model.errors import S2VTError


def add_caption_endpoint(engine: Engine) -> None:
    """Add the endpoint to the page that is being built; its components are there for their types."""

    def caption(
        video: str,
        model: str | None = None,
        method: str | None = None,
        beam_width: int | None = None,
        length_exponent: float | None = None,
        temperature: float | None = None,
        seed: int | None = None,
        max_words: int | None = None,
        start: float | None = None,
        end: float | None = None,
    ) -> Iterator[dict[str, Any]]:
        """One sentence about a video; the result is what `python -m s2vt_model caption --json` prints.

        The model is one of the page's menu, or a sum of streams such as rgb+motion; by default the
        menu's first. Numbers that are left out are those chosen for it; start and end are in seconds.
        Whoever iterates gets the progress of each stage before the result.
        """
        if not video:
            raise gr.Error("Send a video file.", print_exception=False)
        wanted = {
            "method": method, "beam_width": beam_width, "length_exponent": length_exponent,
            "temperature": temperature, "seed": seed, "max_words": max_words,
        }  # fmt: skip
        try:
            captioner = yield from _reported(engine.captioner(model))
            options = replace(captioner.default_options, **{k: v for k, v in wanted.items() if v is not None})
            seen, captions = yield from _reported(captioner.caption(video, options, start, end))
        except S2VTError as error:
            raise gr.Error(str(error), print_exception=False) from error
        from s2vt_model.captioner import caption_record  # here, as it imports torch

        yield caption_record(Path(video).name, seen, captions, captioner.name)

    with gr.Row(visible=False):
        gr.Button().click(
            caption,
            inputs=[
                gr.File(label="Video"),
                gr.Textbox(value=None, label="Model"),
                gr.Textbox(value=None, label="Method: beam, greedy or sample"),
                gr.Number(value=None, precision=0, label="Beam width"),
                gr.Number(value=None, label="Length exponent"),
                gr.Number(value=None, label="Temperature"),
                gr.Number(value=None, precision=0, label="Seed"),
                gr.Number(value=None, precision=0, label="Longest sentence, in words"),
                gr.Number(value=None, label="Start, in seconds"),
                gr.Number(value=None, label="End, in seconds"),
            ],
            outputs=gr.JSON(label="Record"),
            api_name="caption",
            concurrency_id=CNN,
            concurrency_limit=1,
        )


def _reported(work):
    """`work` with its progress as plain dicts."""
    while True:
        try:
            progress = next(work)
        except StopIteration as stop:
            return stop.value
        yield asdict(progress)
