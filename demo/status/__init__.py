"""The line of stages: what is being done, how far it is, and what went wrong."""

import json
from pathlib import Path

import gradio as gr

from demo.component import component
from s2vt_model.progress import Progress


def status() -> gr.HTML:
    """The component, invisible until there is something to say."""
    return component(Path(__file__).parent, "status")


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
