"""The order in which a network reads frames: as they came, or shuffled to see what order is worth.

A network of shuffled order meets a fresh permutation in every training step. When it captions, a
video of T frames is always read in the same permutation, so that it always gets the same caption.
"""

from typing import Literal

import numpy as np
import torch
from torch import Tensor

FrameOrder = Literal["time", "shuffled"]
SEED = 42  # the S2VT authors' own, in their experiment with shuffled frames


def reading_order(frame_order: FrameOrder, frames: int) -> Tensor:
    """(frames,) which frame is read first, second, …"""
    if frame_order == "time":
        return torch.arange(frames)
    # NumPy promises that this generator's stream never changes: captions last as long as checkpoints.
    return torch.from_numpy(np.random.RandomState(SEED).permutation(frames))
