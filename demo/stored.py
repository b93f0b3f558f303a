"""What the page shows of an example before any weight is loaded: its video, its caption, and its trace.

The traces lie beside the clips; `python -m scripts.trace_examples` makes them.
"""

from __future__ import annotations

import json
import math
from functools import lru_cache
from typing import Any

from demo.examples import Example
from demo.player import said_of, thumbnail
from demo.tracing import told_of
from s2vt_model.capture import cv2, open_video, timeline


@lru_cache
def stored_record(example: Example, model: str | None) -> dict[str, Any] | None:
    """The record of an example, as the player is told it; None where there is none by that model."""
    if not example.trace.is_file():
        return None
    trace = json.loads(example.trace.read_text(encoding="utf-8"))
    if model not in (None, trace["model"]):
        return None
    frames = trace["streams"][0]["frames"]
    pictures = _pictures(example, {frame["index"] for frame in frames})
    words = [word for word in trace["words"] if word["text"] != "<EOS>"]
    return {
        "name": example.path.name,
        "video": str(example.path),
        "is_preview": False,
        "preview_until_s": None,
        "look": f"stored {example.path.name}",
        "is_stored": True,
        "usage": f"The model saw {len(frames)} frames, from {frames[0]['time_s']:.1f} s to {frames[-1]['time_s']:.1f} s.",
        "frames": [{"time_s": frame["time_s"], "image": pictures[frame["index"]]} for frame in frames],
        "seconds": None,
        "method": said_of(*(trace["decoding"][key] for key in ("method", "beam_width", "temperature", "seed"))),
        "candidates": [
            {
                "text": trace["caption"],
                "prob": math.exp(trace["log_prob"]),
                "finished": trace["finished"],
                "words": [{"text": word["text"], "prob": math.exp(word["log_prob"])} for word in words],
            }
        ],
        "seconds_to_write": None,
        "endings": [],
        **told_of(trace),
    }


def _pictures(example: Example, indices: set[int]) -> dict[int, str]:
    """Thumbnails of the frames of these numbers."""
    capture = open_video(example.path)
    try:
        found = {}
        for index, _, _ in timeline(capture):
            if index in indices:
                found[index] = thumbnail(cv2.cvtColor(capture.retrieve()[1], cv2.COLOR_BGR2RGB))
        return found
    finally:
        capture.release()
