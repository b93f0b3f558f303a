"""Feature vectors of whole corpora, computed once and kept on disk.

The CNN is by far the dearest part of S2VT and is never trained here, so a video's features depend
only on the file, the backbone, the sampling and whether the frames are mirrored.
"""

import hashlib
from pathlib import Path

import cv2
import numpy as np
import torch
from torch import Tensor

from s2vt_model.backbones import Backbone, load_backbone
from s2vt_model.errors import VideoError
from s2vt_model.progress import finish
from s2vt_model.video import Sampling, read_clip

STILL_SUFFIXES = {".jpg", ".jpeg", ".png", ".webp"}


class FeatureCache:
    """Features of videos and stills under `folder`, one `.npy` a file."""

    def __init__(self, folder: Path, backbone: Backbone):
        self.folder = folder
        self.backbone = backbone

    def features(self, path: Path, sampling: Sampling, mirrored: bool = False) -> Tensor:
        """(T, feature_size) float32 of one file; a still is a film of one frame."""
        view = f"every{sampling.every}-max{sampling.max_frames}" + ("-mirrored" if mirrored else "")
        file = self.folder / view / f"{path.stem}-{path.stat().st_size}.npy"
        if not file.is_file():
            file.parent.mkdir(parents=True, exist_ok=True)
            frames = _frames(path, sampling)
            if mirrored:
                frames = frames[:, :, ::-1]
            partial = file.with_suffix(".partial.npy")  # a kill leaves no half-written features
            np.save(partial, finish(self.backbone.extract(frames)).numpy())
            partial.rename(file)
        return torch.from_numpy(np.load(file))


def open_cache(folder: str | Path, backbone_folder: Path, device: str) -> FeatureCache:
    """The cache of one backbone. Its weights are part of the key: features of others never mix."""
    backbone = load_backbone(backbone_folder, device)
    digest = hashlib.sha256((backbone_folder / "model.safetensors").read_bytes()).hexdigest()[:12]
    return FeatureCache(Path(folder) / f"{backbone.config.name}-{digest}", backbone)


def _frames(path: Path, sampling: Sampling) -> np.ndarray:
    """(T, H, W, 3) uint8 RGB."""
    if path.suffix.lower() not in STILL_SUFFIXES:
        return finish(read_clip(path, sampling)).frames
    picture = cv2.imread(str(path))
    if picture is None:
        raise VideoError(f"“{path}” is not a picture that can be read.")
    return cv2.cvtColor(picture, cv2.COLOR_BGR2RGB)[None]
