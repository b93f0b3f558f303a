"""The authors' files, as the tests write them, become checkpoints and backbones that compute what Caffe computes."""

from pathlib import Path

import numpy as np
import pytest
import timm
import torch
from safetensors.torch import load_file

from s2vt_model.backbones import Backbone
from s2vt_model.caffe import (
    LAYERS,
    VGG16_BACKBONE,
    convert_s2vt,
    image_weights,
    read_vocabulary,
    vgg16_config,
)
from s2vt_model.caffemodel import read_caffemodel
from s2vt_model.checkpoint import Checkpoint, load_checkpoint
from s2vt_model.config import AUTHORS, S2VTConfig
from s2vt_model.vocabulary import EOS
from tests import caffe_equations
from tests.caffe_equations import CaffeS2VT
from tests.caffemodels import s2vt_layers, vgg16_layers, write_caffemodel

SIZES = {"features": 24, "embedding": 10, "word": 7, "hidden": 16, "vocabulary": 42}
WORDS = [f"word{k}" for k in range(40)]
TOLERANCE = 1e-5  # of a probability


@pytest.fixture(scope="module")
def layers() -> dict[str, list[np.ndarray]]:
    return s2vt_layers(np.random.default_rng(0), **SIZES, spread=0.6)


@pytest.fixture
def model_file(tmp_path, layers) -> Path:
    return write_caffemodel(tmp_path / "s2vt_vgg_rgb.caffemodel", layers)


def vocabulary_file(folder: Path, words: list[str] = WORDS) -> Path:
    file = folder / "vocabulary of the authors.txt"
    file.write_text("".join(f"{word}\n" for word in words), encoding="utf-8")
    return file


def caffe_features(rng: np.random.Generator, frames: int, size: int) -> np.ndarray:
    """(frames, size) float32, not negative, as fc7 is after its ReLU."""
    return np.maximum(rng.standard_normal((frames, size)), 0).astype(np.float32)


def our_probabilities(checkpoint: Checkpoint, features: np.ndarray, words: list[int]) -> np.ndarray:
    """(len(words), V): after reading `features`, of each next word, `words` being written."""
    with torch.inference_mode():
        state = checkpoint.encode([torch.from_numpy(features)])
        rows = []
        for word in [EOS, *words[:-1]]:
            logits, state = checkpoint.network.step(torch.tensor([word]), state)
            rows.append(logits[0].double().softmax(dim=0).numpy())
    return np.stack(rows)


# --- S2VT: the same probabilities ---------------------------------------------------------------


def test_probabilities_are_those_of_caffes_equations(tmp_path, layers, model_file):
    convert_s2vt(model_file, vocabulary_file(tmp_path), tmp_path / "authors")
    checkpoint = load_checkpoint(tmp_path / "authors")
    for seed, frames in enumerate((1, 2, 9, 30)):
        features = caffe_features(np.random.default_rng(seed), frames, SIZES["features"])
        words = np.random.default_rng(seed).integers(SIZES["vocabulary"], size=20).tolist()
        expected = CaffeS2VT(layers).probabilities(features, words)
        found = our_probabilities(checkpoint, features, words)
        assert expected.max() > 0.2
        assert np.abs(found - expected).max() < TOLERANCE


@pytest.mark.parametrize(
    "spoil",
    [
        lambda layers: {"lstm2": [np.roll(b, SIZES["hidden"], axis=0) for b in layers["lstm2"]]},
        lambda layers: {"lstm2": [np.roll(layers["lstm2"][0], 1, axis=1), *layers["lstm2"][1:]]},
        lambda layers: {"embedding": [np.roll(layers["embedding"][0], 1, axis=0)]},
        lambda layers: {"embed_encoder": [layers["embed_encoder"][0], 0 * layers["embed_encoder"][1]]},
    ],
    ids=["gates in another order", "stage flag first", "ids one off", "no frame is zero"],
)
def test_the_comparison_would_see_a_wrong_conversion(tmp_path, layers, spoil):
    file = write_caffemodel(tmp_path / "spoilt.caffemodel", layers | spoil(layers))
    convert_s2vt(file, vocabulary_file(tmp_path), tmp_path / "spoilt")
    features = caffe_features(np.random.default_rng(0), 9, SIZES["features"])
    words = np.random.default_rng(0).integers(SIZES["vocabulary"], size=20).tolist()
    expected = CaffeS2VT(layers).probabilities(features, words)
    found = our_probabilities(load_checkpoint(tmp_path / "spoilt"), features, words)
    assert np.abs(found - expected).max() > 100 * TOLERANCE


def test_the_checkpoint_is_what_the_authors_describe(tmp_path, layers, model_file):
    convert_s2vt(model_file, vocabulary_file(tmp_path), tmp_path / "authors")
    checkpoint = load_checkpoint(tmp_path / "authors")
    config = checkpoint.config
    assert config.network == S2VTConfig(24, 10, 7, 16, 42)
    assert (config.name, config.stream, config.backbone, config.no_frame) == ("authors", "rgb", VGG16_BACKBONE, "zero")
    assert (config.sampling.every, config.decoding.method, config.decoding.max_words) == (10, "greedy", 50)
    assert checkpoint.vocabulary.words == ("<EOS>", "<UNK>", *WORDS)
    stored = load_file(tmp_path / "authors/model.safetensors")
    assert {t.dtype for t in stored.values()} == {torch.float32}
    assert stored["word_embedding.weight"].numpy().tobytes() == layers["embedding"][0].tobytes()
    assert "SHA-256" in (tmp_path / "authors/README.md").read_text(encoding="utf-8")


def test_words_that_are_not_kept_leave_their_probability_to_the_others(tmp_path, layers, model_file):
    kept = ["word31", "word4", "unheard-of", "word7"]
    convert_s2vt(model_file, vocabulary_file(tmp_path), tmp_path / "few", kept)
    checkpoint = load_checkpoint(tmp_path / "few")
    assert checkpoint.vocabulary.words == ("<EOS>", "<UNK>", "word4", "word7", "word31")
    rows = [0, 1, 6, 9, 33]
    features = caffe_features(np.random.default_rng(0), 5, SIZES["features"])
    words = [3, 2, 4, 0, 4, 2, 2, 3]
    expected = CaffeS2VT(layers).probabilities(features, [rows[word] for word in words])[:, rows]
    expected /= expected.sum(axis=1, keepdims=True)
    assert np.abs(our_probabilities(checkpoint, features, words) - expected).max() < TOLERANCE


def test_full_size(tmp_path):
    """The authors' 87,358,668 parameters, from a file as large as theirs."""
    rng = np.random.default_rng(0)
    layers = s2vt_layers(rng, 4096, 500, 500, 1000, 46_168, spread=0.08)
    assert sum(b.size for blobs in layers.values() for b in blobs) == 87_358_668
    file = write_caffemodel(tmp_path / "full.caffemodel", layers)
    convert_s2vt(file, vocabulary_file(tmp_path, [f"w{k}" for k in range(46_166)]), tmp_path / "full")
    file.unlink()
    checkpoint = load_checkpoint(tmp_path / "full")
    (tmp_path / "full/model.safetensors").unlink()
    assert checkpoint.config.network == AUTHORS
    features = caffe_features(rng, 10, 4096)
    words = rng.integers(AUTHORS.vocabulary_size, size=20).tolist()
    expected = CaffeS2VT(layers, np.float32).probabilities(features, words)
    found = our_probabilities(checkpoint, features, words)
    assert expected.max() > 0.2
    assert np.abs(found - expected).max() < TOLERANCE


# --- S2VT: vocabularies -------------------------------------------------------------------------


def test_a_vocabulary_as_the_authors_wrote_it(tmp_path):
    """UNK may be listed, a count may follow, an old encoding is kept apart, and only bytes end lines and words."""
    file = tmp_path / "vocabulary.txt"
    file.write_bytes(b"a 90402\r\n<en_unk>\nman\n\ncaf\xc3\xa9\ncaf\xe9\n\xc3\xa0\n")
    assert read_vocabulary(file).words == ("<EOS>", "<UNK>", "a", "man", "café", "caf\\xe9", "à")


# --- VGG-16 -------------------------------------------------------------------------------------


def frames(height: int, width: int, seed: int = 0) -> np.ndarray:
    """(1, height, width, 3) of noise, which any slip of the preprocessing would change."""
    return np.random.default_rng(seed).integers(0, 256, (1, height, width, 3), np.uint8)


@pytest.mark.parametrize("size", [(240, 320), (360, 640), (232, 312), (300, 225), (100, 90)])
def test_frames_are_fed_to_vgg16_as_the_authors_fed_them(size):
    backbone = Backbone(vgg16_config("vgg16", ""), torch.nn.Identity())
    found = backbone.preprocess(frames(*size))[0].numpy()
    expected = caffe_equations.preprocess(frames(*size)[0], 224, 224, (104, 117, 123))
    assert found.shape == expected.shape
    assert np.abs(found - expected).max() < 0.01  # of 255: noise that float32 coordinates move


@pytest.mark.parametrize("v1", [True, False], ids=["layers", "layer"])
def test_fc7_is_that_of_caffes_equations(tmp_path, v1):
    """The true convolutions, in the old format as the Oxford file is; fc6 of 16 numbers."""
    layers = vgg16_layers(np.random.default_rng(0), fc6=16)
    file = write_caffemodel(tmp_path / "VGG_ILSVRC_16_layers.caffemodel", layers, v1)
    network = timm.create_model("vgg16", num_classes=0, mlp_ratio=16 / 4096).eval()
    network.load_state_dict(image_weights(read_caffemodel(file), LAYERS["vgg16"], network))
    x = caffe_equations.preprocess(frames(240, 320)[0], 224, 224, (104, 117, 123)).astype(np.float32)
    expected = caffe_equations.vgg16_fc7(x, layers)
    with torch.inference_mode():
        found = network(torch.from_numpy(x)[None])[0].numpy()
    assert (expected > 0).any()
    assert (found >= 0).all()
    np.testing.assert_allclose(found, expected, rtol=1e-3, atol=1e-4 * expected.max())
