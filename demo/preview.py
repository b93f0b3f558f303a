"""Videos that a browser cannot play -> a small VP8 copy that it can.

The copy keeps the source's clock, so that 3 s in it shows what 3 s in the source shows. It is
bounded in frames and in the time spent on it: long films get few pictures a second, and where the
time is used up the copy ends early and says so.
"""

import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from s2vt_model.capture import announced_seconds, codec, cv2, frame_rate, open_video, timeline
from s2vt_model.errors import VideoError
from s2vt_model.progress import Progress, Work

LONG_SIDE_PX = 480
MAX_FRAMES = 360
MAX_FPS = 12.0
MAX_SECONDS = 20.0  # of work
REPORT_SECONDS = 0.25

# Codecs by the first bytes of their container. A browser needs both to be its own.
PLAYABLE = {
    "mp4": {"h264", "avc1", "vp09", "VP90", "av01", "AV01"},
    "webm": {"VP80", "VP90", "vp09", "AV01", "av01"},
}


@dataclass(frozen=True)
class Preview:
    """A playable copy."""

    path: Path
    until_s: float | None  # where it ends, if that is before the source's end


def is_playable(path: Path) -> bool:
    """Whether every current browser plays the file, as far as its headers tell."""
    with path.open("rb") as file:
        container = _container(file.read(64))
    capture = open_video(path)
    try:
        # 10-bit and 4:4:4 pictures are decoded by some browsers only.
        is_common = codec(capture, cv2.CAP_PROP_CODEC_PIXEL_FORMAT) == "I420"
        return is_common and codec(capture) in PLAYABLE.get(container, ())
    finally:
        capture.release()


def write_preview(source: Path, target: Path) -> Work[Preview]:
    """Write `target`, a .webm file, showing `source`. Raises `VideoError` if nothing can be decoded."""
    capture = open_video(source)
    writer, size = None, (0, 0)
    try:
        fps = _preview_rate(capture)
        began = reported = time.perf_counter()
        written, ended_early = 0, False
        for _, time_s, _ in timeline(capture):
            now = time.perf_counter()
            if now - reported > REPORT_SECONDS:
                yield Progress("preview", None, f"Making a preview that your browser can play: {time_s:.1f} s")
                reported = now
            ended_early = written >= MAX_FRAMES or now - began > MAX_SECONDS
            if ended_early:
                break
            if written > time_s * fps:
                continue
            decoded, picture = capture.retrieve()
            if not decoded:
                continue
            if writer is None:
                size = _size(picture)
                writer = cv2.VideoWriter(str(target), cv2.CAP_FFMPEG, cv2.VideoWriter_fourcc(*"VP80"), fps, size)
            picture = cv2.resize(picture, size, interpolation=cv2.INTER_AREA)
            # The frame stands for every tick of the copy's clock up to its own time.
            while written <= time_s * fps and written < MAX_FRAMES:
                writer.write(picture)
                written += 1
        if writer is None:
            raise VideoError(f"“{source.name}” opens as a video but not a single frame of it can be decoded.")
        return Preview(target, written / fps if ended_early else None)
    finally:
        capture.release()
        if writer is not None:
            writer.release()


def _container(head: bytes) -> str:
    if head[4:8] == b"ftyp" and head[8:10] != b"qt":
        return "mp4"
    if head.startswith(b"\x1aE\xdf\xa3") and b"webm" in head:
        return "webm"
    return "other"


def _preview_rate(capture: cv2.VideoCapture) -> float:
    """So many pictures a second that the whole of the source fits into `MAX_FRAMES`."""
    seconds = announced_seconds(capture)
    return min(frame_rate(capture), MAX_FPS, (MAX_FRAMES - 1) / seconds if seconds else MAX_FPS)


def _size(picture: np.ndarray) -> tuple[int, int]:
    """Width and height of the preview: even, as VP8's colour planes need."""
    height, width = picture.shape[:2]
    scale = min(LONG_SIDE_PX / max(height, width), 1.0)
    return max(round(width * scale / 2) * 2, 2), max(round(height * scale / 2) * 2, 2)
