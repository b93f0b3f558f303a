"""What the player shows of a decoding of which only the trace is there: an example's, before any weight is loaded,
or one that was made on the command line.

The examples' traces lie beside the clips; `python -m scripts.trace_examples` makes them.
"""

from __future__ import annotations

import math
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from demo.examples import Example
from demo.player import said_of, thumbnail
from demo.tracing import told_of
from s2vt_model.capture import cv2, open_video, timeline

NO_PICTURE = np.full((90, 160, 3), 128, np.uint8)
END = "<EOS>"


@lru_cache
def stored_record(example: Example, model: str | None) -> dict[str, Any] | None:
    """The record of an example with its trace, as the player is told it; None where there is none by that model."""
    if not example.trace.is_file():
        return None
    told = told_of(example.trace.read_text(encoding="utf-8"))
    if model not in (None, told["trace"]["model"]):
        return None
    return {**record_of(told["trace"], example.path), **told, "is_stored": True}


def record_of(trace: dict[str, Any], video: Path | None) -> dict[str, Any]:
    """The record of a traced decoding; its frames are grey where there is no `video`. Raises `VideoError`."""
    frames = trace["streams"][0]["frames"]
    pictures = _pictures(video, {frame["index"] for frame in frames}) if video else {}
    blank = thumbnail(NO_PICTURE)
    name = video.name if video else "a trace without its video"  # no folder: a saved page may go anywhere
    usage = f"The model saw {len(frames)} frames, from {frames[0]['time_s']:.1f} s to {frames[-1]['time_s']:.1f} s."
    return {
        "name": name,
        "video": str(video or ""),
        "is_preview": False,
        "preview_until_s": None,
        "endings": [],
        "look": f"the trace of {name}",
        "usage": usage,
        "frames": [{"time_s": f["time_s"], "image": pictures.get(f["index"], blank)} for f in frames],
        "seconds": None,
        "method": said_of(*(trace["decoding"][key] for key in ("method", "beam_width", "temperature", "seed"))),
        "ranking": "",  # of a single sentence
        "candidates": [
            {
                "text": trace["caption"],
                "prob": math.exp(trace["log_prob"]),
                "finished": trace["finished"],
                "words": [
                    {"text": word["text"], "prob": math.exp(word["log_prob"])}
                    for word in trace["words"]
                    if word["text"] != END
                ],
                "end": math.exp(trace["words"][-1]["log_prob"]) if trace["finished"] else None,
            }
        ],
        "seconds_to_write": None,
    }


def _pictures(video: Path, indices: set[int]) -> dict[int, str]:
    """Thumbnails of the frames of these numbers."""
    capture = open_video(video)
    try:
        found = {}
        for index, _, _ in timeline(capture):
            if index in indices:
                found[index] = thumbnail(cv2.cvtColor(capture.retrieve()[1], cv2.COLOR_BGR2RGB))
        return found
    finally:
        capture.release()
