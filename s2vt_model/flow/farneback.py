"""Farnebäck's optical flow (Two-Frame Motion Estimation Based on Polynomial Expansion, SCIA 2003).

The computation is OpenCV's `calcOpticalFlowFarneback`, borders included, for all pairs of a clip at
once: within 1e-4 px of it on average (tests/test_farneback.py).
"""

from concurrent.futures import ThreadPoolExecutor
from types import ModuleType

import cv2
import numpy as np
import torch
from torch import Tensor

from s2vt_model.errors import FlowError
from s2vt_model.flow import farneback_torch
from s2vt_model.flow.backends import Backend, choose
from s2vt_model.flow.farneback_kernels import polynomial_kernels, pyramid
from s2vt_model.flow.pairs import Frames, Pairs, as_pairs, pairs_within
from s2vt_model.flow.resample import resize

FLOATS_PER_PIXEL = 60  # of a pair while it is worked on, at most (54 were measured)
CPU_PAIRS = 4  # more at once leave a CPU's caches, and are slower
MIN_POLY_SIGMA = 0.3  # px; with less, the neighbours weigh nothing and there is nothing to fit
GAUSSIAN = cv2.OPTFLOW_FARNEBACK_GAUSSIAN


@torch.no_grad()
def farneback(
    frames: Frames,
    second: Frames | None = None,
    *,
    pyr_scale: float = 0.5,
    levels: int = 3,
    winsize: int = 15,
    iterations: int = 3,
    poly_n: int = 5,
    poly_sigma: float = 1.2,
    flags: int = 0,
    backend: Backend = "auto",
    memory_mb: float = 512,
) -> Tensor:
    """Flow of consecutive `frames` (T, H, W), or from each of `frames` to its partner in `second`.

    Frames are grey, uint8 or float32 in 0..255. Returns (T - 1, 2, H, W) float32 px on the frames'
    device, channel 0 = x: frames[t][y, x] is seen again at frames[t + 1][y + flow[1], x + flow[0]].

    Parameters have OpenCV's names and meaning; the defaults are those its tutorial made common.
    `flags` is 0 or `cv2.OPTFLOW_FARNEBACK_GAUSSIAN`. On a CPU, "auto" is OpenCV itself, which is
    faster there. Work goes on in chunks that need at most about `memory_mb` of memory besides the result.
    Raises `FlowError`, a sentence that says what to pass.
    """
    _check(pyr_scale, levels, winsize, iterations, poly_n, poly_sigma, flags)
    pairs = as_pairs(frames, second)
    backend = choose(backend, pairs.images.device, on_cpu="opencv")
    if backend == "opencv":
        return _opencv(pairs, (pyr_scale, levels, winsize, iterations, poly_n, poly_sigma, flags))

    steps = _steps(backend)
    kernels = polynomial_kernels(poly_n, poly_sigma)
    most = pairs_within(memory_mb, pairs.size, FLOATS_PER_PIXEL)
    flows = []
    for chunk in pairs.chunks(min(most, CPU_PAIRS) if pairs.images.device.type == "cpu" else most):
        images = chunk.images.float()
        flow = images.new_zeros(chunk.count, 2, 1, 1)
        for level in pyramid(pairs.size, pyr_scale, levels):
            planes = steps.expand(steps.shrink(images, level), kernels)
            flow = resize(flow, level.size) / pyr_scale
            for _ in range(iterations):
                equations = steps.compare(planes[chunk.first], planes[chunk.second], flow)
                flow = steps.solve(equations, winsize, bool(flags & GAUSSIAN))
        flows.append(flow)
    return torch.cat(flows)


def _steps(backend: Backend) -> ModuleType:
    if backend == "triton":
        from s2vt_model.flow import farneback_triton  # imports Triton, which only GPUs need

        return farneback_triton
    return farneback_torch


def _opencv(pairs: Pairs, parameters: tuple) -> Tensor:
    images = pairs.images.numpy()

    def one(pair: tuple[np.ndarray, np.ndarray]) -> Tensor:
        return torch.from_numpy(cv2.calcOpticalFlowFarneback(*pair, None, *parameters)).permute(2, 0, 1)

    # OpenCV's Farnebäck keeps to one core a pair, so pairs go side by side.
    with ThreadPoolExecutor(torch.get_num_threads()) as pool:
        flows = list(pool.map(one, zip(images[pairs.first], images[pairs.second], strict=True)))
    return torch.stack(flows)


def _check(
    pyr_scale: float, levels: int, winsize: int, iterations: int, poly_n: int, poly_sigma: float, flags: int
) -> None:
    if not all(isinstance(number, int) for number in (levels, winsize, iterations, poly_n, flags)):
        raise FlowError("Farnebäck's levels, winsize, iterations, poly_n and flags are whole numbers.")
    if not (poly_sigma == 0 or MIN_POLY_SIGMA <= poly_sigma < float("inf")):
        raise FlowError(
            f"Farnebäck's poly_sigma is 0, for 0.3 · poly_n, or {MIN_POLY_SIGMA} or more; it is {poly_sigma}."
        )
    if not 0 < pyr_scale < 1:
        raise FlowError(f"Farnebäck's pyr_scale lies between 0 and 1; it is {pyr_scale}.")
    if levels < 0 or winsize < 2 or iterations < 1 or poly_n < 1:
        raise FlowError(
            "Farnebäck needs levels of 0 or more, a winsize of 2 or more, and iterations and poly_n of 1 or more; "
            f"they are {levels}, {winsize}, {iterations} and {poly_n}."
        )
    if flags not in (0, GAUSSIAN):
        raise FlowError(f"Farnebäck's flags are 0 or cv2.OPTFLOW_FARNEBACK_GAUSSIAN ({GAUSSIAN}), not {flags}.")
