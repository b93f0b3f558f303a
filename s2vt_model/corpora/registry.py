"""The corpora of captioned videos by the names that commands know them by."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from s2vt_model.corpora import CaptionedVideo
from s2vt_model.corpora.mpii_md import read_mpii_md
from s2vt_model.corpora.msvd import read_msvd
from s2vt_model.corpora.mvad import read_mvad


@dataclass(frozen=True)
class Corpus:
    """A corpus in a folder of one's own."""

    title: str
    read: Callable[[Path], list[CaptionedVideo]]
    clips: str  # where its clips lie in the folder


CORPORA = {
    "msvd": Corpus("MSVD", read_msvd, "clips/vidN.mp4"),
    "mpii-md": Corpus("MPII-MD", read_mpii_md, "MOVIE/CLIP.avi"),
    "mvad": Corpus("M-VAD", read_mvad, "MOVIE/CLIP.avi"),
}
