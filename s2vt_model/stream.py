"""A stream: one way to look at a video (frames, motion, …), and a network that writes about it."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from s2vt_model.backbones import Backbone, load_backbone
from s2vt_model.checkpoint import Checkpoint, load_checkpoint
from s2vt_model.errors import CheckpointError
from s2vt_model.hub import Hub
from s2vt_model.hub_name import HubName
from s2vt_model.timm_backbone import load_timm_backbone
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

    Streams of one backbone share it in memory, and so its features of a video. Nothing is downloaded here:
    `hub.fetch` does that before.
    """

    def __init__(self, device: str, hub: Hub | None = None, wrap: Callable[[Backbone], Backbone] | None = None):
        """`wrap`: what every backbone is put into when it is loaded; by default it is left as it is."""
        self.device = device
        self.hub = hub or Hub()
        self._streams: dict[Path, Stream] = {}
        self._wrap = wrap or (lambda backbone: backbone)
        self._backbones: dict[Path | tuple[Path, int, Path], Backbone] = {}

    def stream(self, folder: str | Path) -> Stream:
        """The checkpoint in `folder` with its backbone. Raises `CheckpointError`."""
        folder = Path(folder)
        if folder not in self._streams:
            checkpoint = load_checkpoint(folder, self.device)
            self._streams[folder] = Stream(checkpoint, self._backbone(checkpoint))
        return self._streams[folder]

    def _backbone(self, checkpoint: Checkpoint) -> Backbone:
        name, where = checkpoint.config.backbone, checkpoint.backbone_folder
        downloaded = self.hub.held_backbone(HubName.parse(name)) if "/" in name else None
        if downloaded is None:
            if where not in self._backbones:
                self._backbones[where] = self._wrap(load_backbone(where, self.device))
            return self._backbones[where]
        key = downloaded, checkpoint.config.network.feature_size, where / "config.json"
        if key not in self._backbones:
            self._backbones[key] = self._wrap(load_timm_backbone(name, *key, self.device))
        return self._backbones[key]
