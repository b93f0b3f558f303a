"""From what a visitor chose to what the page shows: the steps between the events and the model."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from demo.engine import Engine
from demo.examples import EXAMPLES
from demo.player import scene_of, sentences_of
from demo.preview import is_playable, write_preview
from s2vt_model.progress import Progress, Work

if TYPE_CHECKING:
    from s2vt_model.captioner import Captioner, Views
    from s2vt_model.decoding import DecodingOptions
    from s2vt_model.video import Clip, Sampling


@dataclass(frozen=True)
class Footage:
    """A video file, and what the browser plays of it."""

    source: Path
    played: Path  # the source itself, or its preview
    preview_until_s: float | None = None  # where the preview ends, if before the source does

    @property
    def is_preview(self) -> bool:
        return self.played != self.source


@dataclass(frozen=True, eq=False)  # the same wish again is another wish: Gradio must see a change
class Wish:
    """What a visitor wants to be captioned, and by which model."""

    path: Path
    start: float | None = None  # seconds; None: from the first frame
    end: float | None = None
    model: str | None = None  # None: the default one


@dataclass(frozen=True, eq=False)
class Watched:
    """What looking at a video left: enough to write about it again, but none of its frames.

    It is kept for every visitor, so it is small: features, and thumbnails within the scenes.
    """

    wish: Wish
    footage: Footage
    length_s: float  # of the whole file
    sampling: Sampling  # of the frames on show: the model's first stream's
    views: Views  # features, also those of models that were asked before
    clips: Mapping[Sampling, Clip]  # which frames every view is of, and when; without their pictures
    scenes: Mapping[Sampling, dict[str, Any]]  # the frames of every view, for the player; JSON-ready
    left_out: tuple[str, ...]  # why a stream of the model could not run, a sentence each
    seconds: dict[str, float] | None  # what this look took; None where all was known

    @property
    def scene(self) -> dict[str, Any]:
        return self.scenes[self.sampling]


def watch(engine: Engine, wish: Wish, before: Watched | None, preview_file: Path) -> Work[Watched]:
    """Find out what is not known from `before`; write `preview_file` if the browser needs one."""
    captioner = yield from engine.captioner(wish.model)
    is_same_file = before is not None and before.wish.path == wish.path
    is_same_part = is_same_file and (before.wish.start, before.wish.end) == (wish.start, wish.end)
    seen = yield from captioner.look(wish.path, wish.start, wish.end, before.views if is_same_part else {})
    clips = dict(before.clips) if is_same_part else {}
    clips |= {sampling: _without_pictures(clip) for sampling, clip in seen.clips.items() if sampling not in clips}
    scenes = dict(before.scenes) if is_same_part else {}
    scenes |= {sampling: scene_of(clip) for sampling, clip in seen.clips.items() if sampling not in scenes}
    if is_same_file:
        footage, length_s = before.footage, before.length_s
    else:
        footage = Footage(wish.path, wish.path)
        if not is_playable(wish.path):
            footage = yield from with_preview(footage, preview_file)
        length_s = seen.clip.times_s[0] + seen.clip.duration_s
    seconds = {"read": seen.read_seconds, "features": seen.features_seconds} if seen.clips else None
    left_out = tuple(seen.left_out.values())
    return Watched(wish, footage, length_s, captioner.sampling, seen.views, clips, scenes, left_out, seconds)


def with_preview(footage: Footage, preview_file: Path) -> Work[Footage]:
    """The same video, played as a preview."""
    yield Progress("preview", None, "Making a preview that your browser can play")
    preview = yield from write_preview(footage.source, preview_file)
    return replace(footage, played=preview.path, preview_until_s=preview.until_s)


def write(
    engine: Engine, watched: Watched, options: DecodingOptions, shares: Mapping[str, float] | None = None
) -> Work[dict[str, Any]]:
    """Sentences about what was watched, as the player shows them. No CNN is involved.

    `shares`: how much say each stream has; those that are not of this model's streams do not count.
    """
    captioner = yield from engine.captioner(watched.wish.model)
    yield Progress("decode", 0.0, "Writing the caption")
    features = captioner.features(watched.views)
    captions = captioner.write(features, options, shares_for(captioner, shares))
    footage = watched.footage
    return {
        "name": footage.source.name,
        "video": str(footage.played),
        "is_preview": footage.is_preview,
        "preview_until_s": footage.preview_until_s,
        "endings": [{"title": e.title, "is_on_show": e.path == watched.wish.path} for e in EXAMPLES],
        **watched.scene,
        "usage": " ".join([captioner.usage(watched.clips, features), *watched.left_out]),
        "seconds": watched.seconds,
        **sentences_of(captions, options),
    }


def shares_for(captioner: Captioner, shares: Mapping[str, float] | None) -> Mapping[str, float] | None:
    """The sliders may still be those of a model that was chosen since, while this one's video is being watched."""
    return shares if shares and set(shares) == set(captioner.streams) else None


def _without_pictures(clip: Clip) -> Clip:
    nothing = np.empty((0, 0, 0, 3), np.uint8)
    return replace(clip, frames=nothing, next_frames=nothing)
