"""From what was watched to its trace, as the player is told of it; and the whole page as one file.

As script.js is told, in JSON; `look` says which frames are meant:

    look, trace, subtitles{srt, vtt}, is_partial             s2vt_model/trace/SCHEMA.md says what a trace holds;
                                                             partial: which word came from which frame is to follow
    look, page{path, name}                                   a saved page, ready to be fetched
    ended                                                    "trace" or "what_if": none will come; why is said elsewhere
"""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from demo.engine import Engine
from demo.watching import Watched, shares_for
from s2vt_model.progress import Work
from s2vt_model.subtitles import srt, webvtt

if TYPE_CHECKING:
    from s2vt_model.captioner import Captioner
    from s2vt_model.decoding import DecodingOptions
    from s2vt_model.trace import Film


def film_in(captioner: Captioner, watched: Watched) -> Film:
    """What `captioner` saw of what was watched."""
    from s2vt_model.captioner import Seen  # here, as it imports torch
    from s2vt_model.trace import film_of

    return film_of(captioner, Seen(watched.clips, watched.views, captioner.features(watched.views), 0.0, 0.0))


def trace_message(
    engine: Engine,
    watched: Watched,
    options: DecodingOptions,
    shares: Mapping[str, float] | None,
    is_partial: bool = False,
) -> Work[str]:
    """Trace the sentence that `watching.write` wrote. No CNN is involved.

    Asking every frame about every word takes far longer than all the rest, so the rest can be had before.
    """
    from s2vt_model.trace import AttributionOptions, trace

    captioner = yield from engine.captioner(watched.wish.model)
    film = film_in(captioner, watched)
    attribution = None if is_partial else AttributionOptions()
    found = yield from trace(captioner, film, options, shares_for(captioner, shares), attribution=attribution)
    return json.dumps({"look": watched.scene["look"], "is_partial": is_partial, **told_of(found.to_json())})


def told_of(trace_json: str) -> dict[str, Any]:
    """A trace as the player is told of it."""
    trace = json.loads(trace_json)
    start_s, end_s = trace["start_s"], trace["start_s"] + trace["duration_s"]
    caption = trace["caption"]
    return {
        "trace": trace,
        "subtitles": {"srt": srt(caption, start_s, end_s), "vtt": webvtt(caption, start_s, end_s)},
    }


def ended_message(what: Literal["trace", "what_if"]) -> str:
    """What the player is told when none will come; each one differs, or Gradio would see no change."""
    return json.dumps({"ended": what, "at": time.monotonic_ns()})


def page_message(look: str, file: Path, video: str) -> str:
    """What the player is told when a page was saved."""
    return json.dumps({"look": look, "page": {"path": str(file), "name": f"{Path(video).stem}.html"}})
