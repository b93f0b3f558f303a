"""Bilinear resizing as OpenCV does it: half-pixel centres, edges clamped, no anti-aliasing.

`F.interpolate` cannot be told the step between samples and the size of the result at once, which
TV-L1's pyramid needs; and a product with a resampling matrix could be rounded to TF32 on a GPU.
"""

from functools import lru_cache

import numpy as np
import torch
from torch import Tensor


def cv_round(value: float) -> int:
    """Half to even, as OpenCV's cvRound."""
    return int(np.rint(value))


def resize(planes: Tensor, size: tuple[int, int], step: float | None = None) -> Tensor:
    """(…, H, W) -> (…, *size). `step`: source pixels a sample; input over output size unless given."""
    height, width = planes.shape[-2:]
    if (height, width) == size:
        return planes
    above, below, down = linear_taps(height, size[0], step or height / size[0], planes.device)
    left, right, across = linear_taps(width, size[1], step or width / size[1], planes.device)
    rows = torch.lerp(planes.index_select(-2, above), planes.index_select(-2, below), down[:, None])
    return torch.lerp(rows.index_select(-1, left), rows.index_select(-1, right), across)


@lru_cache(maxsize=256)
def linear_taps(n_in: int, n_out: int, step: float, device: torch.device) -> tuple[Tensor, Tensor, Tensor]:
    """For each output sample its two inputs, and the weight of the second. (n_out,) each."""
    position = ((np.arange(n_out) + 0.5) * step - 0.5).astype(np.float32)
    lower = np.floor(position).astype(np.int64)
    weight = position - lower.astype(np.float32)
    outside = (lower < 0) | (lower >= n_in - 1)
    weight[outside] = 0
    lower = lower.clip(0, n_in - 1)
    upper = (lower + 1).clip(max=n_in - 1)
    return tuple(torch.from_numpy(x).to(device) for x in (lower, upper, weight))


@lru_cache(maxsize=64)
def pixel_grid(height: int, width: int, device: torch.device) -> Tensor:
    """(H, W, 2) float32: x and y of every pixel."""
    y, x = torch.meshgrid(torch.arange(height), torch.arange(width), indexing="ij")
    return torch.stack([x, y], dim=-1).float().to(device)
