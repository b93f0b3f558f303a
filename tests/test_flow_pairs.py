"""What flow is measured between: consecutive frames or pairs, in chunks; and what is refused."""

import numpy as np
import pytest
import torch

from s2vt_model.errors import FlowError
from s2vt_model.flow import farneback, tvl1
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


@BOTH
def test_still_and_flat_pictures_do_not_move(algorithm):
    still = moving_texture(frames=1).expand(2, -1, -1)
    assert flows(algorithm, still).abs().median() < 1e-3  # borders see zeros beyond them, in OpenCV too
    assert flows(algorithm, GREY).abs().max() < 1e-6


@BOTH
def test_the_smallest_pictures_work(algorithm):
    film = moving_texture(frames=2, size=(16, 16))
    assert flows(algorithm, film).isfinite().all()
