"""MSVD (Chen & Dolan, ACL 2011) on the official S2VT split, in the text format of its release.

    ROOT/captions/sents_{train,val,test}_lc_nopunc.txt    vidN<TAB>sentence, a line each
    ROOT/clips/vidN.mp4                                   those that can be had
    ROOT/clips.csv                                        optional: video,youtube_clip,…
    ROOT/features/vgg19_16x512.npz                        optional, see `vgg19_features`
"""

import csv
from collections import defaultdict
from pathlib import Path
from zipfile import BadZipFile

import numpy as np

from s2vt_model.corpora import CaptionedVideo
from s2vt_model.errors import CorpusError, first_line

SPLITS = ("train", "val", "test")
YOUTUBE_ID_LENGTH = 11
VGG19 = "timm/vgg19.tv_in1k"  # the backbone of `vgg19_features`; its preprocessing stands in weights/backbones/
VGG19_SIZE = 512


def read_msvd(root: str | Path) -> list[CaptionedVideo]:
    """Every video that has sentences, in the files' order; `path` is None where the clip is missing."""
    root = Path(root)
    origins = _origins(root / "clips.csv")
    videos = []
    for split in SPLITS:
        for name, sentences in _sentences(root / f"captions/sents_{split}_lc_nopunc.txt").items():
            clip = next((p for s in (".mp4", ".avi") if (p := root / f"clips/{name}{s}").is_file()), None)
            videos.append(CaptionedVideo(name, split, tuple(sentences), clip, origins.get(name, name)))
    return videos


def vgg19_features(root: str | Path) -> dict[str, np.ndarray]:
    """VGG-19 features by video name: (16, 512) float32; rows of zeros, frames that weren't there, are dropped.

    Raises `CorpusError`.
    """
    file = Path(root) / "features/vgg19_16x512.npz"
    if not file.is_file():
        raise CorpusError(
            f"There is no “{file}”. Put MSVD's VGG-19 features there; a recipe that uses them beside its clips "
            "does without them where it says vgg19 = { start = 0, end = 0 }."
        )
    try:
        with np.load(file) as archive:
            names, features = archive["video"], archive["features"].astype(np.float32)
        if features.ndim != 3 or features.shape[2] != VGG19_SIZE or len(names) != len(features):
            raise ValueError(f"{len(names)} names, features of shape {features.shape}")
    except (OSError, ValueError, KeyError, BadZipFile) as error:
        raise CorpusError(
            f"“{file}” does not hold VGG-19 features, (videos, 16, {VGG19_SIZE}) of named videos "
            f"({first_line(error)}). Put the file there again."
        ) from error
    return {str(name): f[f.any(axis=1)] for name, f in zip(names, features, strict=True) if f.any()}


def _sentences(file: Path) -> dict[str, list[str]]:
    if not file.is_file():
        raise CorpusError(
            f"MSVD's sentences are not at “{file}”. The README says where to get them and how the folder must look."
        )
    sentences = defaultdict(list)
    # A handful of bytes in the official files are not UTF-8.
    for line in file.read_text(encoding="utf-8", errors="replace").splitlines():
        name, _, sentence = line.partition("\t")
        if sentence.strip():
            sentences[name].append(" ".join(sentence.split()))
    return dict(sentences)


def _origins(file: Path) -> dict[str, str]:
    """Video -> the YouTube video it was cut from (`ID_start_end`)."""
    if not file.is_file():
        return {}
    with file.open(newline="", encoding="utf-8") as lines:
        return {row["video"]: row["youtube_clip"][:YOUTUBE_ID_LENGTH] for row in csv.DictReader(lines)}
