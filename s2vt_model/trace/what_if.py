"""What if: another word here, other frames there. Each gives what can be written about, or traced, like the original.

Edits work on features. A frame's own vector is what it would be in an edited file; a motion vector is not quite,
because it has seen a little of what came before and after it, and that stays.

An edit fills places on the time axis with pictures: `TracedFrame.time_s` is the place, `index` the picture.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import replace

import torch
from torch import Tensor

from s2vt_model.errors import S2VTError
from s2vt_model.trace.film import Film, Footage
from s2vt_model.vocabulary import EOS, UNK, Vocabulary


def changed_word(vocabulary: Vocabulary, sentence: Sequence[str], position: int, word: str) -> tuple[int, ...]:
    """The prefix that makes a decoding (`Captioner.write`, `trace`) go on from a changed word.

    `sentence`: words as they were written; `position`: of the word to change, from 0; one past the last word
    makes the sentence longer. Raises `S2VTError` for a word that the model cannot write.
    """
    if not 0 <= position <= len(sentence):
        raise S2VTError(f"The sentence has {len(sentence)} words; there is no place {position + 1}.")
    ids = vocabulary.encode(" ".join([*sentence[:position], word.strip().lower()]))
    if len(ids) != position + 1 or ids[-1] in (UNK, EOS):
        raise S2VTError(f"“{word}” is not among the words that the model can write. Choose another word.")
    return tuple(ids)


def drop(film: Film, start_s: float, end_s: float) -> Film:
    """Without the frames shown from `start_s` up to `end_s`: the rest stays where it is, and is read without a hole.

    Raises `S2VTError` where a stream would have nothing left to read, and where all would read what they read before.
    """
    _check_times(start_s, end_s)
    left = {}
    for name, footage in film.streams.items():
        keep = [not start_s <= frame.time_s < end_s for frame in footage.frames]
        if not any(keep):
            raise S2VTError(f"This drops all that the {name} stream sees. Leave something.")
        frames = tuple(f for f, k in zip(footage.frames, keep, strict=True) if k)
        left[name] = Footage(footage.features[torch.tensor(keep)], frames)
    if all(len(left[name].frames) == len(footage.frames) for name, footage in film.streams.items()):
        raise S2VTError(
            f"No frame that was read lies from {start_s:g} s to {end_s:g} s, so there is nothing to leave out. "
            f"Choose a longer part between {film.start_s:.2f} s and {film.end_s:.2f} s."
        )
    return replace(film, streams=left, edits=(*film.edits, f"without {start_s:g} s to {end_s:g} s"))


def reverse(film: Film) -> Film:
    """The last frame first."""
    return _reorder(film, lambda count: torch.arange(count).flip(0), "backwards")


def shuffle(film: Film, seed: int = 0) -> Film:
    """The frames of each stream in random order."""

    def order(count: int) -> Tensor:
        return torch.randperm(count, generator=torch.Generator().manual_seed(seed))

    return _reorder(film, order, "shuffled")


def with_ending(film: Film, other: Film, from_s: float, other_from_s: float) -> Film:
    """`film` up to `from_s`, then what `other` shows from `other_from_s` on.

    Raises `S2VTError` where a stream would have neither a beginning nor an end, or `other` has not got it.
    """
    _check_times(from_s, math.inf)
    _check_times(other_from_s, math.inf)
    missing = [name for name in film.streams if name not in other.streams]
    if missing:
        raise S2VTError(f"The other clip has no {missing[0]} stream, so its ending cannot be taken.")
    shift = from_s - other_from_s
    joined = {}
    for name, footage in film.streams.items():
        ending = other.streams[name]
        head = [f.time_s < from_s for f in footage.frames]
        tail = [f.time_s >= other_from_s for f in ending.frames]
        if not (any(head) and any(tail)):
            raise S2VTError(f"The {name} stream has no frame on one side of the cut. Choose other times.")
        cut = [replace(f, end_s=min(f.end_s, from_s)) for f, k in zip(footage.frames, head, strict=True) if k]
        moved = [
            replace(
                f,
                time_s=round(f.time_s + shift, 4),
                last_time_s=round(f.last_time_s + shift, 4),
                end_s=round(f.end_s + shift, 4),
                clip=1,
            )
            for f, k in zip(ending.frames, tail, strict=True)
            if k
        ]
        features = torch.cat([footage.features[torch.tensor(head)], ending.features[torch.tensor(tail)]])
        joined[name] = Footage(features, (*cut, *moved))
    duration_s = round(from_s - film.start_s + other.end_s - other_from_s, 4)
    edit = f"from {from_s:g} s with another clip's ending"
    return replace(film, streams=joined, duration_s=duration_s, edits=(*film.edits, edit))


def _reorder(film: Film, order: Callable[[int], Tensor], edit: str) -> Film:
    """Other pictures, and their features, in the same places."""
    reordered = {}
    for name, footage in film.streams.items():
        picks = order(len(footage.frames))
        frames = tuple(
            replace(place, index=picture.index, last_index=picture.last_index, clip=picture.clip)
            for place, picture in zip(footage.frames, (footage.frames[i] for i in picks.tolist()), strict=True)
        )
        reordered[name] = Footage(footage.features[picks], frames)
    return replace(film, streams=reordered, edits=(*film.edits, edit))


def _check_times(start_s: float, end_s: float) -> None:
    if math.isnan(start_s) or not start_s < end_s:
        raise S2VTError(f"The start ({start_s:g} s) must lie before the end ({end_s:g} s).")
