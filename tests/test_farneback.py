"""Farnebäck's flow in torch against OpenCV's, whole pictures, borders included."""

from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from torch import Tensor

from s2vt_model.flow import farneback, farneback_torch
from s2vt_model.flow.correlate import VERTICAL
from s2vt_model.progress import finish
from s2vt_model.video import Sampling, read_clip
from tests.rounding import tf32_arithmetic
from tests.scenes import moving_texture

EXAMPLES = Path("demo/examples")
MSVD_CLIPS = Path("../shared/msvd/clips")
NAMES = ("pyr_scale", "levels", "winsize", "iterations", "poly_n", "poly_sigma", "flags")
SETS = {
    "tutorial": (0.5, 3, 15, 3, 5, 1.2, 0),
    "class": (0.5, 5, 13, 10, 5, 1.1, 0),
    "gaussian": (0.5, 3, 15, 3, 5, 1.2, cv2.OPTFLOW_FARNEBACK_GAUSSIAN),
    "wide": (0.5, 3, 21, 5, 7, 1.5, 0),
    "fine pyramid": (0.8, 5, 15, 3, 5, 1.2, 0),
    "even window": (0.5, 3, 14, 3, 5, 1.2, 0),
}
MEAN_PX, PERCENTILE_PX = 1e-4, 1e-2  # the latter of the 99.9th percentile


def grey(frames: np.ndarray, size: tuple[int, int] = (224, 224)) -> Tensor:
    small = (cv2.resize(frame, size[::-1], interpolation=cv2.INTER_AREA) for frame in frames)
    return torch.from_numpy(np.stack([cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY) for frame in small]))


def distances(first: Tensor, second: Tensor, parameters: tuple) -> Tensor:
    """End-point differences to OpenCV, px, of all pixels of all pairs."""
    ours = farneback(first, second, backend="torch", **dict(zip(NAMES, parameters, strict=True)))
    pairs = zip(first.numpy(), second.numpy(), strict=True)
    theirs = np.stack([cv2.calcOpticalFlowFarneback(a, b, None, *parameters) for a, b in pairs])
    return (ours - torch.from_numpy(theirs).permute(0, 3, 1, 2)).norm(dim=1).flatten()


def assert_alike(difference: Tensor) -> None:
    assert difference.mean() <= MEAN_PX
    assert np.percentile(difference.numpy(), 99.9) <= PERCENTILE_PX


@pytest.mark.parametrize("parameters", SETS.values(), ids=SETS)
def test_the_examples_flow_as_in_opencv(parameters):
    """Three frames of each clip, each with its successor.

    The last frame of a film, which is its own successor, is no fair one: on it OpenCV with 1e-4 grey
    levels of noise differs from itself by 3e-3 px on average (Gaussian window, flat dark border).
    """
    clips = [finish(read_clip(file, Sampling(every=10, max_frames=32))) for file in sorted(EXAMPLES.glob("*.mp4"))]
    first = torch.cat([grey(clip.frames[:3]) for clip in clips])
    second = torch.cat([grey(clip.next_frames[:3]) for clip in clips])
    assert len(first) == 9
    assert_alike(distances(first, second, parameters))


@pytest.mark.skipif(not MSVD_CLIPS.is_dir(), reason="needs the MSVD clips, which are not part of the project")
@pytest.mark.parametrize("parameters", SETS.values(), ids=SETS)
def test_fifty_pairs_of_msvd_flow_as_in_opencv(parameters, record_property):
    difference = distances(*fifty_pairs(), parameters)
    record_property("mean_px", difference.mean().item())
    record_property("percentile_99_9_px", float(np.percentile(difference.numpy(), 99.9)))
    assert_alike(difference)


def fifty_pairs() -> tuple[Tensor, Tensor]:
    """The first frame and its neighbour of every ninth clip, by number."""
    files = sorted(MSVD_CLIPS.glob("vid*.mp4"), key=lambda file: int(file.stem.removeprefix("vid")))[::9][:50]
    clips = [finish(read_clip(file, Sampling(every=10**6, max_frames=2))) for file in files]
    return tuple(torch.cat([grey(frames[:1]) for frames in side]) for side in (
        [clip.frames for clip in clips], [clip.next_frames for clip in clips]
    ))  # fmt: skip


@pytest.mark.parametrize("size", [(37, 53), (100, 33), (64, 128)])
def test_odd_sizes_flow_as_in_opencv(size):
    film = moving_texture(frames=4, size=size)
    assert_alike(distances(film[:-1], film[1:], SETS["tutorial"]))


def test_known_motion_is_found():
    flow = farneback(moving_texture(frames=2, motion=(1.2, -0.6)), backend="torch")
    middle = flow[0, :, 15:-15, 15:-15].mean(dim=(1, 2))
    torch.testing.assert_close(middle, torch.tensor([1.2, -0.6]), atol=0.1, rtol=0)


def test_tf32_does_not_touch_it():
    """On a GPU, convolutions and products may round their inputs to 10 bits; then flow is off by 1e-3 px and more."""
    film = moving_texture(frames=3)
    with tf32_arithmetic():
        difference = distances(film[:-1], film[1:], SETS["tutorial"])
    assert_alike(difference)


def test_tf32_would_be_noticed(monkeypatch):
    """The check above can fail: with convolutions in the place of shifted sums, it does."""

    def convolve(padded, kernel, axis):
        shape = (1, 1, -1, 1) if axis == VERTICAL else (1, 1, 1, -1)
        planes = padded.reshape(-1, 1, *padded.shape[-2:])
        found = torch.nn.functional.conv2d(planes, torch.tensor(kernel).view(shape))
        return found.view(*padded.shape[:2], *found.shape[-2:])

    monkeypatch.setattr(farneback_torch, "correlate", convolve)
    clip = finish(read_clip(EXAMPLES / "rabbit.mp4", Sampling(every=60, max_frames=2)))
    pairs = grey(clip.frames[:2]), grey(clip.next_frames[:2])
    assert_alike(distances(*pairs, SETS["tutorial"]))
    with tf32_arithmetic():
        difference = distances(*pairs, SETS["tutorial"])
    assert difference.mean() > MEAN_PX
