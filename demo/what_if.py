"""What if: the same network about another film, or made to begin with another word.

As script.js is told, in JSON: look, what_if{title, trace}, where the trace is that of what became of it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

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
class WordChange:
    """The sentence is made to begin with these words."""

    words: tuple[str, ...]

    @property
    def title(self) -> str:
        return f"“{self.words[-1]}” as word {len(self.words)}"


@dataclass(frozen=True)
class Backwards:
    """The last frame is read first."""

    title = "the film backwards"


@dataclass(frozen=True)
class Shuffled:
    """The frames are read in an order drawn by chance."""

    title = "the frames shuffled"


@dataclass(frozen=True)
class LeftOut:
    """Frames between two moments are cut out; seconds."""

    from_s: float
    to_s: float

    @property
    def title(self) -> str:
        return f"without {self.from_s:g} s to {self.to_s:g} s"


@dataclass(frozen=True)
class OtherEnding:
    """From a moment on, the frames are those of an example."""

    example: int
    from_s: float

    @property
    def title(self) -> str:
        return f"from {self.from_s:g} s on the ending of “{EXAMPLES[self.example].title}”"


Change = WordChange | Backwards | Shuffled | LeftOut | OtherEnding


def what_if_message(
    engine: Engine,
    watched: Watched,
    change: Change,
    options: DecodingOptions,
    shares: Mapping[str, float] | None,
) -> Work[str]:
    """Trace what becomes of the sentence. Raises `S2VTError` for a change that cannot be made."""
    from s2vt_model.trace import trace  # here, as it imports torch

    captioner = yield from engine.captioner(watched.wish.model)
    film = yield from _changed(captioner, film_in(captioner, watched), change)
    prefix = _ids(captioner, change.words) if isinstance(change, WordChange) else ()
    found = yield from trace(captioner, film, options, shares_for(captioner, shares), prefix)
    what_if = {"title": change.title, "trace": json.loads(found.to_json())}
    return json.dumps({"look": watched.scene["look"], "what_if": what_if})


def _changed(captioner: Captioner, film: Film, change: Change) -> Work[Film]:
    from s2vt_model.trace import film_of, what_if

    match change:
        case Backwards():
            return what_if.reversed_film(film)
        case Shuffled():
            return what_if.shuffled_film(film)
        case LeftOut(from_s, to_s):
            return what_if.without(film, from_s, to_s)
        case OtherEnding(example, from_s):
            seen = yield from captioner.look(EXAMPLES[example].path)
            return what_if.with_ending(film, film_of(captioner, seen), from_s)
    return film


def _ids(captioner: Captioner, words: tuple[str, ...]) -> list[int]:
    from s2vt_model.vocabulary import UNK

    ids = captioner.vocabulary.encode(" ".join(words))
    if UNK in ids:
        raise S2VTError(f"“{words[ids.index(UNK)]}” is no word of this model.")
    return ids
