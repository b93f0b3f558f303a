"""How much say each stream has: α as sliders, where streams write together.

The component's value is JSON, in both directions: {stream: α}, adding up to 1; null where there is one stream only.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

import gradio as gr

from demo.component import component


def sliders() -> gr.HTML:
    """The component, invisible until there is something to share; its `input` event tells of a move."""
    return component(Path(__file__).parent, "shares")


def shown(alpha: Mapping[str, float]) -> str:
    """The value that shows these shares."""
    return json.dumps(dict(alpha) if len(alpha) > 1 else None)


def moved_to(value: str | None) -> dict[str, float] | None:
    """What a visitor made of them; None where there is nothing to share."""
    return json.loads(value) if value else None
