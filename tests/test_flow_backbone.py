"""A backbone over flow images: fed with the flow between neighbours, as its config says, or an error."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from s2vt_model.backbones import BackboneConfig, FlowBackbone, load_backbone, save_backbone
from s2vt_model.clip_flow import FlowSettings, clip_flow
from s2vt_model.errors import CheckpointError, VideoError
from s2vt_model.features import FeatureCache
from s2vt_model.flow.image import flow_image
from s2vt_model.progress import finish
from s2vt_model.video import Sampling, read_clip
from tests.scenes import moving_texture
from tests.videos import write_video

CONFIG = BackboneConfig(
    name="tiny-flow",
    architecture="tf_efficientnet_lite0",
    feature_size=1280,
    input_size=64,
    crop_mode="squash",
    crop_pct=1.0,
    mean=(128 / 255,) * 3,
    std=(128 / 255,) * 3,
    golden_tolerance=0.02,
    license="",
    source="random weights",
    flow=FlowSettings("farneback", 64, 64),
)


@pytest.fixture(scope="module")
def backbone() -> FlowBackbone:
    torch.manual_seed(0)
    return FlowBackbone(CONFIG)


@pytest.fixture(scope="module")
def film(tmp_path_factory):
    """Twelve frames of a texture that moves to the right by 1.5 px a frame."""
    frames = moving_texture(frames=12, size=(64, 64), motion=(1.5, 0.0)).numpy()
    return write_video(tmp_path_factory.mktemp("film") / "right.avi", [np.repeat(f[..., None], 3, 2) for f in frames])


@pytest.fixture(scope="module")
def clip(film):
    return finish(read_clip(film, Sampling(every=5, max_frames=32)))


def test_its_pictures_are_flow_images_of_neighbouring_frames(backbone, clip):
    features = finish(backbone.features_of(clip))
    images = flow_image(finish(clip_flow(clip, CONFIG.flow)), "s2vt").numpy()
    assert features.shape == (3, 1280)
    torch.testing.assert_close(features, finish(backbone.extract(images)))


def test_it_sees_motion_and_not_what_moves(backbone, clip):
    """The same frames, each followed by itself: other features. Brighter frames, moving alike: nearly the same."""

    def features(some) -> torch.Tensor:
        return finish(backbone.features_of(some))[:2]  # the film's last frame has no successor

    moving = features(clip)
    still = features(replace(clip, next_frames=clip.frames))
    brighter = features(
        replace(clip, frames=clip.frames // 2 + 100, next_frames=clip.next_frames // 2 + 100)
    )
    assert (brighter - moving).norm() < 0.2 * (still - moving).norm()


def test_no_motion_is_the_middle_of_its_range(backbone):
    grey = np.full((1, 64, 64, 3), 128, np.uint8)
    assert backbone.preprocess(grey).abs().max() < 1e-6


def test_the_algorithm_of_the_config_is_used(backbone, clip, monkeypatch):
    used = []

    def noted(clip, settings, *rest, **more):
        used.append(settings)
        return clip_flow(clip, settings, *rest, **more)

    monkeypatch.setattr("s2vt_model.backbones.clip_flow", noted)
    settings = FlowSettings("tvl1", 64, 64)
    finish(FlowBackbone(replace(CONFIG, flow=settings)).features_of(clip))
    assert used == [settings]


def test_progress_is_that_of_features(backbone, clip):
    steps = list(backbone.features_of(clip))
    assert {step.stage for step in steps} == {"features"}
    assert steps[0].message.startswith("Measuring motion")
    assert steps[-1].message.startswith("Looking at frame")


def test_a_single_frame_has_no_flow(backbone, tmp_path):
    file = write_video(tmp_path / "one.avi", [np.zeros((64, 64, 3), np.uint8)])
    with pytest.raises(VideoError, match="single frame"):
        finish(backbone.features_of(finish(read_clip(file, Sampling()))))


def test_mirrored_features_are_those_of_the_mirrored_film(backbone, film, clip, tmp_path):
    """Motion to the right becomes motion to the left."""
    found = FeatureCache(tmp_path, backbone).features(film, Sampling(every=5, max_frames=32), mirrored=True)
    flow = finish(clip_flow(clip, CONFIG.flow)).flip(3)
    flow[:, 0] *= -1
    wanted = finish(backbone.extract(flow_image(flow).numpy()))
    plain = finish(backbone.features_of(clip))
    # Farnebäck's windows lie a little differently in a mirrored picture.
    assert (found - wanted).norm() < 0.25 * (plain - wanted).norm()


def test_a_folder_keeps_how_flow_is_measured(backbone, tmp_path):
    save_backbone(tmp_path / "tiny", backbone, np.random.default_rng(0).integers(0, 256, (2, 64, 64, 3), np.uint8))
    loaded = load_backbone(tmp_path / "tiny")
    assert isinstance(loaded, FlowBackbone)
    assert loaded.config == CONFIG


def test_unknown_algorithm_in_a_folder(backbone, tmp_path):
    save_backbone(tmp_path, backbone, np.full((1, 64, 64, 3), 128, np.uint8))
    file = tmp_path / "config.json"
    file.write_text(file.read_text().replace('"farneback"', '"brox"'))
    with pytest.raises(CheckpointError, match="farneback and tvl1, not “brox”"):
        load_backbone(tmp_path)
