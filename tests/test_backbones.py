"""Frames to feature vectors: the right network, fed in the right way, or an error."""

import json
import shutil

import cv2
import numpy as np
import pytest
import timm
import torch
from PIL import Image
from safetensors.torch import load_file, save_file

from s2vt_model.backbones import Backbone, BackboneConfig, ImageBackbone, load_backbone
from s2vt_model.checkpoint import WEIGHTS
from s2vt_model.errors import CheckpointError, VideoError
from s2vt_model.progress import finish

FOLDER = WEIGHTS / "backbones" / "tf_efficientnet_lite2.in1k"


@pytest.fixture(scope="module")
def backbone(captioner) -> Backbone:
    return captioner.streams["rgb"].backbone


@pytest.fixture(scope="module")
def golden() -> dict[str, torch.Tensor]:
    return load_file(FOLDER / "golden.safetensors")


@pytest.fixture
def folder(tmp_path):
    """A copy of the backbone's folder, to be damaged."""
    return shutil.copytree(FOLDER, tmp_path / "backbone")


def distance(one: torch.Tensor, other: torch.Tensor) -> float:
    """Relative, as the golden sample's tolerance is."""
    return ((one - other).norm() / other.norm()).item()


def smooth_frames(count: int, height: int, width: int) -> np.ndarray:
    """Coloured blobs: pictures without detail that a resize could lose."""
    noise = np.random.default_rng(0).integers(0, 256, (count, 6, 6, 3), np.uint8)
    return np.stack([cv2.resize(n, (width, height), interpolation=cv2.INTER_CUBIC) for n in noise])


# --- features -----------------------------------------------------------------------------------


def test_golden_features(backbone, golden):
    features = finish(backbone.extract(golden["frames"].numpy()))
    assert features.shape == (len(golden["frames"]), 1280)
    assert features.dtype == torch.float32
    assert distance(features, golden["features"]) <= backbone.config.golden_tolerance


def test_golden_features_tell_the_frames_apart(golden):
    """A tolerance is worth something only where it is far below the distance between frames."""
    a, b, c = golden["features"]
    assert min(distance(a, b), distance(b, c), distance(c, a)) > 0.1


@pytest.mark.parametrize(
    "spoil",
    [lambda frames: frames[..., ::-1], lambda frames: frames[:, ::-1], lambda frames: frames // 2],
    ids=["blue for red", "upside down", "dark"],
)
def test_wrongly_fed_frames_are_beyond_the_tolerance(backbone, golden, spoil):
    features = backbone(np.ascontiguousarray(spoil(golden["frames"].numpy())))
    assert distance(features, golden["features"]) > 2 * backbone.config.golden_tolerance


@pytest.mark.parametrize("count", [1, 3, 4, 5, 9])
def test_batches_do_not_change_features(backbone, count):
    frames = smooth_frames(count, 60, 80)
    together = finish(backbone.extract(frames))
    one_by_one = torch.cat([backbone(frame[None]) for frame in frames])
    assert together.shape == (count, 1280)
    assert distance(together, one_by_one) < 1e-4


def test_progress_is_told_batch_by_batch(backbone):
    steps = list(backbone.extract(smooth_frames(9, 16, 16)))
    assert [step.stage for step in steps] == ["features"] * 3
    assert [step.fraction for step in steps] == pytest.approx([0, 4 / 9, 8 / 9])
    assert steps[1].message == "Looking at frame 5 of 9"


@pytest.mark.parametrize("size", [(1, 1), (8, 8), (33, 47), (3, 200), (320, 569)])
def test_frames_of_any_size_have_features(backbone, size):
    features = backbone(smooth_frames(1, *size))
    assert features.shape == (1, 1280)
    assert features.isfinite().all()


# --- preprocessing ------------------------------------------------------------------------------


def test_constant_frames_are_normalised_exactly(backbone):
    for grey, expected in ((0, -1.0), (255, 1.0), (51, -0.6)):
        x = backbone.preprocess(np.full((1, 48, 64, 3), grey, np.uint8))
        assert x.shape == (1, 3, 260, 260)
        torch.testing.assert_close(x, torch.full_like(x, expected), rtol=0, atol=1e-5)


def test_colours_stay_in_their_channels(backbone):
    frame = np.zeros((1, 48, 64, 3), np.uint8)
    frame[..., 0] = 255  # red
    x = backbone.preprocess(frame)
    assert x.mean(dim=(0, 2, 3)).tolist() == pytest.approx([1, -1, -1], abs=1e-5)


@pytest.mark.parametrize("size", [(60, 80), (61, 81), (320, 569)])
def test_a_mirrored_frame_is_preprocessed_to_the_mirror_image(backbone, size):
    frames = smooth_frames(1, *size)
    mirrored = np.ascontiguousarray(frames[:, :, ::-1])
    torch.testing.assert_close(backbone.preprocess(mirrored), backbone.preprocess(frames).flip(3), rtol=0, atol=1e-4)


def test_the_whole_width_counts(backbone):
    """A third of a 16:9 frame would be lost by cropping to a square."""
    frame = np.zeros((1, 180, 320, 3), np.uint8)
    frame[:, :, 24:40] = 255  # a bar well left of the central square
    assert backbone.preprocess(frame).max() > 0.9


@pytest.mark.parametrize("size", [(240, 320), (320, 569), (320, 180), (120, 160)])
def test_preprocessing_is_timms_own_squash(backbone, size):
    """timm resizes with PIL and crops after; we crop first: half a pixel's difference at most."""
    config = backbone.config
    transform = timm.data.create_transform(
        input_size=(3, config.input_size, config.input_size),
        mean=config.mean,
        std=config.std,
        crop_pct=config.crop_pct,
        crop_mode="squash",
        interpolation="bicubic",
    )
    frames = smooth_frames(2, *size)
    theirs = torch.stack([transform(Image.fromarray(frame)) for frame in frames])
    difference = (backbone.preprocess(frames) - theirs).abs()
    assert difference.mean() < 0.01  # about a grey level: the range of 2 has 255
    assert difference.max() < 0.06


def test_the_configuration_agrees_with_timms(backbone):
    timms = timm.data.resolve_model_data_config(backbone.network)
    config = backbone.config
    assert timms["input_size"] == (3, config.input_size, config.input_size)
    assert timms["mean"] == tuple(config.mean)
    assert timms["std"] == tuple(config.std)
    assert timms["interpolation"] == "bicubic"
    assert timms["crop_pct"] == pytest.approx(config.crop_pct, abs=0.005)


def test_a_map_is_averaged_over_its_places_and_its_frames_are_resized_bilinearly():
    """Random weights, of a network in VGG-19's manner: the one thing asked is what is computed with them."""
    mean, std = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
    config = BackboneConfig(
        "x", "vgg11", 512, 64, "squash", 1.0, mean, std, 0.0, "", "", interpolation="bilinear", features="map"
    )
    backbone = ImageBackbone(config)
    frames = smooth_frames(2, 90, 120)
    pictures = torch.from_numpy(frames).permute(0, 3, 1, 2).float()
    x = torch.nn.functional.interpolate(pictures, (64, 64), mode="bilinear", antialias=True) / 255
    x = (x - torch.tensor(mean)[:, None, None]) / torch.tensor(std)[:, None, None]
    with torch.no_grad():
        expected = backbone.network.features(x).mean(dim=(2, 3))  # its last layer is the pooling
    assert backbone(frames).shape == (2, 512)
    torch.testing.assert_close(backbone(frames), expected, rtol=1e-4, atol=1e-5)


def test_a_folder_without_weights_is_damaged_unless_it_leaves_them_to_the_hub(folder):
    (folder / "model.safetensors").unlink()
    assert "lacks “model.safetensors”" in sentence_about(folder)
    edit_config(folder, name="someone/some_network")
    with pytest.raises(VideoError, match="“someone/some_network” is not in the repository"):
        load_backbone(folder).extract(smooth_frames(1, 60, 80))


# --- damaged folders ----------------------------------------------------------------------------


def sentence_about(folder) -> str:
    with pytest.raises(CheckpointError) as error:
        load_backbone(folder)
    sentence = str(error.value)
    assert "\n" not in sentence
    assert f"“{folder}”" in sentence
    return sentence


def edit_config(folder, **fields):
    config = json.loads((folder / "config.json").read_text()) | fields
    (folder / "config.json").write_text(json.dumps(config))


def test_an_untouched_copy_loads(folder):
    assert load_backbone(folder).config.feature_size == 1280


def test_a_folder_that_is_not_there(tmp_path):
    assert "lacks “config.json”" in sentence_about(tmp_path / "nowhere")


@pytest.mark.parametrize("name", ["config.json", "model.safetensors", "golden.safetensors"])
def test_a_missing_file(folder, name):
    (folder / name).unlink()
    assert f"lacks “{name}”" in sentence_about(folder)


@pytest.mark.parametrize(
    "fields",
    [
        {"mean": [0.485, 0.456, 0.406], "std": [0.229, 0.224, 0.225]},
        {"mean": [0.0, 0.0, 0.0]},
        {"input_size": 224},
        {"crop_pct": 0.6},
        {"crop_mode": "center"},
        {"input_size": 0},
    ],
    ids=lambda fields: ", ".join(fields),
)
def test_another_preprocessing(folder, fields):
    edit_config(folder, **fields)
    assert "does not reproduce its golden sample" in sentence_about(folder)


@pytest.mark.parametrize("alter", [lambda t: t.neg(), lambda t: t * float("nan")], ids=["a sign", "not a number"])
def test_other_weights_of_the_right_shape(folder, alter):
    weights = load_file(folder / "model.safetensors")
    name = next(name for name, t in weights.items() if name.endswith("conv_pwl.weight"))
    save_file(weights | {name: alter(weights[name])}, folder / "model.safetensors")
    assert "does not reproduce its golden sample" in sentence_about(folder)


def test_a_golden_sample_without_frames(folder, golden):
    save_file({"features": golden["features"]}, folder / "golden.safetensors")
    assert "does not reproduce its golden sample" in sentence_about(folder)


@pytest.mark.parametrize(
    "fields",
    [
        {"architecture": "resnet18"},
        {"architecture": "i3d"},
        {"architecture": "no_such_network"},
        {"colour": "yes"},
        {"mean": [0.5, 0.5]},
        {"crop_mode": "border"},
        {"interpolation": "nearest"},
        {"features": "all"},
    ],
)
def test_a_config_of_another_network(folder, fields):
    edit_config(folder, **fields)
    assert "is damaged" in sentence_about(folder)


def test_a_missing_tensor(folder):
    weights = load_file(folder / "model.safetensors")
    del weights["conv_stem.weight"]
    save_file(weights, folder / "model.safetensors")
    assert "is damaged" in sentence_about(folder)


def test_corrupt_safetensors(folder):
    file = folder / "model.safetensors"
    file.write_bytes(file.read_bytes()[:-1000])
    assert "is damaged" in sentence_about(folder)
