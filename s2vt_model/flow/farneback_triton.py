"""The steps of Farnebäck's method as Triton kernels: four launches a level and three an iteration.

Signatures and results are those of `farneback_torch`, which explains the method. All arithmetic
is float32, and there is no `tl.dot`, so nothing can be rounded to TF32.
"""

from functools import lru_cache

import torch
import triton
import triton.language as tl
from torch import Tensor

from s2vt_model.flow.farneback_kernels import BORDER_WEIGHTS, Level, PolynomialKernels, window_kernel
from s2vt_model.flow.farneback_torch import REGULARISER
from s2vt_model.flow.resample import linear_taps
from s2vt_model.flow.triton_tiles import clamped, launch, tile

# Of 32 rows a window's upper and lower neighbours are mostly the tile's own; 32 columns are 128 bytes, a cache line.
TILE = {"ROWS": 32, "COLS": 32, "num_warps": 8}


def shrink(images: Tensor, level: Level) -> Tensor:
    """The images at a level of the pyramid: (M, H, W) -> (M, *level.size)."""
    images = images.contiguous()
    count, height, width = images.shape
    rows, cols = level.size
    kernel = _on_device(level.kernel, images.device), len(level.kernel)
    down = linear_taps(height, rows, height / rows, images.device)
    across = linear_taps(width, cols, width / cols, images.device)
    shorter = images.new_empty(count, rows, width)
    smaller = images.new_empty(count, rows, cols)
    launch(_shrink_vertically, shorter, images, shorter, *kernel, *down, height, **TILE)
    launch(_shrink_horizontally, smaller, shorter, smaller, *kernel, *across, width, **TILE)
    return smaller


def expand(images: Tensor, kernels: PolynomialKernels) -> Tensor:
    """Polynomial expansion: (M, H, W) -> (M, 5, H, W)."""
    images = images.contiguous()
    count, height, width = images.shape
    moments = images.new_empty(count, 3, height, width)
    planes = images.new_empty(count, 5, height, width)
    taps = {"G": kernels.g, "XG": kernels.xg, "XXG": kernels.xxg}  # constants of the compiled code
    inverse = (kernels.inverse_11, kernels.inverse_03, kernels.inverse_33, kernels.inverse_55)
    launch(_expand_vertically, images, images, moments, **taps, **TILE)
    launch(_expand_horizontally, images, moments, planes, **taps, INVERSE=inverse, **TILE)
    return planes


def compare(first: Tensor, second: Tensor, flow: Tensor) -> Tensor:
    """Each pixel's equations, given (N, 5, H, W) of both images and (N, 2, H, W): (N, 5, H, W)."""
    first, second, flow = first.contiguous(), second.contiguous(), flow.contiguous()
    equations = torch.empty_like(first)
    launch(_compare, flow, first, second, flow, equations, BORDER=BORDER_WEIGHTS, **TILE)
    return equations


def solve(equations: Tensor, winsize: int, gaussian: bool) -> Tensor:
    """The displacement that fits a whole window: (N, 5, H, W) -> (N, 2, H, W)."""
    equations = equations.contiguous()
    count, _, height, width = equations.shape
    # A box of even size has one pixel more, and is divided by its size all the same.
    kernel = window_kernel(winsize) if gaussian else (1 / winsize,) * (winsize // 2 * 2 + 1)
    weights = _on_device(kernel, equations.device), len(kernel)
    blurred = torch.empty_like(equations)
    flow = equations.new_empty(count, 2, height, width)
    launch(_window_vertically, flow, equations, blurred, *weights, **TILE)
    launch(_window_horizontally_and_solve, flow, blurred, flow, *weights, REGULARISER=REGULARISER, **TILE)
    return flow


@lru_cache(maxsize=64)
def _on_device(kernel: tuple[float, ...], device: torch.device) -> Tensor:
    """Kernels of any length, which loops read: unrolled, 63 taps would take some 20 s to compile."""
    return torch.tensor(kernel, dtype=torch.float32, device=device)


@triton.jit
def _shrink_vertically(
    images, out, weights, taps, above, below, shares, full_height, height, width,
    ROWS: tl.constexpr, COLS: tl.constexpr,
):  # fmt: skip
    """Columns correlated with a kernel, then interpolated between two rows. (M, full height, W) -> (M, H, W)."""
    image, y, x, own = tile(height, width, ROWS, COLS, 0)
    column = images + image * full_height * width
    one, other, share = tl.load(above + y), tl.load(below + y), tl.load(shares + y)
    total = tl.full((ROWS, COLS), 0.0, tl.float32)
    for k in range(taps):
        upper = tl.load(column + _reflected(one + (k - taps // 2), full_height) * width + x)
        lower = tl.load(column + _reflected(other + (k - taps // 2), full_height) * width + x)
        total += (upper + (lower - upper) * share) * tl.load(weights + k)
    tl.store(out + image * height * width + y * width + x, total, own)


@triton.jit
def _shrink_horizontally(
    images, out, weights, taps, left, right, shares, full_width, height, width,
    ROWS: tl.constexpr, COLS: tl.constexpr,
):  # fmt: skip
    """The same along rows. (M, H, full width) -> (M, H, W)."""
    image, y, x, own = tile(height, width, ROWS, COLS, 0)
    row = images + image * height * full_width + y * full_width
    one, other, share = tl.load(left + x), tl.load(right + x), tl.load(shares + x)
    total = tl.full((ROWS, COLS), 0.0, tl.float32)
    for k in range(taps):
        before = tl.load(row + _reflected(one + (k - taps // 2), full_width))
        after = tl.load(row + _reflected(other + (k - taps // 2), full_width))
        total += (before + (after - before) * share) * tl.load(weights + k)
    tl.store(out + image * height * width + y * width + x, total, own)


@triton.jit
def _reflected(i, length):
    """dcb|abcd|cba: OpenCV's BORDER_REFLECT_101."""
    return length - 1 - tl.abs(length - 1 - tl.abs(i))


@triton.jit
def _expand_vertically(
    images, moments, height, width,
    G: tl.constexpr, XG: tl.constexpr, XXG: tl.constexpr, ROWS: tl.constexpr, COLS: tl.constexpr,
):  # fmt: skip
    """Columns' correlation with g, xg and xxg. (M, H, W) -> (M, 3, H, W)."""
    image, y, x, own = tile(height, width, ROWS, COLS, 0)
    area = height * width
    column = images + image * area + x
    c0 = tl.full((ROWS, COLS), 0.0, tl.float32)
    c1, c2 = c0, c0
    for k in tl.static_range(len(G)):
        # A constant is in the null space of the expansion; without it there is less to round.
        grey = tl.load(column + clamped(y + (k - len(G) // 2), height) * width) - 127.5
        c0 += grey * G[k]
        c1 += grey * XG[k]
        c2 += grey * XXG[k]
    out = moments + image * 3 * area + y * width + x
    tl.store(out, c0, own)
    tl.store(out + area, c1, own)
    tl.store(out + 2 * area, c2, own)


@triton.jit
def _expand_horizontally(
    moments, planes, height, width,
    G: tl.constexpr, XG: tl.constexpr, XXG: tl.constexpr, INVERSE: tl.constexpr,
    ROWS: tl.constexpr, COLS: tl.constexpr,
):  # fmt: skip
    """The five coefficients of the expansion. (M, 3, H, W) -> (M, 5, H, W)."""
    image, y, x, own = tile(height, width, ROWS, COLS, 0)
    area = height * width
    row = moments + image * 3 * area + y * width
    mean = tl.full((ROWS, COLS), 0.0, tl.float32)
    b_x, b_y, xx, yy, xy = mean, mean, mean, mean, mean
    for k in tl.static_range(len(G)):
        at = row + clamped(x + (k - len(G) // 2), width)
        c0, c1, c2 = tl.load(at), tl.load(at + area), tl.load(at + 2 * area)
        mean += c0 * G[k]
        b_x += c0 * XG[k]
        xx += c0 * XXG[k]
        b_y += c1 * G[k]
        xy += c1 * XG[k]
        yy += c2 * G[k]
    mean *= INVERSE[1]
    out = planes + image * 5 * area + y * width + x
    tl.store(out, b_y * INVERSE[0], own)
    tl.store(out + area, b_x * INVERSE[0], own)
    tl.store(out + 2 * area, mean + yy * INVERSE[2], own)
    tl.store(out + 3 * area, mean + xx * INVERSE[2], own)
    tl.store(out + 4 * area, xy * INVERSE[3], own)


@triton.jit
def _compare(
    first, second, flow, equations, height, width,
    BORDER: tl.constexpr, ROWS: tl.constexpr, COLS: tl.constexpr,
):  # fmt: skip
    pair, y, x, own = tile(height, width, ROWS, COLS, 0)
    area = height * width
    at = y * width + x
    guess = flow + pair * 2 * area + at
    u, v = tl.load(guess), tl.load(guess + area)

    to_x, to_y = x + u, y + v
    left, above = tl.floor(to_x), tl.floor(to_y)
    right_share, below_share = to_x - left, to_y - above
    inside = (left >= 0) & (left < width - 1) & (above >= 0) & (above < height - 1)
    # Clamped before it is made an integer: flow may be any number, or none.
    column = tl.minimum(tl.maximum(left, 0.0), width - 2.0).to(tl.int32)
    line = tl.minimum(tl.maximum(above, 0.0), height - 2.0).to(tl.int32)

    here = first + pair * 5 * area + at
    there = second + pair * 5 * area + line * width + column
    by = tl.load(here) - tl.where(inside, _between(there, width, right_share, below_share), 0.0)
    bx = tl.load(here + area) - tl.where(inside, _between(there + area, width, right_share, below_share), 0.0)
    yy = _mean(tl.load(here + 2 * area), _between(there + 2 * area, width, right_share, below_share), inside)
    xx = _mean(tl.load(here + 3 * area), _between(there + 3 * area, width, right_share, below_share), inside)
    xy = _mean(tl.load(here + 4 * area), _between(there + 4 * area, width, right_share, below_share), inside) * 0.5

    weight = _border_weight(y, height, BORDER) * _border_weight(x, width, BORDER)
    yy, xx, xy = yy * weight, xx * weight, xy * weight
    by = by * 0.5 * weight + yy * v + xy * u
    bx = bx * 0.5 * weight + xy * v + xx * u
    out = equations + pair * 5 * area + at
    tl.store(out, yy * yy + xy * xy, own)
    tl.store(out + area, (yy + xx) * xy, own)
    tl.store(out + 2 * area, xx * xx + xy * xy, own)
    tl.store(out + 3 * area, yy * by + xy * bx, own)
    tl.store(out + 4 * area, xy * by + xx * bx, own)


@triton.jit
def _between(corner, width, right_share, below_share):
    """Bilinear interpolation between the pixel at `corner`, a pointer, and those right of and below it."""
    upper = tl.load(corner) * (1 - right_share) + tl.load(corner + 1) * right_share
    lower = tl.load(corner + width) * (1 - right_share) + tl.load(corner + width + 1) * right_share
    return upper * (1 - below_share) + lower * below_share


@triton.jit
def _mean(here, there, inside):
    return tl.where(inside, (here + there) * 0.5, here)


@triton.jit
def _border_weight(i, length, BORDER: tl.constexpr):
    """How much the pixels at `i` along an axis count: BORDER's weights at 0, 1, … px from either edge, else 1."""
    weight = tl.where(i < 0, 0.0, 1.0)
    for k in tl.static_range(len(BORDER)):
        weight *= tl.where(i == k, BORDER[k], 1.0) * tl.where(i == length - 1 - k, BORDER[k], 1.0)
    return weight


@triton.jit
def _window_vertically(equations, blurred, weights, taps, height, width, ROWS: tl.constexpr, COLS: tl.constexpr):
    """Weighted sums along columns, (N, 5, H, W) -> (N, 5, H, W)."""
    pair, y, x, own = tile(height, width, ROWS, COLS, 0)
    area = height * width
    column = equations + pair * 5 * area
    yy = tl.full((ROWS, COLS), 0.0, tl.float32)
    xy, xx, by, bx = yy, yy, yy, yy
    for k in range(taps):
        at = clamped(y + (k - taps // 2), height) * width + x
        weight = tl.load(weights + k)
        yy += tl.load(column + at) * weight
        xy += tl.load(column + area + at) * weight
        xx += tl.load(column + 2 * area + at) * weight
        by += tl.load(column + 3 * area + at) * weight
        bx += tl.load(column + 4 * area + at) * weight
    out = blurred + pair * 5 * area
    at = y * width + x
    tl.store(out + at, yy, own)
    tl.store(out + area + at, xy, own)
    tl.store(out + 2 * area + at, xx, own)
    tl.store(out + 3 * area + at, by, own)
    tl.store(out + 4 * area + at, bx, own)


@triton.jit
def _window_horizontally_and_solve(
    blurred, flow, weights, taps, height, width,
    REGULARISER: tl.constexpr, ROWS: tl.constexpr, COLS: tl.constexpr,
):  # fmt: skip
    """Weighted sums along rows, and their solution. (N, 5, H, W) -> (N, 2, H, W)."""
    pair, y, x, own = tile(height, width, ROWS, COLS, 0)
    area = height * width
    row = blurred + pair * 5 * area
    yy = tl.full((ROWS, COLS), 0.0, tl.float32)
    xy, xx, by, bx = yy, yy, yy, yy
    for k in range(taps):
        at = y * width + clamped(x + (k - taps // 2), width)
        weight = tl.load(weights + k)
        yy += tl.load(row + at) * weight
        xy += tl.load(row + area + at) * weight
        xx += tl.load(row + 2 * area + at) * weight
        by += tl.load(row + 3 * area + at) * weight
        bx += tl.load(row + 4 * area + at) * weight
    scale = 1 / (yy * xx - xy * xy + REGULARISER)
    out = flow + pair * 2 * area
    at = y * width + x
    tl.store(out + at, (yy * bx - xy * by) * scale, own)
    tl.store(out + area + at, (xx * by - xy * bx) * scale, own)
