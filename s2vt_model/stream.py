"""A stream: one way to look at a video (frames, motion, …), and a network that writes about it."""

from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from s2vt_model.backbones import Backbone, load_backbone
from s2vt_model.checkpoint import Checkpoint, load_checkpoint
from s2vt_model.errors import CheckpointError
from s2vt_model.video import Sampling


class View(NamedTuple):
    """What the features of a video depend on: streams of one view share them."""

    backbone: Backbone
    sampling: Sampling


@dataclass(frozen=True)
class Stream:
    """A checkpoint and its backbone. Raises `CheckpointError` where they do not fit."""

    checkpoint: Checkpoint
    backbone: Backbone

    def __post_init__(self):
        makes, takes = self.backbone.config.feature_size, self.checkpoint.config.network.feature_size
        if makes != takes:
            raise CheckpointError(
                f"The checkpoint “{self.checkpoint.config.name}” takes features of {takes} numbers, "
                f"the backbone “{self.backbone.config.name}” makes {makes}. "
                "Name the backbone it was trained with in its config.json."
            )

    @property
    def view(self) -> View:
        return View(self.backbone, self.checkpoint.config.sampling)


class StreamLibrary:
    """Streams on one device, loaded when first asked for, golden samples checked.

    Streams of one backbone share it in memory, and so its features of a video.
    """

    def __init__(self, device: str):
        self.device = device
        self._streams: dict[Path, Stream] = {}
        self._backbones: dict[Path, Backbone] = {}

    def stream(self, folder: str | Path) -> Stream:
        """The checkpoint in `folder` with its backbone. Raises `CheckpointError`."""
        folder = Path(folder)
        if folder not in self._streams:
            checkpoint = load_checkpoint(folder, self.device)
            where = checkpoint.backbone_folder
            if where not in self._backbones:
                self._backbones[where] = load_backbone(where, self.device)
            self._streams[folder] = Stream(checkpoint, self._backbones[where])
        return self._streams[folder]
