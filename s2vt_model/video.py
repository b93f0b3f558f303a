"""A video file -> `Clip`: the frames S2VT looks at, each with its next neighbour and its time.

Containers lie about their number of frames, so it is used as a guess only: frames are decoded one
after the other, counted, and a guess that proves wrong costs a second pass, never a wrong clip.
Only sampled frames (and their neighbours), shrunk, are kept in memory, whatever the film's length.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from s2vt_model.capture import announced_seconds, codec, cv2, frame_rate, open_video, timeline
from s2vt_model.containers import breaks_off, check_file
from s2vt_model.errors import VideoError
from s2vt_model.progress import Progress, Work

SHORT_SIDE_PX = 320  # larger frames are shrunk on reading: no backbone looks closer
LONG_SIDE_PX = 1280
PROGRESS_EVERY_FRAMES = 50
GUESS_TOLERANCE = 0.02  # a spread over 98 % or 102 % of a long clip still spreads over the clip


@dataclass(frozen=True)
class Sampling:
    """Which frames of a video the model sees: every `every`-th, `max_frames` at most.

    Every 10th frame is the paper's rule (section 4.2). Longer clips are covered evenly from their
    first frame to their last, where the authors' scripts cut the tail off. With `whole_steps` the frames
    of a longer clip are one whole number of frames apart, the largest that lets `max_frames` fit.
    """

    every: int = 10
    max_frames: int = 32
    whole_steps: bool = False

    def __post_init__(self):
        if self.every < 1 or self.max_frames < 1:
            raise ValueError(f"Sampling takes every 1st frame or fewer, and 1 at least; it says {self}.")

    @property
    def reach(self) -> int:
        """How many frames can be covered by taking every `every`-th."""
        return self.every * self.max_frames

    def positions(self, count: int) -> list[int]:
        """Positions, in 0..count-1, of the frames to take from `count` frames."""
        if count <= self.reach:
            return list(range(0, count, self.every))
        if self.whole_steps:
            return list(range(0, count, count // self.max_frames))[: self.max_frames]
        return np.linspace(0, count - 1, self.max_frames).round().astype(int).tolist()


@dataclass(frozen=True)
class Clip:
    """The sampled frames of one video. N is at most the sampling's `max_frames`."""

    frames: np.ndarray  # (N, H, W, 3) uint8 RGB, upright
    next_frames: np.ndarray  # (N, H, W, 3) the source's following frames; its very last repeats itself
    indices: tuple[int, ...]  # N frame numbers in the source file, counted from 0
    times_s: tuple[float, ...]  # N presentation times in the source file
    duration_s: float  # of the part that was read, its last frame included
    source_frames: int  # frames decoded in that part
    source_size: tuple[int, int]  # (height, width) before shrinking
    complete: bool  # False where the file broke off: it is shorter than its container says

    def usage(self) -> str:
        """Which frames were used, in words."""
        return usage_of({"The model": self})

    def _frames_used(self, reader: str) -> str:
        seen, total = len(self.indices), self.source_frames
        if total == 1:
            return "The video has a single frame; the model saw it."
        if seen == total:
            return f"{reader} saw all {total} frames."
        if seen == 1:
            return f"{reader} saw the first of {total} frames, at {self.times_s[0]:.1f} s."
        gaps = np.diff(self.indices)
        step = f"every {_ordinal(int(gaps[0]))}" if gaps.min() == gaps.max() else "evenly spread"
        first, last = self.times_s[0], self.times_s[-1]
        return f"{reader} saw {seen} of {total} frames ({step}), from {first:.1f} s to {last:.1f} s."


def usage_of(clips: Mapping[str, Clip]) -> str:
    """Which frames of a video were used, in words. clips: by who read them, such as "The rgb stream"."""
    sentences = [clip._frames_used(reader) for reader, clip in clips.items()]
    if not all(clip.complete for clip in clips.values()):
        sentences.append("The file breaks off; what could be read of it was used.")
    return " ".join(sentences)


def read_clip(
    path: str | Path,
    sampling: Sampling,
    start: float | None = None,
    end: float | None = None,
) -> Work[Clip]:
    """Decode `path` and keep the frames `sampling` asks for between `start` and `end` (seconds).

    Yields `Progress`; returns the `Clip`. Raises `VideoError` with a sentence for a visitor.
    """
    (clip,) = yield from read_clips(path, [sampling], start, end)
    return clip


def read_clips(
    path: str | Path,
    samplings: Sequence[Sampling],
    start: float | None = None,
    end: float | None = None,
) -> Work[list[Clip]]:
    """`read_clip` for several samplings, which decodes the file but once."""
    path = Path(path)
    _check_range(start, end)
    check_file(path)

    # A guess within a sampling's reach, or none, is no better than "every 10th, and count".
    guess = _guess_count(path, start, end) or 0
    planned = [max(guess, sampling.reach) for sampling in samplings]
    decoded = yield from _decode(path, samplings, planned, start, end)
    count = decoded.count
    if count and not all(_covers(s, count, p) for s, p in zip(samplings, planned, strict=True)):
        del decoded  # its pictures, before as many new ones
        decoded = yield from _decode(path, samplings, [count] * len(samplings), start, end)
    if decoded.count == 0:
        raise VideoError(_nothing_in_range(path, decoded, start, end))
    return [_clip(path, decoded, shots) for shots in decoded.shots]


def _clip(path: Path, decoded: "_Decoded", gathered: "_Shots") -> Clip:
    shots = [gathered[position] for position in sorted(gathered)]
    # A video whose size changes midway is brought to the size of its first frame.
    height, width = shots[0].frame.shape[:2]
    return Clip(
        frames=np.stack([_resize(s.frame, height, width) for s in shots]),
        next_frames=np.stack([_resize(s.next_frame, height, width) for s in shots]),
        indices=tuple(s.index for s in shots),
        times_s=tuple(round(s.time_s, 4) for s in shots),
        duration_s=round(decoded.duration_s, 4),
        source_frames=decoded.count,
        source_size=shots[0].source_size,
        complete=not breaks_off(path),
    )


# --- one pass over the file ------------------------------------------------------------------


@dataclass
class _Shot:
    """A sampled frame and the frame that follows it."""

    index: int
    time_s: float
    frame: np.ndarray
    next_frame: np.ndarray
    source_size: tuple[int, int]


class _Shots(dict[int, _Shot]):
    """Gathers shots by position within the range, as if the range had `planned` frames.

    Where a spread over the planned frames proves a little too long, the last frame there is ends
    it: the newest frame of the tail is kept until one that is wanted comes.
    """

    def __init__(self, sampling: Sampling, planned: int):
        super().__init__()
        positions = sampling.positions(planned)
        self.wanted = frozenset(positions)
        self.tail = range(int(positions[-1] * (1 - GUESS_TOLERANCE)), positions[-1] if planned > sampling.reach else 0)

    def need(self, position: int) -> bool:
        """Whether the picture at `position` is looked at at all."""
        return position in self.wanted or position in self.tail or position - 1 in self

    def add(self, position: int, shot: _Shot) -> None:
        self.add_neighbour(position, shot)
        if position in self.wanted or position in self.tail:
            self[position] = shot
            for earlier in [p for p in self if p < position and p not in self.wanted]:
                del self[earlier]

    def add_neighbour(self, position: int, shot: _Shot) -> None:
        if position - 1 in self:
            self[position - 1].next_frame = shot.frame


@dataclass(frozen=True)
class _Decoded:
    """What one pass found."""

    shots: list[_Shots]  # of each sampling
    count: int  # frames within the range
    duration_s: float
    end_of_file_s: float
    codec: str


def _decode(
    path: Path, samplings: Sequence[Sampling], planned: Sequence[int], start: float | None, end: float | None
) -> Work[_Decoded]:
    """Sample the range as if it had `planned` frames, and count how many it has."""
    wishes = [_Shots(sampling, frames) for sampling, frames in zip(samplings, planned, strict=True)]
    count = 0
    first_s = last_s = end_of_file_s = 0.0
    capture = open_video(path)
    try:
        until = end if end is not None else announced_seconds(capture)
        for index, time_s, gap_s in timeline(capture):
            end_of_file_s = time_s + gap_s
            if end is not None and time_s > end:
                if any(count - 1 in shots for shots in wishes) and (shot := _retrieve(capture, index, time_s)):
                    for shots in wishes:
                        shots.add_neighbour(count, shot)
                break
            if start is None or time_s >= start:
                first_s = first_s if count else time_s
                last_s = end_of_file_s
                if any(shots.need(count) for shots in wishes) and (shot := _retrieve(capture, index, time_s)):
                    for shots in wishes:
                        shots.add(count, shot)
                count += 1
            if index % PROGRESS_EVERY_FRAMES == 0:
                fraction = min(time_s / until, 1.0) if until else None
                yield Progress("read", fraction, f"Reading the video: {time_s:.1f} s")
        if count and not all(wishes):
            raise VideoError(f"“{path.name}” has frames, but none of them could be decoded.")
        return _Decoded(wishes, count, last_s - first_s, end_of_file_s, codec(capture))
    finally:
        capture.release()


def _retrieve(capture: cv2.VideoCapture, index: int, time_s: float) -> _Shot | None:
    """The grabbed frame, its own neighbour until that comes; None where it is damaged."""
    ok, picture = capture.retrieve()
    if not ok:
        return None
    frame = _prepare(picture)
    return _Shot(index, time_s, frame, frame, picture.shape[:2])


def _prepare(picture: np.ndarray) -> np.ndarray:
    """BGR as OpenCV hands it out -> RGB, shrunk to the size limits."""
    height, width = picture.shape[:2]
    scale = min(SHORT_SIDE_PX / min(height, width), LONG_SIDE_PX / max(height, width), 1.0)
    picture = _resize(picture, max(round(height * scale), 1), max(round(width * scale), 1))
    return cv2.cvtColor(picture, cv2.COLOR_BGR2RGB)


def _resize(picture: np.ndarray, height: int, width: int) -> np.ndarray:
    if picture.shape[:2] == (height, width):
        return picture
    return cv2.resize(picture, (width, height), interpolation=cv2.INTER_AREA)


# --- guesses ---------------------------------------------------------------------------------


def _guess_count(path: Path, start: float | None, end: float | None) -> int | None:
    """How many frames the container says lie in the range; None where it makes no sense."""
    capture = open_video(path)
    try:
        seconds = announced_seconds(capture)
        if seconds is None:
            return None
        seconds = min(end, seconds) - (start or 0) if end is not None else seconds - (start or 0)
        return max(round(seconds * frame_rate(capture)), 1)
    finally:
        capture.release()


def _covers(sampling: Sampling, count: int, planned: int) -> bool:
    """Whether frames sampled for `planned` frames do for the `count` there really are."""
    if count <= sampling.reach or planned <= sampling.reach:
        return max(count, planned) <= sampling.reach
    return abs(count - planned) <= GUESS_TOLERANCE * count


# --- sentences -------------------------------------------------------------------------------


def _check_range(start: float | None, end: float | None) -> None:
    for name, value in (("start", start), ("end", end)):
        if value is not None and (not math.isfinite(value) or value < 0):
            raise VideoError(f"The {name} must be a number of seconds, 0 or more; it is {value}.")
    if start is not None and end is not None and start >= end:
        raise VideoError(f"The start ({start:g} s) must lie before the end ({end:g} s).")


def _nothing_in_range(path: Path, decoded: _Decoded, start: float | None, end: float | None) -> str:
    if decoded.end_of_file_s and (start or end):
        return (
            f"“{path.name}” has no frame between {start or 0:g} s and "
            f"{'its end' if end is None else f'{end:g} s'}; it is about "
            f"{decoded.end_of_file_s:.1f} s long. Choose a start and an end within it."
        )
    return (
        f"“{path.name}” opens as a video, but not a single frame of it can be decoded (its codec is "
        f"“{decoded.codec}”). Copy it again, or convert it to H.264 or VP9."
    )


def _ordinal(number: int) -> str:
    suffix = "th" if 10 <= number % 100 <= 20 else {1: "st", 2: "nd", 3: "rd"}.get(number % 10, "th")
    return f"{number}{suffix}"
