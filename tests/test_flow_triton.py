"""Triton's kernels do what the steps in torch do: on a GPU where there is one, else in Triton's interpreter."""

from collections.abc import Iterator
from importlib import import_module

import pytest
import torch
from torch import Tensor

from s2vt_model.errors import FlowError
from s2vt_model.flow import farneback, farneback_torch, tvl1, tvl1_torch
from s2vt_model.flow.farneback_kernels import polynomial_kernels, pyramid
from tests.kernels import forget_kernels
from tests.scenes import moving_texture

pytest.importorskip("triton", reason="needs Triton, which torch brings along for CUDA on Linux")

SIZE = (37, 53)  # px, fills no tile
PAIRS = 2


@pytest.fixture(scope="module")
def device() -> Iterator[torch.device]:
    with pytest.MonkeyPatch.context() as patch:
        if not torch.cuda.is_available():
            patch.setenv("TRITON_INTERPRET", "1")
        forget_kernels()
        yield torch.device("cuda" if torch.cuda.is_available() else "cpu")
    forget_kernels()


@pytest.fixture(scope="module")
def steps(device):
    return import_module("s2vt_model.flow.farneback_triton")


@pytest.fixture(scope="module")
def new_flow(device):
    return import_module("s2vt_model.flow.tvl1_triton").Flow


@pytest.fixture
def images(device) -> Tensor:
    return moving_texture(frames=PAIRS + 1, size=SIZE).float().to(device)


def random(*shape: int, seed: int, device: torch.device) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed)).to(device)


def assert_alike(ours: Tensor, reference: Tensor, digits: float = 1e-6) -> None:
    """Within rounding: so much of the largest value."""
    torch.testing.assert_close(ours, reference, rtol=0, atol=digits * reference.abs().max().item())


@pytest.mark.parametrize("scale", [0.5, 0.7])
def test_shrink(steps, device, scale):
    images = moving_texture(frames=2, size=(65, 70)).float().to(device)
    levels = pyramid((65, 70), scale, levels=3)
    assert len(levels) > 1
    for level in levels:
        assert_alike(steps.shrink(images, level), farneback_torch.shrink(images, level))


@pytest.mark.parametrize(("poly_n", "sigma"), [(5, 1.2), (7, 1.5)])
def test_expand(steps, images, poly_n, sigma):
    kernels = polynomial_kernels(poly_n, sigma)
    assert_alike(steps.expand(images, kernels), farneback_torch.expand(images, kernels))


@pytest.mark.parametrize("longest_px", [0, 3, 100])
def test_compare(steps, images, device, longest_px):
    """Flow within the image and out of it; of none, the last row and column count as outside."""
    planes = farneback_torch.expand(images, polynomial_kernels(5, 1.2))
    flow = random(PAIRS, 2, *SIZE, seed=1, device=device) * longest_px
    expected = farneback_torch.compare(planes[:-1], planes[1:], flow)
    assert_alike(steps.compare(planes[:-1], planes[1:], flow), expected)


@pytest.mark.filterwarnings("ignore:invalid value:RuntimeWarning")  # of NumPy, which interprets
def test_compare_survives_flow_that_is_no_number(steps, images, device):
    planes = farneback_torch.expand(images, polynomial_kernels(5, 1.2))
    flow = torch.zeros(PAIRS, 2, *SIZE, device=device)
    flow[0, 0, 5, 5], flow[0, 1, 9, 9] = torch.nan, torch.inf
    equations = steps.compare(planes[:-1], planes[1:], flow)
    assert equations[1].isfinite().all()
    assert (~equations[0].isfinite()).any(dim=0).sum() <= 2


@pytest.mark.parametrize(("winsize", "gaussian"), [(15, False), (14, False), (2, False), (13, True)])
def test_solve(steps, images, device, winsize, gaussian):
    planes = farneback_torch.expand(images, polynomial_kernels(5, 1.2))
    flow = random(PAIRS, 2, *SIZE, seed=2, device=device)
    equations = farneback_torch.compare(planes[:-1], planes[1:], flow)
    ours = steps.solve(equations, winsize, gaussian)
    # Small windows make equations that amplify rounding.
    assert_alike(ours, farneback_torch.solve(equations, winsize, gaussian), 1e-3 if winsize == 2 else 1e-5)


def test_farneback(device):
    film = moving_texture(frames=2, size=(64, 67)).to(device)
    parameters = {"levels": 1, "winsize": 7, "iterations": 2, "poly_n": 3}
    difference = farneback(film, backend="triton", **parameters) - farneback(film, backend="torch", **parameters)
    assert difference.norm(dim=1).mean() <= 1e-5


@pytest.mark.parametrize("size", [3, 5])
def test_smooth_takes_exactly_the_median(new_flow, device, size):
    u = random(1, 2, *SIZE, seed=3, device=device)
    expected = tvl1_torch.median(u, size)
    flow = new_flow(u)
    flow.smooth(size)
    assert torch.equal(flow.u, expected)


@pytest.mark.parametrize("size", [SIZE, (80, 60)])
@pytest.mark.parametrize("times", [1, 7])
def test_iterate(new_flow, device, size, times):
    """Also where an image has several tiles, and with a number of iterations that is no multiple of a launch's."""
    u = random(PAIRS, 2, *size, seed=4, device=device)
    gradient = random(PAIRS, 2, *size, seed=5, device=device)
    slope = gradient / gradient.square().sum(dim=1, keepdim=True)
    data = tvl1_torch.Linearised(random(PAIRS, 1, *size, seed=6, device=device), slope, gradient)
    weights = tvl1_torch.Weights(limit=0.045, theta=0.3, taut=0.25 / 0.3)
    ours, expected = new_flow(u.clone()), tvl1_torch.Flow(u.clone())
    for flow in (ours, expected):
        flow.iterate(data, weights, times)
        flow.iterate(data, weights, times)
    assert_alike(ours.u, expected.u)
    assert_alike(ours.p, expected.p)


@pytest.mark.parametrize("schedule", ["fixed", "adaptive"])
def test_tvl1(device, schedule):
    film = moving_texture(frames=2, size=SIZE).to(device)
    parameters = {"nscales": 2, "warps": 2, "innerIterations": 5, "outerIterations": 1, "medianFiltering": 3}
    ours, expected = (tvl1(film, backend=name, schedule=schedule, **parameters) for name in ("triton", "torch"))
    assert (ours - expected).norm(dim=1).median() <= 1e-5


def test_on_a_cpu_there_is_no_triton_but_its_interpreter(monkeypatch):
    monkeypatch.delenv("TRITON_INTERPRET", raising=False)
    with pytest.raises(FlowError, match="not “triton”"):
        farneback(moving_texture(frames=2, size=SIZE), backend="triton")
