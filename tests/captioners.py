"""Captioners of checkpoints that the tests made, which have no backbone of their own."""

from types import SimpleNamespace

from s2vt_model.captioner import Captioner
from s2vt_model.checkpoint import Checkpoint
from s2vt_model.stream import Stream


def writing_only(alpha: dict[str, float] | None = None, **checkpoints: Checkpoint) -> Captioner:
    """A captioner that writes about features; the checkpoints are its streams."""

    def backbone_for(checkpoint: Checkpoint) -> SimpleNamespace:
        size = checkpoint.config.network.feature_size
        return SimpleNamespace(config=SimpleNamespace(name="none", feature_size=size))

    streams = {name: Stream(c, backbone_for(c)) for name, c in checkpoints.items()}
    return Captioner("test", streams, alpha or dict.fromkeys(streams, 1 / len(streams)))
