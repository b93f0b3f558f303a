"""From what a visitor chose to what the page shows: the steps between the events and the model."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from demo.engine import Engine
from demo.player import scene_of, sentences_of
from demo.preview import is_playable, write_preview
from s2vt_model.progress import Progress, Work

if TYPE_CHECKING:
    from s2vt_model.captioner import Features
    from s2vt_model.decoding import DecodingOptions


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
    """What a visitor wants to be captioned."""

    path: Path
    start: float | None = None  # seconds; None: from the first frame
    end: float | None = None
    before: Watched | None = None  # an earlier look at the same file


@dataclass(frozen=True, eq=False)
class Watched:
    """What one look at a video left: enough to write about it again, but none of its frames.

    It is kept for every visitor, so it is small: the features, and thumbnails within `scene`.
    """

    footage: Footage
    start: float | None  # the part that was read, in seconds, as in `Wish`
    end: float | None
    length_s: float  # of the whole file
    features: Features  # of each stream
    scene: dict[str, Any]  # what the player shows of this look; JSON-ready


def watch(engine: Engine, wish: Wish, preview_file: Path) -> Work[Watched]:
    """Read the wished part and compute its features; write `preview_file` if the browser needs it."""
    captioner = yield from engine.wait()
    seen = yield from captioner.look(wish.path, wish.start, wish.end)
    if wish.before is not None:
        footage, length_s = wish.before.footage, wish.before.length_s
    else:
        footage = Footage(wish.path, wish.path)
        if not is_playable(wish.path):
            footage = yield from with_preview(footage, preview_file)
        length_s = seen.clip.times_s[0] + seen.clip.duration_s
    return Watched(footage, wish.start, wish.end, length_s, seen.features, scene_of(seen))


def with_preview(footage: Footage, preview_file: Path) -> Work[Footage]:
    """The same video, played as a preview."""
    yield Progress("preview", None, "Making a preview that your browser can play")
    preview = yield from write_preview(footage.source, preview_file)
    return replace(footage, played=preview.path, preview_until_s=preview.until_s)


def write(engine: Engine, watched: Watched, options: DecodingOptions) -> Work[dict[str, Any]]:
    """Sentences about what was watched, as the player shows them. No CNN is involved."""
    captioner = yield from engine.wait()
    yield Progress("decode", 0.0, "Writing the caption")
    captions = captioner.write(watched.features, options)
    footage = watched.footage
    return {
        "name": footage.source.name,
        "video": str(footage.played),
        "is_preview": footage.is_preview,
        "preview_until_s": footage.preview_until_s,
        **watched.scene,
        **sentences_of(captions, options),
    }
