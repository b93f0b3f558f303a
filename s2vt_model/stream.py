"""A stream: one way to look at a video (frames, motion, …), and a network that writes about it."""

from dataclasses import dataclass
from pathlib import Path

from s2vt_model.backbones import Backbone, load_backbone
from s2vt_model.checkpoint import Checkpoint, load_checkpoint
from s2vt_model.errors import CheckpointError


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

    @classmethod
    def load(cls, folder: str | Path, device: str) -> "Stream":
        """Load a checkpoint folder and its backbone, golden samples checked."""
        checkpoint = load_checkpoint(folder, device)
        return cls(checkpoint, load_backbone(checkpoint.backbone_folder, device))
