"""The player: the video, the caption beside it, and the frames the model saw underneath.

What script.js is told is plain JSON, without tensors. It is one of a few messages; the record is built here:

    name, video, is_preview, preview_until_s                 which file plays, and whether it is a preview
    is_stored                                                true where it comes with the page, not from a model
    endings[{title, is_on_show}]                             clips whose endings a what-if may take
    look, frames[{time_s, image}]                            the frames of one look at the video
    usage                                                    which frames were used, in words
    seconds{read, features}                                  what that took; null where all was known
    method, ranking, candidates[{text, prob, finished, words[{text, prob}], end}], seconds_to_write
                                                             of one decoding, the best sentence first; end: how
                                                             probable it was after the last word, null where it was cut

The others are described in demo/motion.py and demo/tracing.py: the frames' motion by one algorithm, the trace of
the best sentence, the answer to a what-if. They come apart from the record, which a moved slider sends anew.
"""

from __future__ import annotations

import base64
import math
import uuid
from pathlib import Path
from typing import TYPE_CHECKING, Any

import gradio as gr
import numpy as np

from demo.component import component
from s2vt_model.capture import cv2

if TYPE_CHECKING:
    from s2vt_model.captioner import Caption, Captions
    from s2vt_model.decoding import DecodingOptions
    from s2vt_model.video import Clip

THUMBNAIL_HEIGHT_PX = 96
THUMBNAIL_MAX_WIDTH_PX = 192
THUMBNAIL_QUALITY = 70


FOLDER = Path(__file__).parent
SCRIPTS = (
    "tools.js", "svg.js", "palette.js", "unpack.js", "timeline.js", "heatmap.js",  # what rows are made of
    "strip.js", "words.js", "attribution.js", "gates.js", "chances.js", "beam.js", "watching.js",  # what is seen
    "trace.js", "what_if.js", "picture.js", "takeaway.js", "keys.js", "script.js",  # what can be done
)  # fmt: skip


def player() -> gr.HTML:
    """The component, empty."""
    return component(FOLDER, "player", scripts=SCRIPTS)


def scene_of(clip: Clip) -> dict[str, Any]:
    """The frames of one look at a video, for the player."""
    return {
        "look": uuid.uuid4().hex,  # the player redraws the frames only where this changes
        "frames": [
            {"time_s": time_s, "image": thumbnail(frame)}
            for time_s, frame in zip(clip.times_s, clip.frames, strict=True)
        ],
    }


def sentences_of(captions: Captions, options: DecodingOptions) -> dict[str, Any]:
    """What one decoding wrote, for the player."""
    return {
        "method": said_of(options.method, options.beam_width, options.temperature, options.seed),
        "ranking": _ranking(options),
        "candidates": [_sentence(caption) for caption in captions.candidates],
        "seconds_to_write": captions.decode_seconds,
    }


def said_of(method: str, beam_width: int, temperature: float, seed: int) -> str:
    """How a sentence was searched for, in words."""
    return {
        "beam": f"beam search, width {beam_width}",
        "greedy": "greedy: the likeliest word at every step",
        "sample": f"sampling, temperature {temperature:g}, seed {seed}",
    }[method]


def _ranking(options: DecodingOptions) -> str:
    """Why the sentences of a beam are in this order, in words: their probabilities often are not."""
    if options.method != "beam":
        return ""
    if options.length_exponent == 0:
        return "The most probable first."
    return (
        "Best first, by log-probability divided by length (the end counts) to the power of "
        f"{options.length_exponent:g}. Every word makes a sentence less probable; the division lifts long ones above "
        "shorter, more probable ones."
    )


def thumbnail(
    frame: np.ndarray, height_px: int = THUMBNAIL_HEIGHT_PX, max_width_px: int = THUMBNAIL_MAX_WIDTH_PX
) -> str:
    """(H, W, 3) uint8 RGB -> a small JPEG as a data URI."""
    height, width = frame.shape[:2]
    scale = min(height_px / height, max_width_px / width)
    size = max(round(width * scale), 1), max(round(height * scale), 1)
    small = cv2.resize(cv2.cvtColor(frame, cv2.COLOR_RGB2BGR), size, interpolation=cv2.INTER_AREA)
    _, jpeg = cv2.imencode(".jpg", small, [cv2.IMWRITE_JPEG_QUALITY, THUMBNAIL_QUALITY])
    return _data_uri("jpeg", jpeg)


def png(picture: np.ndarray) -> str:
    """(H, W, 3) uint8 RGB -> the same as a data URI, colour for colour."""
    return _data_uri("png", cv2.imencode(".png", cv2.cvtColor(picture, cv2.COLOR_RGB2BGR))[1])


def _data_uri(kind: str, file: np.ndarray) -> str:
    return f"data:image/{kind};base64," + base64.b64encode(file.tobytes()).decode("ascii")


def _sentence(caption: Caption) -> dict[str, Any]:
    end_log_prob = caption.log_prob - sum(word.log_prob for word in caption.words)
    return {
        "text": caption.text,
        "prob": math.exp(caption.log_prob),
        "finished": caption.finished,
        "words": [{"text": word.text, "prob": math.exp(word.log_prob)} for word in caption.words],
        "end": math.exp(min(end_log_prob, 0.0)) if caption.finished else None,
    }
