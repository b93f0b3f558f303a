"""The steps of TV-L1 as Triton kernels: several inner iterations a pass over memory, and the median.

Results are those of `tvl1_torch`, which explains the method; all arithmetic is float32.
"""

import torch
import triton
import triton.language as tl
from torch import Tensor

from s2vt_model.flow.triton_tiles import clamped, launch, tile
from s2vt_model.flow.tvl1_torch import Linearised, Weights

# A tile's outermost pixels lack neighbours, so they are wrong after one iteration, the next ones
# after two, …: with a margin of four pixels, four iterations leave the rest right. 56 px of 64 are kept.
MARGIN = 4
ITERATION_TILE = {"ROWS": 64, "COLS": 64, "num_warps": 16}
MEDIAN_TILE = {"ROWS": 16, "COLS": 32, "num_warps": 4}


class Flow:
    """The flow u of N pairs at one scale with its dual p. Kernels read one copy of them and write the other."""

    def __init__(self, u: Tensor):
        pairs, _, height, width = u.shape
        self.u = u.contiguous()  # (N, 2, H, W)
        self.p = u.new_zeros(pairs, 2, 2, height, width)  # (N, direction of the derivative, component, H, W)
        self._next_u, self._next_p = torch.empty_like(self.u), torch.empty_like(self.p)

    def iterate(self, data: Linearised, weights: Weights, times: int) -> None:
        """`times` inner iterations: a thresholding step on the data, one step of the dual."""
        terms = [term.contiguous() for term in (data.rest, data.slope, data.gradient)]
        numbers = (weights.limit, weights.theta, weights.taut)
        while times:
            at_once = min(times, MARGIN)
            state = (self.u, self.p, self._next_u, self._next_p)
            launch(_iterate, self.u, *state, *terms, *numbers, at_once, margin=MARGIN, MARGIN=MARGIN, **ITERATION_TILE)
            self.u, self._next_u = self._next_u, self.u
            self.p, self._next_p = self._next_p, self.p
            times -= at_once

    def smooth(self, size: int) -> None:
        """u becomes its median over size × size pixels, edges repeated; size is 3 or 5."""
        launch(_median, self.u.flatten(0, 1), self.u, self._next_u, SIZE=size, **MEDIAN_TILE)
        self.u, self._next_u = self._next_u, self.u


@triton.jit
def _iterate(
    u_before, p_before, u_after, p_after, rest, slope, gradient, limit, theta, taut, times, height, width,
    MARGIN: tl.constexpr, ROWS: tl.constexpr, COLS: tl.constexpr,
):  # fmt: skip
    """`times` iterations, MARGIN at most, on a tile that is held in registers all the while."""
    pair, y, x, own = tile(height, width, ROWS, COLS, MARGIN)
    area = height * width
    at = y * width + x
    u, p = u_before + pair * 2 * area, p_before + pair * 4 * area
    u_x, u_y = tl.load(u + at), tl.load(u + area + at)
    across_x, across_y = tl.load(p + at), tl.load(p + area + at)
    down_x, down_y = tl.load(p + 2 * area + at), tl.load(p + 3 * area + at)
    rest, slope, gradient = rest + pair * area, slope + pair * 2 * area, gradient + pair * 2 * area
    offset = tl.load(rest + at)
    slope_x, slope_y = tl.load(slope + at), tl.load(slope + area + at)
    gradient_x, gradient_y = tl.load(gradient + at), tl.load(gradient + area + at)

    for _ in range(times):
        # v = u - clamp(ρ/|∇I|², ±λθ) ∇I
        step = tl.clamp(offset + slope_x * u_x + slope_y * u_y, -limit, limit)
        u_x = u_x - step * gradient_x + theta * _divergence(across_x, down_x, y, x)
        u_y = u_y - step * gradient_y + theta * _divergence(across_y, down_y, y, x)
        # p = (p + τ/θ ∇u) / (1 + τ/θ |∇u|)
        across_x, down_x = _ascend(across_x, down_x, u_x, taut, y, x, height, width)
        across_y, down_y = _ascend(across_y, down_y, u_y, taut, y, x, height, width)

    u, p = u_after + pair * 2 * area, p_after + pair * 4 * area
    tl.store(u + at, u_x, own)
    tl.store(u + area + at, u_y, own)
    tl.store(p + at, across_x, own)
    tl.store(p + area + at, across_y, own)
    tl.store(p + 2 * area + at, down_x, own)
    tl.store(p + 3 * area + at, down_y, own)


@triton.jit
def _divergence(across, down, y, x):
    """Backward differences; nothing beyond the first column and row."""
    left = tl.where(x > 0, _neighbour(across, 1, -1), 0.0)
    above = tl.where(y > 0, _neighbour(down, 0, -1), 0.0)
    return across - left + down - above


@triton.jit
def _ascend(across, down, u, taut, y, x, height, width):
    """One step of the dual of one component, by forward differences; none beyond the last column and row."""
    slope_across = tl.where(x < width - 1, _neighbour(u, 1, 1) - u, 0.0)
    slope_down = tl.where(y < height - 1, _neighbour(u, 0, 1) - u, 0.0)
    shrink = 1 / (1 + taut * tl.sqrt(slope_across * slope_across + slope_down * slope_down))
    return (across + taut * slope_across) * shrink, (down + taut * slope_down) * shrink


@triton.jit
def _neighbour(plane, AXIS: tl.constexpr, STEP: tl.constexpr):
    """The values `STEP` px further along `AXIS` of a tile; its last ones, which have no such neighbour, repeat."""
    size: tl.constexpr = plane.shape[AXIS]
    index = clamped(tl.arange(0, size) + STEP, size)
    index = index[:, None] if AXIS == 0 else index[None, :]
    return tl.gather(plane, tl.broadcast_to(index, plane.shape), AXIS)


@triton.jit
def _median(planes, medians, height, width, SIZE: tl.constexpr, ROWS: tl.constexpr, COLS: tl.constexpr):
    """Forgetful selection: among a few more than half of the values, neither the least nor the greatest
    can be the median. Both are dropped, another value comes in, until one is left."""
    image, y, x, own = tile(height, width, ROWS, COLS, 0)
    plane = planes + image * height * width
    held = ()
    for k in tl.static_range(SIZE * SIZE):
        row = clamped(y + (k // SIZE - SIZE // 2), height)
        value = tl.load(plane + row * width + clamped(x + (k % SIZE - SIZE // 2), width))
        held += (value,)
        if k > SIZE * SIZE // 2:
            held = _without_extremes(held)
    tl.store(medians + image * height * width + y * width + x, held[0], own)


@triton.jit
def _without_extremes(values):
    """A tuple of tiles less the least and the greatest value at each pixel."""
    least = values[0]
    rest = ()
    for i in tl.static_range(1, len(values)):
        rest += (tl.maximum(least, values[i]),)
        least = tl.minimum(least, values[i])
    greatest = rest[0]
    kept = ()
    for i in tl.static_range(1, len(rest)):
        kept += (tl.minimum(greatest, rest[i]),)
        greatest = tl.maximum(greatest, rest[i])
    return kept
