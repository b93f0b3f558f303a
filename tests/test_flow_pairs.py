"""What flow is measured between: consecutive frames or pairs, in chunks; and what is refused."""

import numpy as np
import pytest
import torch

from s2vt_model.errors import FlowError
from s2vt_model.flow import farneback, farneback_torch, tvl1
from tests.scenes import moving_texture

QUICK = {"nscales": 2, "warps": 2, "innerIterations": 5}


def flows(algorithm, *frames, **parameters):
    quick = QUICK if algorithm is tvl1 else {"backend": "torch"}
    return algorithm(*frames, **quick | parameters)


BOTH = pytest.mark.parametrize("algorithm", [farneback, tvl1])


@BOTH
def test_a_film_gives_the_flow_of_its_neighbours(algorithm):
    film = moving_texture(frames=5)
    together = flows(algorithm, film)
    assert together.shape == (4, 2, *film.shape[1:])
    assert together.dtype == torch.float32
    assert torch.equal(together, flows(algorithm, film[:-1], film[1:]))


@BOTH
def test_a_batch_equals_its_pairs(algorithm):
    film = moving_texture(frames=15)  # more than go through at once
    one_by_one = [flows(algorithm, film[i : i + 2]) for i in range(14)]
    torch.testing.assert_close(flows(algorithm, film), torch.cat(one_by_one), atol=1e-5, rtol=0)


@BOTH
def test_little_memory_means_smaller_chunks_not_another_flow(algorithm):
    film = moving_texture(frames=6)
    torch.testing.assert_close(flows(algorithm, film, memory_mb=0.001), flows(algorithm, film), atol=1e-5, rtol=0)


@BOTH
def test_kinds_of_frames_agree(algorithm):
    film = moving_texture(frames=3)
    expected = flows(algorithm, film)
    assert torch.equal(flows(algorithm, film.numpy()), expected)
    assert torch.equal(flows(algorithm, film.float()), expected)
    assert torch.equal(flows(algorithm, list(film)), expected)


def test_opencv_and_torch_take_the_same_frames():
    film = moving_texture(frames=3)
    torch.testing.assert_close(farneback(film, backend="opencv"), farneback(film, backend="torch"), atol=1e-3, rtol=0)


GREY = torch.zeros(3, 32, 40, dtype=torch.uint8)
NAN = torch.full((2, 32, 40), 100.0)
NAN[1, 5, 5] = torch.nan


@BOTH
@pytest.mark.parametrize(
    ("frames", "sentence"),
    [
        ((GREY[:1],), "between two frames; there is one"),
        ((GREY[:0],), r"frames \(T, H, W\)"),
        ((GREY[0],), r"frames \(T, H, W\)"),
        ((GREY[:, :15],), "40×15 px; flow needs 16 px a side"),
        ((NAN,), "hold values from nan"),
        ((NAN.nan_to_num(1e6),), "0..255"),
        ((GREY.float() + 0.5,), "lie in 0..1. Multiply them by 255"),
        ((GREY.double(),), "uint8 or float32"),
        ((torch.zeros(3, 32, 40, 3),), "Convert colour to grey"),
        ((torch.zeros(32, 40, 3, dtype=torch.uint8),), "Convert colour to grey"),
        (([],), "there is none"),
        (([np.zeros((32, 40), np.uint8), np.zeros((32, 41), np.uint8)],), "differ in size"),
        ((GREY, GREY[:2]), "must be alike"),
        ((GREY, GREY[:, 1:]), "must be alike"),
    ],
)
def test_what_is_refused_says_what_to_pass(algorithm, frames, sentence):
    with pytest.raises(FlowError, match=sentence):
        algorithm(*frames)


@pytest.mark.parametrize(
    ("algorithm", "parameters", "sentence"),
    [
        (farneback, {"pyr_scale": 1.0}, "pyr_scale"),
        (farneback, {"winsize": 1}, "winsize"),
        (farneback, {"flags": 4}, "flags"),
        (farneback, {"winsize": 15.0}, "whole numbers"),
        (farneback, {"poly_sigma": 0.05}, "poly_sigma"),
        (farneback, {"poly_sigma": float("nan")}, "poly_sigma"),
        (farneback, {"backend": "triton"}, "On cpu the backend is"),
        (farneback, {"backend": "torch", "memory_mb": 0}, "memory"),
        (tvl1, {"tau": 0}, "tau"),
        (tvl1, {"nscales": 0}, "nscales"),
        (tvl1, {"scaleStep": 1.5}, "scaleStep"),
        (tvl1, {"medianFiltering": 4}, "medianFiltering"),
        (tvl1, {"schedule": "slow"}, "schedule"),
        (tvl1, {"backend": "opencv"}, "On cpu the backend is"),
        (tvl1, {"memory_mb": float("nan")}, "memory"),
    ],
)
def test_parameters_that_make_no_sense_are_refused(algorithm, parameters, sentence):
    with pytest.raises(FlowError, match=sentence):
        algorithm(GREY, **parameters)


@pytest.mark.parametrize("size", [(56, 72), (48, 64), (97, 131), (224, 224)])
@pytest.mark.parametrize("schedule", ["fixed", "adaptive"])
def test_still_pictures_do_not_move_in_tvl1(size, schedule):
    still = moving_texture(frames=1, size=size).expand(2, -1, -1)
    assert torch.equal(tvl1(still, schedule=schedule), torch.zeros(1, 2, *size))


def test_still_pictures_move_at_the_edges_only_in_farneback():
    """There it compares a pixel with nothing, in OpenCV too."""
    flow = farneback(moving_texture(frames=1, size=(96, 128)).expand(2, -1, -1), backend="torch")
    assert flow[..., 24:-24, 24:-24].abs().max() < 1e-4
    assert flow.abs().max() < 0.2


@BOTH
def test_flat_pictures_do_not_move(algorithm):
    assert flows(algorithm, GREY).abs().max() < 1e-6


def test_frames_may_be_views_that_run_backwards():
    film = moving_texture(frames=3).numpy()[:, :, ::-1]
    assert torch.equal(farneback(film, backend="torch"), farneback(film.copy(), backend="torch"))


def test_a_scale_step_near_one_ends():
    """16 · 0.99 rounds to 16."""
    flow = tvl1(moving_texture(frames=2, size=(17, 20)), nscales=None, scaleStep=0.99, warps=1, innerIterations=1)
    assert flow.shape == (1, 2, 17, 20)


def test_flow_that_is_no_number_stays_where_it_is():
    """Extreme pictures must not make an index out of nothing."""
    planes, flow = torch.rand(1, 5, 20, 24), torch.zeros(1, 2, 20, 24)
    flow[..., 4:6, 7] = torch.nan
    equations = farneback_torch.compare(planes, planes, flow)
    assert equations[..., :4, :].isfinite().all()
    assert equations[..., 6:, :].isfinite().all()


@BOTH
def test_the_smallest_pictures_work(algorithm):
    film = moving_texture(frames=2, size=(16, 16))
    assert flows(algorithm, film).isfinite().all()
