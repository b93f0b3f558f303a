"""What a captioner reads: features of every stream, each vector with its place in time.

`Film` is to `trace` and to the edits of `what_if` what `Features` are to `Captioner.write`.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from torch import Tensor

from s2vt_model.captioner import Captioner, Features, Seen
from s2vt_model.errors import S2VTError
from s2vt_model.trace.record import TracedFrame
from s2vt_model.video import Clip


@dataclass(frozen=True)
class Footage:
    """One stream's vectors, in the order of time."""

    features: Tensor  # (T, feature_size) float32, on the CPU
    frames: tuple[TracedFrame, ...]  # T


@dataclass(frozen=True)
class Film:
    """What all streams see of one video, or of what an edit made of it."""

    streams: Mapping[str, Footage]
    start_s: float
    duration_s: float
    edits: tuple[str, ...] = ()  # what was done to it, for the screen

    @property
    def features(self) -> Features:
        return {name: footage.features for name, footage in self.streams.items()}

    @property
    def end_s(self) -> float:
        return self.start_s + self.duration_s


def film_of(captioner: Captioner, seen: Seen) -> Film:
    """What `captioner` saw of a video.

    Raises `S2VTError` where `seen.clips` lacks a sampling, because all that it shows was known before:
    the `Seen` of who looked first has it.
    """
    streams = {}
    for name, features in seen.features.items():
        view = captioner.streams[name].view
        if view.sampling not in seen.clips:
            raise S2VTError(f"When the frames of the {name} stream were shown is not known: read the video again.")
        frames = frames_of(seen.clips[view.sampling], view.backbone.frames_per_vector)
        streams[name] = Footage(features.clone(), frames)
    first = next(iter(seen.clips.values()))
    return Film(streams, first.times_s[0], first.duration_s)


def frames_of(clip: Clip, frames_per_vector: int) -> tuple[TracedFrame, ...]:
    """What each vector of a clip stands for; the last one has fewer pictures where they do not come out even."""
    starts = range(0, len(clip.indices), frames_per_vector)
    ends = [*(clip.times_s[at] for at in starts[1:]), round(clip.times_s[0] + clip.duration_s, 4)]
    frames = []
    for at, end_s in zip(starts, ends, strict=True):
        last = min(at + frames_per_vector, len(clip.indices)) - 1
        frames.append(TracedFrame(clip.indices[at], clip.indices[last], clip.times_s[at], clip.times_s[last], end_s))
    return tuple(frames)
