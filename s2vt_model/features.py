"""Feature vectors of whole corpora, computed once and kept on disk.

The CNN is by far the dearest part of S2VT and is never trained here, so a video's features depend
only on the file, the backbone, the sampling and whether the frames are mirrored.
"""

import hashlib
import json
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path

import cv2
import numpy as np
import torch
from torch import Tensor

from s2vt_model.backbones import AbsentBackbone, Backbone
from s2vt_model.errors import CheckpointError, VideoError
from s2vt_model.progress import finish
from s2vt_model.video import Clip, Sampling, read_clip

STILL_SUFFIXES = {".jpg", ".jpeg", ".png", ".webp"}
REPORT_EVERY_FILES = 100
ABOUT_A_BACKBONE = ("name", "golden_tolerance", "license", "source")  # what changes no feature


class FeatureCache:
    """Features of videos and stills under `folder`, one `.npy` a file."""

    def __init__(self, folder: Path, backbone: Backbone):
        self.folder = folder
        self.backbone = backbone

    def features(self, path: Path, sampling: Sampling, mirrored: bool = False) -> Tensor:
        """(T, feature_size) float32 of one file; a still is a film of one frame."""
        file = self._file(path, sampling, mirrored)
        if not file.is_file():
            file.parent.mkdir(parents=True, exist_ok=True)
            clip = _still(path) if path.suffix.lower() in STILL_SUFFIXES else finish(read_clip(path, sampling))
            if mirrored:
                clip = replace(clip, frames=clip.frames[:, :, ::-1], next_frames=clip.next_frames[:, :, ::-1])
            try:
                features = finish(self.backbone.features_of(clip)).numpy()
            except VideoError as error:
                raise VideoError(f"“{path}” has no features: {error}") from error
            # Under a name of its own first: a kill, or another process, leaves no half-written features.
            with tempfile.NamedTemporaryFile(dir=file.parent, suffix=".partial", delete=False) as partial:
                np.save(partial, features)
            Path(partial.name).replace(file)
        return torch.from_numpy(np.load(file))

    def features_of_all(self, paths: Sequence[Path], sampling: Sampling, mirrored: bool = False) -> list[Tensor]:
        """`features` of each, with a line on stderr now and then where they have to be computed."""
        missing = sum(not self._file(p, sampling, mirrored).is_file() for p in paths)
        if missing:
            print(f"Computing the features of {missing} files: kept in {self.folder}", file=sys.stderr)
        found = []
        for number, path in enumerate(paths, 1):
            found.append(self.features(path, sampling, mirrored))
            if missing and number % REPORT_EVERY_FILES == 0:
                print(f"Features: {number} of {len(paths)} files", file=sys.stderr, flush=True)
        return found

    def _file(self, path: Path, sampling: Sampling, mirrored: bool) -> Path:
        view = f"every{sampling.every}-max{sampling.max_frames}"
        view += ("-whole" if sampling.whole_steps else "") + ("-mirrored" if mirrored else "")
        return self.folder / view / f"{path.stem}-{path.stat().st_size}.npy"


def open_cache(folder: str | Path, backbone: Backbone) -> FeatureCache:
    """The cache of one backbone. Its weights and how it is fed are the key: features of others never mix.

    Raises `CheckpointError` where the backbone's weights are not there.
    """
    if isinstance(backbone, AbsentBackbone):
        raise CheckpointError(f"No features can be made: {backbone.why}")
    with backbone.weights.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256")
    fed = {key: value for key, value in asdict(backbone.config).items() if key not in ABOUT_A_BACKBONE}
    digest.update(json.dumps(fed, sort_keys=True).encode())
    return FeatureCache(Path(folder) / f"{backbone.config.name}-{digest.hexdigest()[:12]}", backbone)


def _still(path: Path) -> Clip:
    """A picture as a film of one frame."""
    picture = cv2.imread(str(path))
    if picture is None:
        raise VideoError(f"“{path}” is not a picture that can be read.")
    frames = cv2.cvtColor(picture, cv2.COLOR_BGR2RGB)[None]
    return Clip(frames, frames, (0,), (0.0,), 0.0, 1, picture.shape[:2], complete=True)
