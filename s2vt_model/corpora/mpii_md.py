"""MPII-MD, the MPII Movie Description dataset (Rohrbach et al., CVPR 2015), as its authors hand it out.

    ROOT/annotations-someone.csv    CLIP<TAB>sentence, a line each
    ROOT/dataSplit.txt              MOVIE<TAB>training|validation|test, a line each
    ROOT/uniqueTestIds.txt          the CLIPs of the test split that are scored, a line each
    ROOT/MOVIE/CLIP.avi             those that can be had

`movies` says what CLIP and MOVIE are.
"""

from collections.abc import Iterator
from pathlib import Path

from s2vt_model.corpora import CaptionedVideo
from s2vt_model.corpora.movies import CLIP, Description, gather, read_lines
from s2vt_model.errors import CorpusError

TITLE = "MPII-MD"
SPLITS = {"training": "train", "validation": "val", "test": "test"}


def read_mpii_md(root: str | Path) -> list[CaptionedVideo]:
    """Every clip that has a sentence, in the file's order; `path` is None where the clip is missing."""
    root = Path(root)
    splits = _splits(root / "dataSplit.txt")
    scored = {line.strip() for line in read_lines(root / "uniqueTestIds.txt", TITLE)}
    lines = read_lines(root / "annotations-someone.csv", TITLE)
    videos = gather(root, TITLE, _descriptions(lines, splits))
    kept = [v for v in videos if v.split != "test" or v.name in scored]
    if len(kept) < len(videos) and not any(v.split == "test" for v in kept):
        raise CorpusError(f"“{root / 'uniqueTestIds.txt'}” names no clip of the test split. Copy it again.")
    return kept


def _descriptions(lines: list[str], splits: dict[str, str]) -> Iterator[Description | None]:
    """None for a line without two columns, or of a movie that is in no split."""
    for line in lines:
        clip, *rest = line.split("\t")
        name = CLIP.fullmatch(clip)
        split = splits.get(name["movie"]) if name else None
        yield Description(split, clip, rest[0]) if split and len(rest) == 1 else None


def _splits(file: Path) -> dict[str, str]:
    """Movie -> split."""
    splits = {}
    for line in read_lines(file, TITLE):
        movie, _, split = line.strip().partition("\t")
        if split not in SPLITS:
            raise CorpusError(f"“{file}” has a line other than MOVIE<TAB>training|validation|test: “{line.strip()}”.")
        splits[movie] = SPLITS[split]
    return splits
