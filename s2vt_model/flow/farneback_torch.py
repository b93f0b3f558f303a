"""The steps of Farnebäck's method in plain torch: shrink, expand, compare, solve.

They run on any device, and they are what the Triton kernels are checked against.
Planes are float32, (N, C, H, W), in pixels and grey levels. M images, N pairs.
"""

from functools import lru_cache

import torch
from torch import Tensor

from s2vt_model.flow.correlate import HORIZONTAL, VERTICAL, blur, correlate, pad, window_sum
from s2vt_model.flow.farneback_kernels import BORDER_WEIGHTS, Level, PolynomialKernels, window_kernel
from s2vt_model.flow.resample import pixel_grid, resize

REGULARISER = 1e-3  # of the determinant, in grey levels to the fourth


def shrink(images: Tensor, level: Level) -> Tensor:
    """The images at a level of the pyramid, blurred and resized. (M, H, W) -> (M, *level.size)."""
    return resize(blur(images[:, None], level.kernel, "reflect")[:, 0], level.size)


def expand(images: Tensor, kernels: PolynomialKernels) -> Tensor:
    """f(x) ≈ xᵀAx + bᵀx + c around every pixel (Farnebäck 2003, section 3). (M, H, W) -> (M, 5, H, W).

    Planes: b_y, b_x, A_yy, A_xx, 2 A_xy; OpenCV's order.
    """
    # A constant is in the null space of all five; without it there is less to round.
    padded = pad(images[:, None] - 127.5, kernels.radius, VERTICAL, "replicate")
    rows = (correlate(padded, kernel, VERTICAL) for kernel in (kernels.g, kernels.xg, kernels.xxg))
    c0, c1, c2 = (pad(row, kernels.radius, HORIZONTAL, "replicate") for row in rows)
    mean = correlate(c0, kernels.g, HORIZONTAL) * kernels.inverse_03
    return torch.cat(
        [
            correlate(c1, kernels.g, HORIZONTAL) * kernels.inverse_11,
            correlate(c0, kernels.xg, HORIZONTAL) * kernels.inverse_11,
            mean + correlate(c2, kernels.g, HORIZONTAL) * kernels.inverse_33,
            mean + correlate(c0, kernels.xxg, HORIZONTAL) * kernels.inverse_33,
            correlate(c1, kernels.xg, HORIZONTAL) * kernels.inverse_55,
        ],
        dim=1,
    )


def compare(first: Tensor, second: Tensor, flow: Tensor) -> Tensor:
    """Each pixel's equations for its displacement, given a guess (N, 2, H, W) of it.

    A d = Δb with A the mean of both images' and Δb half the difference of their b plus A times the
    guess (section 5). Returns AᵀA (three planes: yy, xy, xx) and AᵀΔb (y, x): (N, 5, H, W).
    """
    height, width = flow.shape[-2:]
    u, v = flow.unbind(1)
    there, inside = _sample(second, flow)
    slope = torch.where(inside, first[:, :2] - there[:, :2], first[:, :2]) * 0.5
    curvature = torch.where(inside, (first[:, 2:] + there[:, 2:]) * 0.5, first[:, 2:])
    weight = border_weight(height, width, flow.device)
    yy, xx, xy = (plane * weight for plane in (curvature[:, 0], curvature[:, 1], curvature[:, 2] * 0.5))
    by = slope[:, 0] * weight + yy * v + xy * u
    bx = slope[:, 1] * weight + xy * v + xx * u
    return torch.stack([yy * yy + xy * xy, (yy + xx) * xy, xx * xx + xy * xy, yy * by + xy * bx, xy * by + xx * bx], 1)


def _sample(planes: Tensor, flow: Tensor) -> tuple[Tensor, Tensor]:
    """`planes` (N, C, H, W) where the flow points to, bilinear, and whether that is inside (N, 1, H, W).

    `F.grid_sample` wants coordinates scaled to -1..1; the rounding this costs is the larger part of
    the distance to OpenCV, so the four neighbours are gathered by hand.
    """
    height, width = flow.shape[-2:]
    x, y = pixel_grid(height, width, flow.device).unbind(-1)
    to_x, to_y = x + flow[:, 0], y + flow[:, 1]
    left, above = to_x.floor(), to_y.floor()
    right_share, below_share = (to_x - left)[:, None], (to_y - above)[:, None]
    inside = ((left >= 0) & (left < width - 1) & (above >= 0) & (above < height - 1))[:, None]
    corner = _index(above, height - 2) * width + _index(left, width - 2)
    corner = corner.flatten(1)[:, None].expand(-1, planes.shape[1], -1)
    pixels = planes.flatten(2)

    def neighbour(offset: int) -> Tensor:
        return pixels.gather(2, corner + offset).view_as(planes)

    upper = neighbour(0) * (1 - right_share) + neighbour(1) * right_share
    lower = neighbour(width) * (1 - right_share) + neighbour(width + 1) * right_share
    return upper * (1 - below_share) + lower * below_share, inside


def _index(position: Tensor, last: int) -> Tensor:
    """Whole positions as an index in 0..last; flow that is not a number points nowhere, so anywhere will do."""
    return position.nan_to_num(0.0).clamp(0, last).long()


def solve(equations: Tensor, winsize: int, gaussian: bool) -> Tensor:
    """The displacement that fits the equations of a whole window best. (N, 5, H, W) -> (N, 2, H, W)."""
    equations = blur(equations, window_kernel(winsize), "replicate") if gaussian else _box(equations, winsize)
    yy, xy, xx, by, bx = equations.unbind(1)
    scale = 1 / (yy * xx - xy * xy + REGULARISER)
    return torch.stack([(yy * bx - xy * by) * scale, (xx * by - xy * bx) * scale], dim=1)


def _box(planes: Tensor, winsize: int) -> Tensor:
    """Sum over the window divided by winsize²; an even size has one pixel more in its window."""
    radius = winsize // 2
    for axis in (VERTICAL, HORIZONTAL):
        planes = window_sum(pad(planes, radius, axis, "replicate"), 2 * radius + 1, axis)
    return planes / winsize**2


@lru_cache(maxsize=64)
def border_weight(height: int, width: int, device: torch.device) -> Tensor:
    """How much a pixel counts: less within five of an edge. (H, W)."""

    def along(length: int) -> Tensor:
        weights = torch.ones(length)
        edge = torch.tensor(BORDER_WEIGHTS)[:length]
        weights[: len(edge)] *= edge
        weights[length - len(edge) :] *= edge.flip(0)
        return weights

    return torch.outer(along(height), along(width)).to(device)
