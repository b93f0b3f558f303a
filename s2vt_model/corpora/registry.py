"""The corpora of captioned videos by the names that commands know them by."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from numpy import ndarray

from s2vt_model.corpora import CaptionedVideo
from s2vt_model.corpora.mpii_md import read_mpii_md
from s2vt_model.corpora.msvd import VGG19, read_msvd, vgg19_features
from s2vt_model.corpora.mvad import read_mvad


@dataclass(frozen=True)
class Corpus:
    """A corpus in a folder of one's own."""

    title: str
    read: Callable[[Path], list[CaptionedVideo]]
    clips: str  # where its clips lie in the folder
    # Features that it brings in a file, by their backbone: folder -> (T, D) float32 by video name. They
    # are what models of that backbone learn from and are scored on; no clip is looked at.
    features: Mapping[str, Callable[[Path], Mapping[str, ndarray]]] = field(default_factory=dict)


CORPORA = {
    "msvd": Corpus("MSVD", read_msvd, "clips/vidN.mp4", {VGG19: vgg19_features}),
    "mpii-md": Corpus("MPII-MD", read_mpii_md, "MOVIE/CLIP.avi"),
    "mvad": Corpus("M-VAD", read_mvad, "MOVIE/CLIP.avi"),
}
