"""The two steps of TV-L1 that are worth kernels, in plain torch: the inner iteration and the median.

They run on any device, and they are what the Triton kernels are checked against.
"""

from dataclasses import dataclass

import cv2
import torch
from torch import Tensor
from torch.nn import functional as F

TINY = 1e-30  # keeps squares of small slopes from being denormal numbers, with which a CPU is slow


@dataclass(frozen=True)
class Weights:
    """The numbers of the energy and its scheme (Zach, Pock & Bischof 2007)."""

    limit: float  # λθ: the longest step of the data term, in units of the gradient
    theta: float  # θ: the coupling of flow and auxiliary flow
    taut: float  # τ/θ: the step of the dual


@dataclass(frozen=True)
class Linearised:
    """The data term around the flow of one warp, divided by the squared gradient. (N, C, H, W).

    ρ(u)/|∇I|² = rest + slope · u; both are zero where the gradient is too small to tell.
    """

    rest: Tensor  # C = 1
    slope: Tensor  # C = 2
    gradient: Tensor  # C = 2, ∇I₁ at the warped place


class Flow:
    """The flow u of N pairs at one scale with its dual p, and room to work in. Updated in place."""

    def __init__(self, u: Tensor):
        pairs, _, height, width = u.shape
        self.u = u.contiguous()  # (N, 2, H, W)
        self.p = u.new_zeros(pairs, 2, 2, height, width)  # (N, direction of the derivative, component, H, W)
        self._step = u.new_empty(pairs, 1, height, width)
        self._slopes = torch.zeros_like(self.p)  # stays zero beyond the last column and row
        self._norm = u.new_empty(pairs, 1, 2, height, width)

    def iterate(self, data: Linearised, weights: Weights, times: int) -> None:
        """`times` inner iterations: a thresholding step on the data, one step of the dual.

        In place and in few passes: on a CPU this is bound by memory, on a GPU by launches.
        """
        u, p, step, slopes, norm = self.u, self.p, self._step, self._slopes, self._norm
        u_x, u_y, slope_x, slope_y = u[:, :1], u[:, 1:], data.slope[:, :1], data.slope[:, 1:]
        across, down = p[:, 0], p[:, 1]
        left, right, above, below = u[..., :-1], u[..., 1:], u[..., :-1, :], u[..., 1:, :]
        across_left, down_above = across[..., :-1], down[..., :-1, :]
        slopes_across, slopes_down = slopes[:, :1], slopes[:, 1:]
        one, tiny = u.new_ones(()), u.new_full((), TINY)
        to_right, to_below = slopes[:, 0, ..., :-1], slopes[:, 1, ..., :-1, :]
        for _ in range(times):
            # v = u - clamp(ρ/|∇I|², ±λθ) ∇I
            torch.addcmul(data.rest, slope_x, u_x, out=step).addcmul_(slope_y, u_y)
            u.addcmul_(step.clamp_(-weights.limit, weights.limit), data.gradient, value=-1)
            # u = v + θ div p, backward differences, nothing beyond the first column and row
            u.add_(across, alpha=weights.theta)
            right.sub_(across_left, alpha=weights.theta)
            u.add_(down, alpha=weights.theta)
            below.sub_(down_above, alpha=weights.theta)
            # p = (p + τ/θ ∇u) / (1 + τ/θ |∇u|), forward differences
            torch.sub(right, left, out=to_right)
            torch.sub(below, above, out=to_below)
            torch.addcmul(tiny, slopes_across, slopes_across, out=norm).addcmul_(slopes_down, slopes_down).sqrt_()
            torch.add(one, norm, alpha=weights.taut, out=norm)
            p.add_(slopes, alpha=weights.taut).div_(norm)

    def smooth(self, size: int) -> None:
        """u becomes its median over size × size pixels, edges repeated; size is 3 or 5."""
        if self.u.device.type == "cpu":
            for plane in self.u.flatten(0, 1).numpy():  # a view of u: OpenCV writes into it
                cv2.medianBlur(plane, size, dst=plane)
        else:
            self.u.copy_(median(self.u, size))


def median(planes: Tensor, size: int) -> Tensor:
    """(N, C, H, W) -> the same shape: the median of size × size pixels, edges repeated."""
    radius = size // 2
    padded = F.pad(planes, (radius,) * 4, mode="replicate")
    height, width = planes.shape[-2:]
    return _median_of([padded[..., y : y + height, x : x + width] for y in range(size) for x in range(size)])


def _median_of(values: list[Tensor]) -> Tensor:
    """Forgetful selection: among a few more than half of the values, neither the least nor the greatest
    can be the median. Both are dropped, another value comes in, until one is left."""
    held, waiting = values[: len(values) // 2 + 2], values[len(values) // 2 + 2 :]
    while True:
        _extremes_to_the_ends(held)
        held = held[1:-1] + waiting[:1]
        waiting = waiting[1:]
        if len(held) == 1:
            return held[0]


def _extremes_to_the_ends(values: list[Tensor]) -> None:
    last = len(values) - 1

    def order(a: int, b: int) -> None:
        values[a], values[b] = torch.minimum(values[a], values[b]), torch.maximum(values[a], values[b])

    for i in range(len(values) // 2):
        order(i, last - i)
    for i in range(1, len(values) // 2 + len(values) % 2):
        order(0, i)
    for i in range(len(values) // 2, last):
        order(i, last)
