"""Frames to motion features: eight at a time, in their order, or an error."""

import json
import shutil
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from torchvision.models.video import R3D_18_Weights
from videos import write_video

from s2vt_model.backbones import MotionBackbone, load_backbone
from s2vt_model.checkpoint import WEIGHTS
from s2vt_model.errors import CheckpointError, VideoError
from s2vt_model.features import FeatureCache
from s2vt_model.progress import finish
from s2vt_model.video import Sampling, read_clip
from scripts.convert_i3d import synthetic_frames

FOLDER = WEIGHTS / "backbones" / "i3d-kinetics400-rgb"
CLIPS = Path(__file__).parents[2] / "shared/msvd/clips"
SAMPLING = Sampling(every=1, max_frames=48)


@pytest.fixture(scope="module")
def backbone() -> MotionBackbone:
    return load_backbone(FOLDER)


@pytest.fixture(scope="module")
def golden() -> dict[str, torch.Tensor]:
    return load_file(FOLDER / "golden.safetensors")


def distance(one: torch.Tensor, other: torch.Tensor) -> float:
    return ((one - other).norm() / other.norm()).item()


# --- features -----------------------------------------------------------------------------------


def test_golden_features(backbone, golden):
    assert np.array_equal(golden["frames"].numpy(), synthetic_frames())
    features = finish(backbone.extract(golden["frames"].numpy()))
    assert features.shape == (2, 1024)
    assert features.dtype == torch.float32
    assert distance(features, golden["features"]) <= backbone.config.golden_tolerance


@pytest.mark.parametrize(
    "spoil",
    [
        lambda frames: frames[..., ::-1],
        lambda frames: frames[:, ::-1],
        lambda frames: frames[:, :, ::-1],
        lambda frames: frames // 2,
        lambda frames: frames[::-1],
        lambda frames: np.repeat(frames[:1], len(frames), axis=0),
    ],
    ids=["blue for red", "upside down", "mirrored", "dark", "backwards", "frozen"],
)
def test_wrongly_fed_frames_are_beyond_the_tolerance(backbone, golden, spoil):
    features = backbone(spoil(golden["frames"].numpy()))
    assert distance(features, golden["features"]) > 10 * backbone.config.golden_tolerance


@pytest.mark.parametrize(("frames", "vectors"), [(2, 1), (7, 1), (8, 1), (9, 2), (12, 2), (17, 3)])
def test_a_vector_for_every_eight_frames_the_last_frame_filling_them_up(backbone, frames, vectors):
    clip = synthetic_frames(frames, 40, 56)
    features = finish(backbone.extract(clip))
    filled = np.concatenate([clip, np.repeat(clip[-1:], 8 * vectors - frames, axis=0)])
    assert features.shape == (vectors, 1024)
    assert torch.equal(features, backbone(filled))


def test_the_vectors_come_in_the_order_of_the_frames(backbone):
    """Red, then blue: the first vector is that of red frames, the last that of blue ones."""
    red, blue = (np.full((24, 40, 56, 3), colour, np.uint8) for colour in ((200, 30, 30), (30, 30, 200)))
    both = backbone(np.concatenate([red, blue]))
    assert distance(both[0], backbone(red)[0]) < distance(both[0], backbone(blue)[0])
    assert distance(both[-1], backbone(blue)[-1]) < distance(both[-1], backbone(red)[-1])


def test_a_single_frame_shows_no_motion(backbone, tmp_path):
    with pytest.raises(VideoError, match="it has a single frame, and this model looks at motion"):
        finish(backbone.extract(synthetic_frames(1)))
    still = tmp_path / "still.png"
    cv2.imwrite(str(still), synthetic_frames(1)[0])
    with pytest.raises(VideoError, match=r"still.png” has no features: it has a single frame"):
        FeatureCache(tmp_path / "cache", backbone).features(still, SAMPLING)
    assert not [p for p in (tmp_path / "cache").rglob("*") if p.is_file()]


@pytest.mark.parametrize(("frames", "seen"), [(5, 5), (48, 48), (49, 48), (130, 48)])
def test_a_video_is_sampled_evenly_from_its_first_frame_to_its_last(backbone, tmp_path, frames, seen):
    clip = finish(read_clip(write_video(tmp_path / "clip.avi", frames), SAMPLING))
    assert len(clip.frames) == seen
    assert (clip.indices[0], clip.indices[-1]) == (0, frames - 1)
    assert finish(backbone.extract(clip.frames)).shape == (-(-seen // 8), 1024)


def test_progress_says_that_it_is_motion(backbone):
    (step,) = backbone.extract(synthetic_frames(12, 40, 56))
    assert (step.stage, step.message) == ("features", "Looking at the motion in 12 frames")


@pytest.mark.parametrize(
    ("video", "action"),
    [("vid112", "playing guitar"), ("vid765", "playing guitar")],
)
def test_kinetics_labels_say_what_a_real_clip_shows(backbone, video, action):
    """The head that comes with the weights, on clips that people say show a guitar."""
    file = CLIPS / f"{video}.mp4"
    if not file.is_file():
        pytest.skip("MSVD is not on this machine")
    features = backbone(finish(read_clip(file, SAMPLING)).frames)
    with torch.inference_mode():
        probabilities = backbone.network.classify(features[None])[0].softmax(dim=-1)
    labels = R3D_18_Weights.KINETICS400_V1.meta["categories"]
    assert labels[probabilities.argmax()] == action
    assert probabilities.max() > 0.5


# --- preprocessing ------------------------------------------------------------------------------


def test_constant_frames_are_normalised_exactly(backbone):
    for grey, expected in ((0, -1.0), (255, 1.0), (51, -0.6)):
        x = backbone.preprocess(np.full((2, 48, 64, 3), grey, np.uint8))
        assert x.shape == (2, 3, 160, 160)
        torch.testing.assert_close(x, torch.full_like(x, expected), rtol=0, atol=1e-5)


@pytest.mark.parametrize("size", [(60, 100), (100, 60), (61, 100)])
def test_the_central_square_counts_and_keeps_its_shape(backbone, size):
    height, width = size
    side = min(size)
    top, left = (height - side) // 2, (width - side) // 2
    frames = np.random.default_rng(0).integers(0, 256, (2, *size, 3), np.uint8)
    square = frames[:, top : top + side, left : left + side]
    assert torch.equal(backbone.preprocess(frames), backbone.preprocess(square))


# --- damaged folders ----------------------------------------------------------------------------


@pytest.fixture
def folder(tmp_path):
    """A copy of the backbone's folder, to be damaged."""
    return shutil.copytree(FOLDER, tmp_path / "backbone")


def sentence_about(folder) -> str:
    with pytest.raises(CheckpointError) as error:
        load_backbone(folder)
    return str(error.value)


@pytest.mark.parametrize(
    "fields",
    [{"mean": [0.485, 0.456, 0.406], "std": [0.229, 0.224, 0.225]}, {"input_size": 128}, {"crop_mode": "squash"}],
    ids=lambda fields: ", ".join(fields),
)
def test_another_preprocessing(folder, fields):
    config = json.loads((folder / "config.json").read_text()) | fields
    (folder / "config.json").write_text(json.dumps(config))
    assert "does not reproduce its golden sample" in sentence_about(folder)


def test_other_weights_of_the_right_shape(folder):
    weights = load_file(folder / "model.safetensors")
    name = "layers.Mixed_4c.Branch_1.Conv3d_0b_3x3.conv.weight"
    save_file(weights | {name: weights[name].flip(2).contiguous()}, folder / "model.safetensors")  # time runs backwards
    assert "does not reproduce its golden sample" in sentence_about(folder)


def test_a_missing_tensor(folder):
    weights = load_file(folder / "model.safetensors")
    del weights["layers.Conv3d_1a_7x7.conv.bias"]
    save_file(weights, folder / "model.safetensors")
    assert "is damaged" in sentence_about(folder)
