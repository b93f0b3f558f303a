"""Dual TV-L1 optical flow (Zach, Pock & Bischof, DAGM 2007; the median is Wedel et al.'s, 2009).

The computation is that of OpenCV 5's `optflow.DualTVL1OpticalFlow`, for all pairs of a clip at
once. TV-L1 is chaotic at the level of rounding: where motion is ambiguous, noise of 1e-4 grey levels
moves OpenCV's own flow by pixels. So the tests (tests/test_tvl1.py) look at medians, and at true flow.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

import torch
from torch import Tensor
from torch.nn import functional as F

from s2vt_model.errors import FlowError
from s2vt_model.flow import tvl1_torch
from s2vt_model.flow.backends import Backend, choose
from s2vt_model.flow.pairs import MIN_SIDE_PX, Frames, Pairs, as_pairs, pairs_within
from s2vt_model.flow.resample import cv_round, pixel_grid, resize
from s2vt_model.flow.tvl1_torch import Flow, Linearised, Weights

FLOATS_PER_PIXEL = 80  # of a pair while it is worked on, at most: the median's network needs most of them
CPU_PAIRS = 12  # in a chunk; of them, as many go through a scale at once as have
CPU_PIXELS = 2 * 224 * 224  # so many pixels: more would leave a CPU's caches
FLOAT_EPSILON = 1.1920929e-07  # a squared gradient below this tells nothing

Schedule = Literal["fixed", "adaptive"]


@torch.no_grad()
def tvl1(
    frames: Frames,
    second: Frames | None = None,
    *,
    tau: float = 0.25,
    lambda_: float = 0.15,
    theta: float = 0.3,
    nscales: int | None = 5,
    warps: int = 5,
    epsilon: float = 0.01,
    innerIterations: int = 30,
    outerIterations: int = 10,
    scaleStep: float = 0.8,
    medianFiltering: int = 5,
    schedule: Schedule = "fixed",
    backend: Backend = "auto",
    memory_mb: float = 512,
) -> Tensor:
    """Flow of consecutive `frames` (T, H, W), or from each of `frames` to its partner in `second`.

    Frames are grey, uint8 or float32 in 0..255. Returns (T - 1, 2, H, W) float32 px on the frames'
    device, channel 0 = x: frames[t][y, x] is seen again at frames[t + 1][y + flow[1], x + flow[0]].

    Parameters have OpenCV's names, meaning and defaults, and
    - `schedule`: "fixed" does one outer pass of `innerIterations` a warp, never waits for a GPU, and
      is as accurate; "adaptive" stops as OpenCV does, by `epsilon` and `outerIterations`, one pair
      after the other;
    - `nscales=None` shrinks the images down to 16 px a side, which motions beyond some 5 px need.

    Work goes on in chunks that need at most about `memory_mb` of memory besides the result.
    Raises `FlowError`, a sentence that says what to pass.
    """
    _check(tau, lambda_, theta, nscales, warps, innerIterations, outerIterations, scaleStep, medianFiltering, schedule)
    pairs = as_pairs(frames, second)
    device = pairs.images.device
    scheme = _Scheme(
        weights=Weights(limit=lambda_ * theta, theta=theta, taut=tau / theta),
        sizes=_sizes(pairs.size, nscales, scaleStep),
        scale_step=scaleStep,
        warps=warps,
        inner=innerIterations,
        outer=outerIterations if schedule == "adaptive" else 1,
        epsilon=epsilon if schedule == "adaptive" else None,
        median=medianFiltering,
        new_flow=_flow_class(choose(backend, device, on_cpu="torch")),
        pixels_at_once=CPU_PIXELS if device.type == "cpu" else None,
    )
    most = pairs_within(memory_mb, pairs.size, FLOATS_PER_PIXEL)
    if schedule == "adaptive":
        most = 1  # pairs stop at different times
    elif device.type == "cpu":
        most = min(most, CPU_PAIRS)
    return torch.cat([scheme.flow(chunk) for chunk in pairs.chunks(most)])


@dataclass(frozen=True)
class _Scheme:
    """All parameters, checked, in the form in which they are used."""

    weights: Weights
    sizes: list[tuple[int, int]]  # (H, W), full size first
    scale_step: float
    warps: int
    inner: int
    outer: int
    epsilon: float | None  # None: all iterations are done
    median: int
    new_flow: Callable[[Tensor], Flow]
    pixels_at_once: int | None  # None: no limit

    def flow(self, pairs: Pairs) -> Tensor:
        """(N, 2, H, W) px."""
        scales = [pairs.images.float()[:, None]]
        for size in self.sizes[1:]:
            scales.append(resize(scales[-1], size, step=1 / self.scale_step))
        u = scales[-1].new_zeros(pairs.count, 2, *self.sizes[-1])
        for images in reversed(scales):
            if u.shape[-2:] != images.shape[-2:]:
                u = resize(u, tuple(images.shape[-2:])) / self.scale_step
            height, width = images.shape[-2:]
            at_once = max(self.pixels_at_once // (height * width), 1) if self.pixels_at_once else len(u)
            parts = (x.split(at_once) for x in (images[pairs.first], images[pairs.second], u))
            u = torch.cat([self._at_one_scale(*part) for part in zip(*parts, strict=True)])
        return u

    def _at_one_scale(self, first: Tensor, second: Tensor, u: Tensor) -> Tensor:
        image_and_gradient = _to_powers_of_two(torch.cat([second, *_central_differences(second)], dim=1))
        flow = self.new_flow(u)
        for _ in range(self.warps):
            data = _linearise(first, image_and_gradient, flow.u)
            if self.epsilon is None:
                self._smooth(flow)
                flow.iterate(data, self.weights, self.inner)
            else:
                self._until_still(flow, data)
        return flow.u

    def _until_still(self, flow: Flow, data: Linearised) -> None:
        """OpenCV's stopping: no more iterations once a step changes the flow by less than epsilon px a pixel."""
        height, width = flow.u.shape[-2:]
        still = self.epsilon**2 * width * height
        for _ in range(self.outer):
            self._smooth(flow)
            for _ in range(self.inner):
                before = flow.u.clone()
                flow.iterate(data, self.weights, 1)
                if before.sub_(flow.u).square_().sum() <= still:
                    return

    def _smooth(self, flow: Flow) -> None:
        if self.median > 1:
            flow.smooth(self.median)


def _sizes(size: tuple[int, int], nscales: int | None, scale_step: float) -> list[tuple[int, int]]:
    sizes = [size]
    while nscales is None or len(sizes) < nscales:
        smaller = tuple(cv_round(side * scale_step) for side in sizes[-1])
        if min(smaller) < MIN_SIDE_PX or smaller == sizes[-1]:
            break
        sizes.append(smaller)
    return sizes


def _central_differences(images: Tensor) -> tuple[Tensor, Tensor]:
    """∂/∂x and ∂/∂y, half of a one-sided difference at the edges. (N, 1, H, W) each."""
    padded = F.pad(images, (1, 1, 1, 1), mode="replicate")
    across = (padded[..., 1:-1, 2:] - padded[..., 1:-1, :-2]) * 0.5
    down = (padded[..., 2:, 1:-1] - padded[..., :-2, 1:-1]) * 0.5
    return across, down


def _linearise(first: Tensor, second: Tensor, u: Tensor) -> Linearised:
    """ρ(u') ≈ I₁(x + u) + ∇I₁(x + u)·(u' - u) - I₀(x). second: I₁ and its gradient, as `_to_powers_of_two` gives them.

    Sampling is bicubic with a = -0.75 and zeros outside, at exact coordinates, as in OpenCV 5.
    """
    grid = pixel_grid(*u.shape[-2:], u.device) + u.permute(0, 2, 3, 1)
    slope, offset = _pixels_to_unit(*second.shape[-2:], u.device)
    grid = grid.mul_(slope).add_(offset)
    warped = F.grid_sample(second, grid, mode="bicubic", padding_mode="zeros", align_corners=False)
    there, gradient = warped[:, :1], warped[:, 1:].contiguous()
    (u_x, u_y), (across, down) = u.split(1, dim=1), gradient.split(1, dim=1)
    rest = (there - first).addcmul_(across, u_x, value=-1).addcmul_(down, u_y, value=-1)
    squared = torch.addcmul(across * across, down, down)
    inverse = torch.where(squared > FLOAT_EPSILON, 1 / squared, 0)
    return Linearised(rest * inverse, gradient * inverse, gradient)


def _to_powers_of_two(planes: Tensor) -> Tensor:
    """(N, C, H, W) with zeros to the right and below, up to sides that are powers of two.

    `grid_sample` wants coordinates in -1..1. To such sides they are scaled without rounding; otherwise
    the last column would be looked for a hair beyond itself, where zeros are, and still borders move.
    """
    height, width = planes.shape[-2:]
    right, below = (2 ** (side - 1).bit_length() - side for side in (width, height))
    return F.pad(planes, (0, right, 0, below))


@lru_cache(maxsize=64)
def _pixels_to_unit(height: int, width: int, device: torch.device) -> tuple[Tensor, Tensor]:
    """x and y in pixels times the first plus the second, (2,) each, are what `grid_sample` wants."""
    sides = torch.tensor([width, height], dtype=torch.float32)
    return (2 / sides).to(device), (1 / sides - 1).to(device)


def _flow_class(backend: Backend) -> Callable[[Tensor], Flow]:
    if backend == "triton":
        from s2vt_model.flow import tvl1_triton  # imports Triton, which only GPUs need

        return tvl1_triton.Flow
    return tvl1_torch.Flow


def _check(
    tau: float,
    lambda_: float,
    theta: float,
    nscales: int | None,
    warps: int,
    inner: int,
    outer: int,
    scale_step: float,
    median: int,
    schedule: str,
) -> None:
    if not (tau > 0 and lambda_ > 0 and theta > 0):
        raise FlowError(f"TV-L1's tau, lambda_ and theta are above 0; they are {tau}, {lambda_} and {theta}.")
    if min(warps, inner, outer) < 1 or (nscales is not None and nscales < 1):
        raise FlowError(
            "TV-L1 needs 1 or more nscales (or None), warps, innerIterations and outerIterations; "
            f"they are {nscales}, {warps}, {inner} and {outer}."
        )
    if not 0 < scale_step < 1:
        raise FlowError(f"TV-L1's scaleStep lies between 0 and 1; it is {scale_step}.")
    if median not in (0, 1, 3, 5):
        raise FlowError(f"TV-L1's medianFiltering is 3 or 5, or 1 for none; it is {median}.")
    if schedule not in ("fixed", "adaptive"):
        raise FlowError(f"TV-L1's schedule is fixed or adaptive, not “{schedule}”.")
