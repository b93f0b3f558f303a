"""M-VAD, the Montreal Video Annotation Dataset (Torabi et al. 2015), as it is handed out now: within LSMDC.

    ROOT/LSMDC16_annos_{training,val,test}_someone.csv    (or without _someone), a line each:
        CLIP  START_ALIGNED  END_ALIGNED  START_EXTRACTED  END_EXTRACTED  SENTENCE    between tabs
    ROOT/MOVIE/CLIP.avi                                   those that can be had

`movies` says what CLIP and MOVIE are. LSMDC holds MPII-MD's movies too; M-VAD's are numbered 3xxx. One
CLIP may stand on several lines.
"""

import re
from collections.abc import Iterator
from pathlib import Path

from s2vt_model.corpora import CaptionedVideo
from s2vt_model.corpora.movies import Description, gather, read_lines

TITLE = "M-VAD"
SPLITS = {"training": "train", "val": "val", "test": "test"}
COLUMNS = 6
MVAD = re.compile(r"3[0-9]{3}_")


def read_mvad(root: str | Path) -> list[CaptionedVideo]:
    """Every clip of M-VAD's that has a sentence, in the files' order; `path` is None where the clip is missing."""
    root = Path(root)
    return gather(root, TITLE, _descriptions(root))


def _descriptions(root: Path) -> Iterator[Description | None]:
    """None for a line that has not six columns, whichever of LSMDC's corpora it is of."""
    for name, split in SPLITS.items():
        file = root / f"LSMDC16_annos_{name}_someone.csv"
        plain = root / f"LSMDC16_annos_{name}.csv"
        for line in read_lines(plain if plain.is_file() and not file.is_file() else file, TITLE):
            columns = line.split("\t")
            if len(columns) != COLUMNS:
                yield None
            elif MVAD.match(columns[0]):
                yield Description(split, columns[0], columns[-1])
