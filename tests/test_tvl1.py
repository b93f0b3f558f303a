"""TV-L1 in torch against OpenCV 5's, from reference flows that scripts/make_tvl1_reference.py wrote."""

from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from torch import Tensor

from s2vt_model.flow import tvl1
from s2vt_model.flow.tvl1_torch import median
from tests.rounding import tf32_arithmetic
from tests.scenes import moving_texture

REFERENCE = Path("tests/data/tvl1_opencv5.npz")
TRUTH = Path("../shared/flow_truth")
ONE_WARP = {"nscales": 1, "warps": 1}


@pytest.fixture(scope="module")
def reference() -> dict[str, Tensor]:
    with np.load(REFERENCE) as file:
        return {name: torch.from_numpy(file[name]) for name in file.files if name != "opencv"}


def difference(reference: dict[str, Tensor], name: str, **parameters) -> Tensor:
    """End-point differences to OpenCV, px, of all pixels of all pairs."""
    return (tvl1(reference["first"], reference["second"], **parameters) - reference[name]).norm(dim=1).flatten()


def test_one_warp_is_opencvs(reference):
    distance = difference(reference, "one_warp", **ONE_WARP)
    assert distance.mean() <= 1e-4
    assert distance.max() <= 5e-3


def test_tf32_does_not_touch_it(reference):
    with tf32_arithmetic():
        assert difference(reference, "one_warp", **ONE_WARP).mean() <= 1e-4


def test_the_fixed_schedule_is_opencvs_without_stopping(reference):
    assert difference(reference, "fixed").median() <= 1e-3


def test_the_adaptive_schedule_stops_as_opencv_does(reference):
    distance = difference(reference, "defaults", schedule="adaptive")
    # A stop one iteration earlier or later moves the flow by this much (epsilon is 1e-2 px a pixel).
    assert distance.median() <= 5e-3
    # The schedules differ by more than this differs from its own reference.
    assert difference(reference, "defaults").median() > distance.median()


def test_large_motion_needs_all_scales(reference):
    """At most half of OpenCV's error, whose five scales end at a third of the size."""
    frames = reference["far_first"][None], reference["far_second"][None]
    flow = tvl1(*frames, nscales=None)[0]
    motion = reference["far_motion"]
    height, width = flow.shape[-2:]
    y, x = torch.meshgrid(torch.arange(height) + motion[1], torch.arange(width) + motion[0], indexing="ij")
    stays = (x >= 0) & (x <= width - 1) & (y >= 0) & (y <= height - 1)
    error = (flow - motion[:, None, None]).norm(dim=0)[stays].mean()
    assert error <= reference["far_error"] / 2


@pytest.mark.skipif(not TRUTH.is_dir(), reason="needs Middlebury's RubberWhale, which is not part of the project")
@pytest.mark.parametrize(("parameters", "most_px"), [({}, 0.155), ({"schedule": "adaptive"}, 0.158)])
def test_true_flow_is_found(parameters, most_px):
    frames = [cv2.imread(str(TRUTH / f"RubberWhale_{i}.png"), cv2.IMREAD_GRAYSCALE) for i in (10, 11)]
    truth = torch.from_numpy(cv2.readOpticalFlow(str(TRUTH / "RubberWhale.flo"))).permute(2, 0, 1)
    known = (truth.abs() < 1e9).all(dim=0)
    flow = tvl1(torch.from_numpy(np.stack(frames)), **parameters)[0]
    assert (flow - truth).norm(dim=0)[known].mean() <= most_px


def test_known_motion_is_found():
    flow = tvl1(moving_texture(frames=2, motion=(1.2, -0.6)))
    middle = flow[0, :, 10:-10, 10:-10].mean(dim=(1, 2))
    torch.testing.assert_close(middle, torch.tensor([1.2, -0.6]), atol=0.05, rtol=0)


@pytest.mark.parametrize("size", [3, 5])
def test_the_median_is_numpys(size):
    planes = torch.randn(2, 2, 17, 23, generator=torch.Generator().manual_seed(0))
    padded = np.pad(planes.numpy(), ((0, 0), (0, 0), (size // 2,) * 2, (size // 2,) * 2), mode="edge")
    windows = np.lib.stride_tricks.sliding_window_view(padded, (size, size), axis=(2, 3))
    assert np.array_equal(median(planes, size).numpy(), np.median(windows, axis=(4, 5)))
