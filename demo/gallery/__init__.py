"""The examples as cards to click."""

from pathlib import Path

import gradio as gr

from demo.component import component
from demo.examples import EXAMPLES, Example
from demo.player import thumbnail
from s2vt_model.capture import cv2


def gallery() -> gr.HTML:
    """The component; its `click` event carries the `index` of an example."""
    cards = [{"title": e.title, "credit": e.credit, "image": _poster(e)} for e in EXAMPLES]
    return component(Path(__file__).parent, "gallery", cards)


def _poster(example: Example) -> str:
    capture = cv2.VideoCapture(str(example.path), cv2.CAP_FFMPEG)
    frames = int(capture.get(cv2.CAP_PROP_FRAME_COUNT))
    for _ in range(frames // 2):  # the middle says more than the first frame
        capture.grab()
    _, picture = capture.read()
    capture.release()
    return thumbnail(cv2.cvtColor(picture, cv2.COLOR_BGR2RGB), height_px=180, max_width_px=320)
