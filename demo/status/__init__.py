"""A line of stages: what is being done, how far it is, and what went wrong."""

import json
from collections.abc import Iterator
from pathlib import Path

import gradio as gr

from demo.component import component
from s2vt_model.progress import Progress, Result, Work

FORGOTTEN = "This page was idle for long, and its video has been deleted. Choose the video again."
FAILED = "The demo failed at this video. Its server's terminal has the details."


def status(elem_id: str, stages: dict[str, str]) -> gr.HTML:
    """The component, invisible until there is something to say; `stages` are the work's, with their titles."""
    return component(Path(__file__).parent, elem_id, stages=stages)


def reported(work: Work[Result], line: gr.HTML) -> Iterator[dict[gr.HTML, str]]:
    """`work` with its progress as updates of `line`. Returns what `work` returns."""
    while True:
        try:
            progress = next(work)
        except StopIteration as stop:
            return stop.value
        yield {line: working(progress)}


def waiting() -> str:
    """A video was chosen; others may be before it."""
    return json.dumps({"kind": "working", "stage": "wait", "fraction": None, "message": "Waiting for its turn"})


def working(progress: Progress) -> str:
    """A stage is under way."""
    return json.dumps(
        {"kind": "working", "stage": progress.stage, "fraction": progress.fraction, "message": progress.message}
    )


def problem(sentence: str) -> str:
    """Something went wrong; the sentence says what to do."""
    return json.dumps({"kind": "problem", "message": sentence})


def note(sentence: str) -> str:
    """Something worth saying."""
    return json.dumps({"kind": "note", "message": sentence})


def silent() -> str:
    """Nothing to say."""
    return json.dumps(None)
