"""Correlation with a one-dimensional kernel, as a sum of shifted copies.

No convolution routine is called: a GPU's may round its input to TF32 (10 bits), which moves
Farnebäck's flow by up to 0.4 px. On a CPU the sum is faster than torch's convolution as well.
"""

from collections.abc import Sequence
from typing import Literal

from torch import Tensor
from torch.nn import functional as F

VERTICAL, HORIZONTAL = -2, -1
Border = Literal["replicate", "reflect"]  # aaa|abcd and dcb|abcd, OpenCV's BORDER_REPLICATE and REFLECT_101


def pad(planes: Tensor, radius: int, axis: int, border: Border) -> Tensor:
    """(N, C, H, W) with `radius` more samples at either end of `axis`."""
    ends = (radius, radius, 0, 0) if axis == HORIZONTAL else (0, 0, radius, radius)
    return F.pad(planes, ends, mode=border)


def correlate(padded: Tensor, kernel: Sequence[float], axis: int) -> Tensor:
    """Σ_k kernel[k] · padded[… + k …]: len(kernel) - 1 samples fewer along `axis` than went in."""
    length = padded.shape[axis] - len(kernel) + 1
    total = None
    for k, weight in enumerate(kernel):
        if weight == 0:
            continue
        shifted = padded.narrow(axis, k, length)
        total = shifted * weight if total is None else total.add_(shifted, alpha=weight)
    return total


def blur(planes: Tensor, kernel: Sequence[float], border: Border) -> Tensor:
    """(N, C, H, W) correlated with `kernel` along both axes; the size stays."""
    for axis in (VERTICAL, HORIZONTAL):
        planes = correlate(pad(planes, len(kernel) // 2, axis, border), kernel, axis)
    return planes


def window_sum(padded: Tensor, length: int, axis: int) -> Tensor:
    """The sums of `length` neighbours along `axis`, put together from blocks of 1, 2, 4, … of them."""
    count = padded.shape[axis] - length + 1
    total, start, block, width = None, 0, padded, 1
    while True:
        if length & width:
            piece = block.narrow(axis, start, count)
            total = piece if total is None else total + piece
            start += width
        if 2 * width > length:
            return total
        shorter = block.shape[axis] - width
        block = block.narrow(axis, 0, shorter) + block.narrow(axis, width, shorter)
        width *= 2
