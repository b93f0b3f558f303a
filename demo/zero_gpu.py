"""ZeroGPU: some Spaces lend a GPU for the seconds of one call, in a process of its own. Elsewhere nothing of this acts.

The CNN is nearly all of the work, so it alone borrows the GPU. What it needs is sent over at each call: the process may
be older than the model that a visitor chose.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import TYPE_CHECKING, TypeVar

from s2vt_model.errors import VideoError
from s2vt_model.progress import Progress, Work, finish

try:
    import spaces  # Spaces bring it; before torch, says its documentation
except ImportError:
    spaces = None

if TYPE_CHECKING:
    import torch
    from torch import Tensor

    from s2vt_model.backbones import Backbone, BackboneConfig
    from s2vt_model.video import Clip

IS_LENT = spaces is not None and os.environ.get("SPACES_ZERO_GPU", "").lower() in ("1", "t", "true")
DEVICE = "cuda"  # in that process
MAX_SECONDS = 15  # a visitor with less of the day's quota left is turned away, so little is declared

Function = TypeVar("Function", bound=Callable)


def on_gpu(function: Function) -> Function:
    """Decorate what needs the GPU. It must return its errors: raised ones lose their words on the way back."""
    return spaces.GPU(duration=MAX_SECONDS)(function) if spaces else function


@on_gpu
def look(backbone: Backbone, clip: Clip) -> Tensor | VideoError:
    """(M, feature_size) of a clip, on the CPU."""
    try:
        return finish(backbone.to(DEVICE).features_of(clip))
    except VideoError as error:
        return error


class Borrowing:
    """A backbone on the CPU that looks with a GPU which is lent to it; otherwise the same."""

    def __init__(self, backbone: Backbone):
        self._backbone = backbone

    @property
    def config(self) -> BackboneConfig:
        return self._backbone.config

    @property
    def frames_per_vector(self) -> int:
        return self._backbone.frames_per_vector

    @property
    def device(self) -> torch.device:
        return self._backbone.device

    def features_of(self, clip: Clip) -> Work[Tensor]:
        """As `Backbone.features_of`."""
        yield Progress("features", None, f"Waiting for a GPU to look at {len(clip.frames)} frames")
        found = look(self._backbone, clip)
        if isinstance(found, VideoError):
            raise found
        return found
