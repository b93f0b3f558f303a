"""The numbers in Farnebäck's method: kernels of the polynomial expansion, of windows, of the pyramid."""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from s2vt_model.flow.resample import cv_round

BORDER_WEIGHTS = (0.14, 0.14, 0.4472, 0.4472, 0.4472)  # at 0, 1, … px from an edge
MIN_LEVEL_PX = 32  # a pyramid's level has no shorter side
FLOAT_EPSILON = 1.1920929e-07


@dataclass(frozen=True)
class PolynomialKernels:
    """Weighted least squares on the basis 1, x, y, x², y², xy: correlations and the inverse's entries."""

    g: tuple[float, ...]  # the applicability, a Gaussian of 2 * radius + 1 taps that sums to 1
    xg: tuple[float, ...]
    xxg: tuple[float, ...]
    inverse_11: float  # of the 6×6 matrix of moments
    inverse_03: float
    inverse_33: float
    inverse_55: float

    @property
    def radius(self) -> int:
        return len(self.g) // 2


@lru_cache(maxsize=16)
def polynomial_kernels(poly_n: int, poly_sigma: float) -> PolynomialKernels:
    """Kernels of radius `poly_n`; a sigma of 0 means 0.3 · poly_n."""
    sigma = poly_sigma if poly_sigma >= FLOAT_EPSILON else 0.3 * poly_n
    x = np.arange(-poly_n, poly_n + 1, dtype=np.float64)
    g = np.exp(-x * x / (2 * sigma * sigma)).astype(np.float32)
    g = (g / g.sum(dtype=np.float64)).astype(np.float32)
    xg, xxg = (x * g).astype(np.float32), (x * x * g).astype(np.float32)

    weight = g.astype(np.float64)
    total, second, fourth = (float((weight * x**power).sum()) for power in (0, 2, 4))
    moments = np.diag([total**2, second * total, second * total, fourth * total, fourth * total, second**2])
    moments[0, 3] = moments[0, 4] = moments[3, 0] = moments[4, 0] = second * total
    moments[3, 4] = moments[4, 3] = second**2
    inverse = np.linalg.inv(moments)
    entries = (float(inverse[i, j]) for i, j in ((1, 1), (0, 3), (3, 3), (5, 5)))
    return PolynomialKernels(tuple(g.tolist()), tuple(xg.tolist()), tuple(xxg.tolist()), *entries)


@lru_cache(maxsize=16)
def window_kernel(winsize: int) -> tuple[float, ...]:
    """The Gaussian window of OPTFLOW_FARNEBACK_GAUSSIAN along one axis."""
    radius = winsize // 2
    x = np.arange(-radius, radius + 1, dtype=np.float64)
    sigma = 0.3 * radius
    kernel = np.exp(-x * x / (2 * sigma * sigma)) if radius else np.ones(1)
    return tuple((kernel / kernel.sum()).astype(np.float32).tolist())


@dataclass(frozen=True)
class Level:
    """One scale of the pyramid, always made from the full-size image."""

    size: tuple[int, int]
    kernel: tuple[float, ...]  # the blur before shrinking


def pyramid(size: tuple[int, int], pyr_scale: float, levels: int) -> list[Level]:
    """The levels of images of `size`, coarsest first; the last is full size (and blurred as well)."""
    found = []
    scale = 1.0
    for _ in range(levels + 1):
        if found and min(size) * scale < MIN_LEVEL_PX:
            break
        sigma = (1 / scale - 1) / 2
        taps = max(cv_round(5 * sigma) | 1, 3)
        found.append(Level((cv_round(size[0] * scale), cv_round(size[1] * scale)), _gaussian(taps, sigma)))
        scale *= pyr_scale
    return found[::-1]


def _gaussian(taps: int, sigma: float) -> tuple[float, ...]:
    """OpenCV's getGaussianKernel; for a sigma of 0 and three taps it has fixed numbers."""
    if sigma == 0:
        return (0.25, 0.5, 0.25)
    x = np.arange(taps, dtype=np.float64) - (taps - 1) / 2
    kernel = np.exp(-x * x / (2 * sigma * sigma))
    return tuple((kernel / kernel.sum()).astype(np.float32).tolist())
