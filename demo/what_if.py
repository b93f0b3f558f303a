"""What if: the same network about another film, or made to begin with another word.

As script.js is told, in JSON: look, what_if{title, change, trace}: what was asked for, and the trace of what became of
it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Literal

from demo.engine import Engine
from demo.examples import EXAMPLES
from demo.tracing import film_in
from demo.watching import Watched, shares_for
from s2vt_model.errors import S2VTError
from s2vt_model.progress import Work

if TYPE_CHECKING:
    from s2vt_model.captioner import Captioner
    from s2vt_model.decoding import DecodingOptions
    from s2vt_model.trace import Film


@dataclass(frozen=True)
class Change:
    """What a visitor wants to see changed: the film, how the sentence begins, or both."""

    edit: Literal["reverse", "shuffle", "drop", "ending"] | None = None  # of the film
    words: tuple[str, ...] = ()  # how the sentence shall begin; the last of them is the new one
    from_s: float = 0.0  # drop and ending
    to_s: float = 0.0  # drop
    example: int = 0  # ending: whose


def what_if_message(
    engine: Engine,
    watched: Watched,
    change: Change,
    options: DecodingOptions,
    shares: Mapping[str, float] | None,
) -> Work[str]:
    """Trace what becomes of the sentence. Raises `S2VTError` for a change that cannot be made."""
    from s2vt_model.trace import trace  # here, as it imports torch
    from s2vt_model.trace.what_if import changed_word

    captioner = yield from engine.captioner(watched.wish.model)
    film = yield from _changed(captioner, film_in(captioner, watched), change)
    prefix, title = (), list(film.edits)
    if change.words:
        *before, word = change.words
        prefix = changed_word(captioner.vocabulary, before, len(before), word)
        title.append(f"“{captioner.vocabulary.words[prefix[-1]]}” as word {len(prefix)}")
    found = yield from trace(captioner, film, options, shares_for(captioner, shares), prefix)
    what_if = {"title": ", ".join(title), "change": asdict(change), "trace": json.loads(found.to_json())}
    return json.dumps({"look": watched.scene["look"], "what_if": what_if})


def _changed(captioner: Captioner, film: Film, change: Change) -> Work[Film]:
    from s2vt_model.trace import film_of
    from s2vt_model.trace.what_if import drop, reverse, shuffle, with_ending

    match change.edit:
        case None:
            return film
        case "reverse":
            return reverse(film)
        case "shuffle":
            return shuffle(film)
        case "drop":
            return drop(film, change.from_s, change.to_s)
        case "ending":
            other = film_of(captioner, (yield from captioner.look(EXAMPLES[change.example].path)))
            left_s = film.end_s - change.from_s  # as much of the other clip's end, if it has that much
            return with_ending(film, other, change.from_s, max(other.end_s - left_s, other.start_s))
    raise S2VTError(f"There is no what-if of the kind “{change.edit}”.")
