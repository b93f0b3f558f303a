"""Flow on a GPU: the same as on a CPU, whatever the GPU may do to float32, and without waiting for it."""

from importlib.util import find_spec

import numpy as np
import pytest
import torch
from torch import Tensor

from s2vt_model.flow import farneback, tvl1
from tests.scenes import moving_texture

pytestmark = [
    pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device"),
    pytest.mark.parametrize("backend", ["torch", "triton"]),
]

SIZE = (123, 165)  # px


@pytest.fixture(autouse=True)
def triton_is_there(backend):
    if backend == "triton" and not find_spec("triton"):
        pytest.skip("needs Triton, which torch brings along for CUDA on Linux")


@pytest.fixture(scope="module")
def film() -> Tensor:
    return moving_texture(frames=5, size=SIZE, motion=(2.3, -1.1))


@pytest.mark.parametrize("winsize", [15, 14])
def test_farneback_is_that_of_a_cpu(film, backend, winsize):
    flow = farneback(film.cuda(), winsize=winsize, backend=backend).cpu()
    distance = (flow - farneback(film, winsize=winsize, backend="torch")).norm(dim=1)
    assert distance.mean() <= 1e-4
    assert np.percentile(distance.numpy(), 99.9) <= 1e-2


@pytest.mark.parametrize("schedule", ["fixed", "adaptive"])
def test_tvl1_is_that_of_a_cpu(film, backend, schedule):
    """At the median: single pixels differ by more, as OpenCV's do from its own under a little noise."""
    flow = tvl1(film.cuda(), schedule=schedule, backend=backend).cpu()
    assert (flow - tvl1(film, schedule=schedule, backend="torch")).norm(dim=1).median() <= 1e-3


@pytest.mark.parametrize("measure", [farneback, tvl1])
def test_tf32_changes_nothing(film, backend, measure, monkeypatch):
    exact = measure(film.cuda(), backend=backend)
    monkeypatch.setattr(torch.backends.cuda.matmul, "allow_tf32", True)
    monkeypatch.setattr(torch.backends.cudnn, "allow_tf32", True)
    assert torch.equal(measure(film.cuda(), backend=backend), exact)


@pytest.mark.parametrize("measure", [farneback, tvl1])
def test_nothing_waits_for_the_gpu(film, backend, measure):
    """Once it is warm: the first clip of a size compiles kernels and uploads small tables."""
    film = film.cuda()
    measure(film, backend=backend)
    torch.cuda.set_sync_debug_mode("error")
    try:
        measure(film, backend=backend)
    finally:
        torch.cuda.set_sync_debug_mode("default")
