"""An open video file: OpenCV's capture, with times that grow and damage that does not end it."""

import math
import os
from collections.abc import Iterator
from pathlib import Path

# FFmpeg reports every damaged packet on stderr; a visitor gets one sentence from us instead.
os.environ.setdefault("OPENCV_FFMPEG_LOGLEVEL", "-8")
os.environ.setdefault("OPENCV_LOG_LEVEL", "ERROR")
# A file named “%d.png” is that file, not a pattern for 1.png, 2.png, …
os.environ.setdefault("OPENCV_FFMPEG_CAPTURE_OPTIONS", "pattern_type;none")

import cv2

from s2vt_model.containers import why_unreadable
from s2vt_model.errors import VideoError

GRAB_ATTEMPTS = 100  # damaged packets in a row before the rest of a file is given up


def open_video(path: Path) -> cv2.VideoCapture:
    """Raises `VideoError` where OpenCV cannot open the file."""
    # An absolute path cannot be mistaken for a protocol ("concat:…").
    capture = cv2.VideoCapture(str(path.resolve()), cv2.CAP_FFMPEG)
    if not capture.isOpened():
        raise VideoError(why_unreadable(path))
    return capture


def frame_rate(capture: cv2.VideoCapture) -> float:
    """Frames a second as the container says; 25 where that makes no sense."""
    rate = capture.get(cv2.CAP_PROP_FPS)
    return rate if math.isfinite(rate) and 0.01 <= rate <= 1000 else 25.0


def announced_seconds(capture: cv2.VideoCapture) -> float | None:
    """The length the container announces, a guess; None where it makes no sense."""
    count = capture.get(cv2.CAP_PROP_FRAME_COUNT)
    return count / frame_rate(capture) if math.isfinite(count) and 0 < count < 1e8 else None


def timeline(capture: cv2.VideoCapture) -> Iterator[tuple[int, float, float]]:
    """Grab frame after frame; yield its index, its time and the gap to its predecessor (s).

    Where a container carries no usable time stamps (they must grow), the frame rate stands in.
    """
    usual_gap_s = gap_s = 1 / frame_rate(capture)
    index, previous_s = 0, -gap_s
    while _grab(capture):
        time_s = capture.get(cv2.CAP_PROP_POS_MSEC) / 1000
        if not math.isfinite(time_s) or time_s <= previous_s:
            time_s = previous_s + usual_gap_s
        if index:
            gap_s = time_s - previous_s
        yield index, time_s, gap_s
        index, previous_s = index + 1, time_s


def codec(capture: cv2.VideoCapture, property_id: int = cv2.CAP_PROP_FOURCC) -> str:
    """Four characters, such as “avc1”; the pixel format, such as “I420”, is asked for by its property."""
    code = int(capture.get(property_id)) & 0xFFFFFFFF
    return code.to_bytes(4, "little").decode("ascii", "replace").strip("\0 ")


def _grab(capture: cv2.VideoCapture) -> bool:
    """The next frame that can be had: OpenCV reports a damaged packet as if it were the end."""
    return any(capture.grab() for _ in range(GRAB_ATTEMPTS))
