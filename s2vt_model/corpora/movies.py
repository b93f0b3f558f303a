"""What MPII-MD and M-VAD share: clips of movies, described in a sentence or two, people's names made “someone”.

    CLIP              0001_American_Beauty_00.00.51.926-00.00.54.129: movie, start-end as HH.MM.SS.mmm
    MOVIE/CLIP.avi    its file

Sentences are brought to the form of MSVD's: lower case, letters and digits only, so that "John's" and
"well-lit" become two words each.
"""

import re
import sys
from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

from s2vt_model.corpora import CaptionedVideo
from s2vt_model.errors import CorpusError

TIME = r"[0-9]{2}\.[0-9]{2}\.[0-9]{2}\.[0-9]{3}"
CLIP = re.compile(rf"(?P<movie>[^/]+)_{TIME}-{TIME}")
WORD = re.compile(r"[^\W_]+")


class Description(NamedTuple):
    """A line of an annotation file."""

    split: str
    clip: str
    sentence: str  # as it was written


def gather(root: Path, title: str, lines: Iterable[Description | None]) -> list[CaptionedVideo]:
    """The clips in the lines' order, each with all its sentences; `path` is None where the clip is missing.

    Malformed lines (None, a CLIP without times, no word) are skipped; stderr says how many there were.
    """
    sentences = defaultdict(list)
    malformed = 0
    for line in lines:
        sentence = normalise(line.sentence) if line else ""
        if sentence and CLIP.fullmatch(line.clip):
            sentences[line.split, line.clip].append(sentence)
        else:
            malformed += 1
    if malformed:
        print(f"{title}: malformed lines skipped: {malformed}", file=sys.stderr)
    videos = []
    for (split, clip), said in sentences.items():
        movie = CLIP.fullmatch(clip)["movie"]
        file = root / movie / f"{clip}.avi"
        videos.append(CaptionedVideo(clip, split, tuple(said), file if file.is_file() else None, movie))
    return videos


def normalise(sentence: str) -> str:
    """"SOMEONE's gone." -> "someone s gone"."""
    return " ".join(WORD.findall(sentence.lower()))


def read_lines(file: Path, title: str) -> list[str]:
    """The file's lines, but for empty ones. Raises `CorpusError` where there is no such file."""
    if not file.is_file():
        raise CorpusError(
            f"There is no “{file}”. Put {title}'s text files into that folder; the README says how to get them."
        )
    # Some bytes in the files are not UTF-8. Other line ends than these stand within sentences.
    text = file.read_text(encoding="utf-8", errors="replace")
    return [line for line in text.split("\n") if line.strip()]
