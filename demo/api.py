"""The same for programs: `/caption` and `/trace`, with `gradio_client`, plain HTTP, or as tools of an MCP server."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import gradio as gr

from demo.engine import Engine
from demo.limits import CNN, MAX_CALLS, TRACES
from s2vt_model.errors import S2VTError
from s2vt_model.progress import Work

if TYPE_CHECKING:
    from s2vt_model.captioner import Captioner
    from s2vt_model.decoding import DecodingOptions


@dataclass(frozen=True)
class Request:
    """What a program asks for."""

    video: Path
    options: DecodingOptions
    start: float | None
    end: float | None
    alpha: Mapping[str, float] | None
    window: int


Answer = Callable[["Captioner", Request], Work[dict[str, Any]]]


def add_endpoints(engine: Engine) -> None:
    """Add the endpoints to the page that is being built; their components are there for their types."""
    _add(
        engine,
        "caption",
        "One sentence about a video, as `python -m s2vt_model caption FILE --json` prints it. "
        "Whoever iterates gets the progress of each stage before the result.",
        _caption,
        CNN,
    )
    _add(
        engine,
        "trace",
        "What the decoding of a video did: each word's rivals, gates, which frames it came from; as "
        "`python -m s2vt_model caption FILE --trace` writes it (s2vt_model/trace/SCHEMA.md says what it holds). "
        "Whoever iterates gets the progress of each stage before the result.",
        _trace,
        TRACES,
    )


def _caption(captioner: Captioner, asked: Request) -> Work[dict[str, Any]]:
    from s2vt_model.captioner import caption_record  # here, as it imports torch

    seen, captions = yield from captioner.caption(asked.video, asked.options, asked.start, asked.end, asked.alpha)
    return caption_record(asked.video.name, seen, captions, captioner.name)


def _trace(captioner: Captioner, asked: Request) -> Work[dict[str, Any]]:
    from s2vt_model.trace import AttributionOptions, trace

    attribution = AttributionOptions(asked.window)
    seen = yield from captioner.look(asked.video, asked.start, asked.end)
    found = yield from trace(captioner, seen, asked.options, asked.alpha, attribution=attribution)
    return json.loads(found.to_json())


def _shares(captioner: Captioner, alpha: str) -> Mapping[str, float]:
    from s2vt_model.fusion import check_alpha
    from s2vt_model.models import parse_alpha

    return check_alpha(parse_alpha(alpha), list(captioner.streams))  # before the video is looked at


def _add(engine: Engine, name: str, description: str, answer: Answer, group: str) -> None:
    def endpoint(
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
        alpha: str | None = None,
        window: int | None = None,
    ) -> Iterator[dict[str, Any]]:
        """Gradio tells programs what stands here. What is left out is as chosen for the model.

        Args:
            video: a video file: mp4, mov, webm, mkv, avi, gif, …
            model: one of the page's menu, a sum of streams such as rgb+motion, or org/name on the Hugging Face Hub
            method: how the sentence is searched for: beam, greedy or sample
            beam_width: how many sentences beam search keeps
            length_exponent: beam search divides log-probabilities by length to the power of this
            temperature: of sampling; below 1 safer
            seed: of sampling
            max_words: after which a sentence is cut
            start: seconds; what comes before is left out
            end: seconds; what comes after is left out
            alpha: how much say each stream of a sum has, such as rgb=.6,motion=.4
            window: how many neighbouring frames are covered at once, to see what a word loses by that
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
            shares = _shares(captioner, alpha) if alpha else None
            asked = Request(Path(video), options, start, end, shares, 1 if window is None else window)
            yield (yield from _reported(engine.turns[group].of_program(answer(captioner, asked))))
        except S2VTError as error:
            raise gr.Error(str(error), print_exception=False) from error

    endpoint.__name__ = name  # an MCP server calls its tools so
    with gr.Row(visible=False):
        gr.Button().click(
            endpoint,
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
                gr.Textbox(value=None, label="α of each stream"),
                *([gr.Number(value=None, precision=0, label="Frames covered at once")] if answer is _trace else []),
            ],
            outputs=gr.JSON(label="Record"),
            api_name=name,
            api_description=description,
            concurrency_id="programs",
            concurrency_limit=MAX_CALLS,
        )


def _reported(work):
    """`work` with its progress as plain dicts."""
    while True:
        try:
            progress = next(work)
        except StopIteration as stop:
            return stop.value
        yield asdict(progress)
