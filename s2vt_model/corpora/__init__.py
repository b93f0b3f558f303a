"""Readers of captioned corpora: a folder as its authors hand it out -> `CaptionedVideo`s."""

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class CaptionedVideo:
    """One video (or still) of a corpus, with all that people said about it."""

    name: str
    split: str  # "train", "val" or "test"
    sentences: tuple[str, ...]  # lower case, no punctuation
    path: Path | None  # None where only the sentences are to be had
    origin: str  # what it was cut from: videos of one origin belong in one fold
