"""The flow of a clip: of its sampled frames, each to the next frame of the film."""

import numpy as np
import pytest
import torch

from s2vt_model.clip_flow import FlowSettings, clip_flow
from s2vt_model.errors import FlowError
from s2vt_model.flow import farneback
from s2vt_model.progress import finish
from s2vt_model.video import Sampling, read_clip
from tests.scenes import moving_texture
from tests.videos import write_video


@pytest.fixture(scope="module")
def film(tmp_path_factory):
    frames = moving_texture(frames=31, size=(96, 128), motion=(1.0, 0.0)).numpy()
    return write_video(tmp_path_factory.mktemp("film") / "right.avi", [np.repeat(f[..., None], 3, 2) for f in frames])


@pytest.mark.parametrize("algorithm", ["farneback", "tvl1"])
def test_motion_between_neighbours_not_between_samples(film, algorithm):
    clip = finish(read_clip(film, Sampling(every=10, max_frames=32)))
    assert clip.indices == (0, 10, 20, 30)
    flow = finish(clip_flow(clip, FlowSettings(algorithm, height=96, width=128)))
    assert flow.shape == (4, 2, 96, 128)
    middle = flow[:, :, 24:-24, 24:-24].mean(dim=(2, 3))
    torch.testing.assert_close(middle[:3], torch.tensor([[1.0, 0.0]] * 3), atol=0.15, rtol=0)
    torch.testing.assert_close(middle[3], torch.zeros(2), atol=1e-3, rtol=0)  # the film's last frame


def test_flow_is_that_of_the_resized_frames(film):
    clip = finish(read_clip(film, Sampling(every=10, max_frames=32)))
    flow = finish(clip_flow(clip, FlowSettings(height=48, width=64)))
    assert flow.shape[-2:] == (48, 64)
    assert flow[0, 0, 12:-12, 12:-12].mean().item() == pytest.approx(0.5, abs=0.1)


def test_it_is_farneback_of_the_grey_frames(film):
    clip = finish(read_clip(film, Sampling(every=10, max_frames=2)))
    flow = finish(clip_flow(clip, FlowSettings(height=96, width=128)))
    first, second = (torch.from_numpy(f[..., 0]) for f in (clip.frames, clip.next_frames))
    torch.testing.assert_close(flow, farneback(first, second), atol=0.02, rtol=0)  # JPEG is not quite grey


def test_it_reports_progress_and_can_be_stopped(film):
    clip = finish(read_clip(film, Sampling(every=1, max_frames=32)))
    work = clip_flow(clip, FlowSettings())
    fractions = [next(work).fraction for _ in range(3)]
    assert fractions == sorted(set(fractions))
    work.close()


def test_a_single_frame_has_no_motion(tmp_path):
    clip = finish(read_clip(write_video(tmp_path / "one.avi", 1), Sampling()))
    with pytest.raises(FlowError, match="single frame"):
        finish(clip_flow(clip, FlowSettings()))


def test_an_unknown_algorithm_is_refused():
    with pytest.raises(FlowError, match="farneback and tvl1"):
        FlowSettings("dis")
