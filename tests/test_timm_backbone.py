"""Image networks of timm's on the Hub: fed as timm says, and what was downloaded first is held to.

The weights are made up; layout and config.json are the Hub's.
"""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import timm
import timm.data
import torch
from huggingface_hub import hf_hub_download
from PIL import Image
from safetensors.torch import load_file, save
from torch.nn import functional as F

from demo.examples import EXAMPLES
from s2vt_model.architectures import build_network
from s2vt_model.backbones import load_backbone
from s2vt_model.checkpoint import WEIGHTS, save_checkpoint
from s2vt_model.config import CheckpointConfig, S2VTConfig
from s2vt_model.corpora import CaptionedVideo
from s2vt_model.corpora.registry import CORPORA
from s2vt_model.errors import CheckpointError, HubError
from s2vt_model.evaluation.features import CorpusFeatures
from s2vt_model.features import open_cache
from s2vt_model.hub import TIMM_FILES, Hub, fetch
from s2vt_model.hub_name import HubName
from s2vt_model.models import Model
from s2vt_model.progress import finish
from s2vt_model.stream import StreamLibrary
from s2vt_model.timm_backbone import load_timm_backbone
from s2vt_model.video import Sampling
from s2vt_model.vocabulary import Vocabulary
from tests.hub_server import serving

EMBEDDED = WEIGHTS / "backbones" / "tf_efficientnet_lite2.in1k"
LITE2, VGG19 = HubName("timm/tf_efficientnet_lite2.in1k"), HubName("timm/vgg19.tv_in1k")
FRAMES = np.random.default_rng(0).integers(0, 256, (2, 6, 6, 3), np.uint8).repeat(40, 1).repeat(50, 2)  # 240 × 300


def card_of(architecture: str) -> dict:
    """The config.json that timm puts on the Hub."""
    pretrained = timm.get_pretrained_cfg(architecture)
    keys = ("input_size", "interpolation", "crop_pct", "crop_mode", "mean", "std", "num_classes", "classifier")
    return {
        "architecture": architecture.partition(".")[0],
        "num_classes": 1000,
        "pretrained_cfg": {key: getattr(pretrained, key) for key in keys} | {"license": "apache-2.0"},
    }


def files_of(card: dict, weights: dict[str, torch.Tensor]) -> dict[str, bytes]:
    return {"config.json": json.dumps(card).encode(), "model.safetensors": save(weights), "README.md": b"#"}


@pytest.fixture(scope="module")
def lite2() -> dict[str, bytes]:
    """The twin of the network that comes with the project: the same weights, with a classifier as on the Hub."""
    weights = load_file(EMBEDDED / "model.safetensors")
    weights |= {"classifier.weight": torch.zeros(1000, 1280).half(), "classifier.bias": torch.zeros(1000).half()}
    return files_of(card_of("tf_efficientnet_lite2.in1k"), weights)


@pytest.fixture(scope="module")
def vgg19() -> dict[str, torch.Tensor]:
    """All of VGG-19's tensors, small, float16."""
    with torch.device("meta"):
        shapes = {name: t.shape for name, t in timm.create_model("vgg19").state_dict().items()}
    generator = torch.Generator().manual_seed(0)
    weights = {}
    for name, shape in shapes.items():
        bound = 0.1 if len(shape) == 1 else (6 / shape[1:].numel()) ** 0.5  # keeps activations of one size
        weights[name] = torch.empty(shape, dtype=torch.half).uniform_(-bound, bound, generator=generator)
    return weights


@pytest.fixture
def server(monkeypatch):
    monkeypatch.setenv("HF_TOKEN", "")
    with serving() as server:
        yield server


@pytest.fixture
def hub(server, tmp_path):
    return Hub(server.url, tmp_path, token=False)


def download(hub, name=LITE2):
    return finish(hub.backbone(name))


# --- feeding ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("architecture", "size", "features"),
    [
        ("vgg19.tv_in1k", 4096, "pre_logits"),
        ("vgg19.tv_in1k", 512, "map"),
        ("vgg16.tv_in1k", 4096, "pre_logits"),
        ("vgg16.tv_in1k", 512, "map"),
        ("tf_efficientnet_lite2.in1k", 1280, "pre_logits"),
        ("resnet18.a1_in1k", 512, "pre_logits"),
    ],
)
def test_the_preprocessing_is_timms(architecture, size, features):
    from s2vt_model.timm_backbone import _as_timm_feeds_it

    card = card_of(architecture)
    config = _as_timm_feeds_it(f"timm/{architecture}", json.loads(json.dumps(card)), size)
    timms = card["pretrained_cfg"]
    assert config.features == features
    assert (3, config.input_size, config.input_size) == timms["input_size"]
    assert (config.mean, config.std) == (timms["mean"], timms["std"])
    assert (config.interpolation, config.crop_pct) == (timms["interpolation"], timms["crop_pct"])
    assert config.crop_mode == timms["crop_mode"]


def test_vgg19_from_the_hub(server, hub, vgg19):
    """Both of its vectors, against timm's transform and plain convolutions."""
    card = card_of("vgg19.tv_in1k")
    server.repository(VGG19.repository, files_of(card, vgg19))
    folder = download(hub, VGG19)
    maps = load_timm_backbone(str(VGG19), folder, 512)
    fed = maps.preprocess(FRAMES)
    transform = timm.data.create_transform(
        **{key: card["pretrained_cfg"][key] for key in ("input_size", "interpolation", "mean", "std", "crop_pct")}
    )
    theirs = torch.stack([transform(Image.fromarray(frame)) for frame in FRAMES])
    assert (fed - theirs).abs().mean() < 0.03  # a step of grey is 0.017; resized before they crop, here after

    with torch.inference_mode():
        x = maps.network.features(fed)  # (N, 512, 7, 7)
        fc6 = F.relu(F.conv2d(x, vgg19["pre_logits.fc1.weight"].float(), vgg19["pre_logits.fc1.bias"].float()))
        fc7 = F.relu(F.conv2d(fc6, vgg19["pre_logits.fc2.weight"].float(), vgg19["pre_logits.fc2.bias"].float()))
    found = maps(FRAMES)
    assert found.shape == (2, 512)
    assert torch.equal(found, x.mean((2, 3)))
    assert not torch.allclose(found[0], found[1])
    del maps
    found = load_timm_backbone(str(VGG19), folder, 4096)(FRAMES)
    assert found.shape == (2, 4096)
    assert (found >= 0).all()
    assert (found > 0).any()
    torch.testing.assert_close(found, fc7.flatten(1), rtol=1e-4, atol=1e-4)


def test_the_twin_fed_as_the_embedded_one_makes_its_features(server, hub, lite2):
    server.repository(LITE2.repository, lite2)
    folder = download(hub)
    embedded = load_backbone(EMBEDDED)
    twin = load_timm_backbone(str(LITE2), folder, 1280, EMBEDDED / "config.json")
    assert torch.equal(twin(FRAMES), embedded(FRAMES))
    as_timm = load_timm_backbone(str(LITE2), folder, 1280)
    assert as_timm.config.crop_mode == "center"
    assert not torch.allclose(as_timm(FRAMES), embedded(FRAMES))


@pytest.mark.parametrize("classifiers", ["classifier", ["classifier", "head.dist"], None])
def test_classifiers_are_left_out_however_many(tmp_path, lite2, classifiers):
    """Of timm's 1,826 pretrained networks 79 have several, 15 have none."""
    card = json.loads(lite2["config.json"])
    card["pretrained_cfg"]["classifier"] = classifiers
    weights = load_file(EMBEDDED / "model.safetensors")
    names = [classifiers] if isinstance(classifiers, str) else classifiers or []
    weights |= {f"{name}.weight": torch.zeros(1000, 1280).half() for name in names}
    for name, content in files_of(card, weights).items():
        (tmp_path / name).write_bytes(content)
    found = load_timm_backbone(str(LITE2), tmp_path, 1280, EMBEDDED / "config.json").network.state_dict()
    assert torch.equal(found["conv_stem.weight"], weights["conv_stem.weight"].float())
    assert found.keys().isdisjoint(f"{name}.weight" for name in names)


def test_a_checkpoint_names_a_backbone_of_the_hub(server, hub, lite2, tmp_path):
    server.repository(LITE2.repository, lite2)
    words = ["a", "dog"]
    config = CheckpointConfig("tiny", "rgb", str(LITE2), S2VTConfig(1280, 5, 4, 16, len(words) + 2), "zero")
    save_checkpoint(tmp_path / "tiny", config, Vocabulary(words), build_network(config.network))
    model = finish(fetch(Model("tiny", "", {"tiny": tmp_path / "tiny"}, {"tiny": 1.0}, None), hub))
    stream = StreamLibrary("cpu", hub).stream(model.checkpoints["tiny"])
    assert stream.backbone.config.name == str(LITE2)
    with pytest.raises(CheckpointError, match=r"lacks “config\.json”"):
        StreamLibrary("cpu", Hub(server.url, tmp_path / "elsewhere")).stream(tmp_path / "tiny")


def test_features_of_a_corpus_are_kept(server, hub, lite2, tmp_path):
    server.repository(LITE2.repository, lite2)
    words = ["a", "dog"]
    config = CheckpointConfig("tiny", "rgb", str(LITE2), S2VTConfig(1280, 5, 4, 16, len(words) + 2), "zero")
    save_checkpoint(tmp_path / "tiny", config, Vocabulary(words), build_network(config.network))
    finish(fetch(Model("tiny", "", {"tiny": tmp_path / "tiny"}, {"tiny": 1.0}, None), hub))
    stream = StreamLibrary("cpu", hub).stream(tmp_path / "tiny")
    dog = CaptionedVideo("dog", "test", ("a dog",), EXAMPLES[0].path, "dog")
    source = CorpusFeatures(CORPORA["msvd"], tmp_path, tmp_path / "cache")
    found = source.of_stream(stream, [dog])["dog"]
    again = StreamLibrary("cpu", hub).stream(tmp_path / "tiny")
    again.backbone.extract = None  # it must not look again
    assert torch.equal(source.of_stream(again, [dog])["dog"], found)


def test_features_of_one_network_that_is_fed_in_two_ways_do_not_mix(server, hub, lite2, tmp_path):
    server.repository(LITE2.repository, lite2)
    folder = download(hub)
    ways = None, EMBEDDED / "config.json"
    caches = [open_cache(tmp_path, load_timm_backbone(str(LITE2), folder, 1280, way)) for way in ways]
    assert open_cache(tmp_path, load_timm_backbone(str(LITE2), folder, 1280)).folder == caches[0].folder
    timms, ours = (cache.features(EXAMPLES[0].path, Sampling()) for cache in caches)
    assert not torch.equal(timms, ours)


# --- downloads ----------------------------------------------------------------------------------


def test_cold_then_warm(server, hub, lite2):
    repository = server.repository(LITE2.repository, lite2)
    folder = download(hub)
    assert folder.name == repository.refs["main"]
    assert server.asked("GET", "README.md") == 0
    server.requests.clear()
    repository.commit(lite2 | {"README.md": b"changed"})
    assert download(hub) == folder  # the first commit is held to, though its name is not pinned
    assert server.requests == []


def test_what_somebody_else_left_in_the_cache_is_used(server, hub, lite2, tmp_path):
    """timm, or a Space that preloads it, writes no record."""
    commit = server.repository(LITE2.repository, lite2).refs["main"]
    for file in TIMM_FILES:
        cache = {"cache_dir": tmp_path / "hub", "endpoint": server.url, "token": False}
        folder = Path(hf_hub_download(LITE2.repository, file, **cache)).parent
    server.requests.clear()
    server.status = 503
    assert hub.held_backbone(LITE2) == folder
    assert download(hub) == download(hub, replace(LITE2, revision=commit)) == folder
    assert server.requests == []
    weights = folder / "model.safetensors"
    weights.resolve().write_bytes(lite2["model.safetensors"][:-1] + b"?")
    with pytest.raises(HubError, match="cannot answer now"):  # from the first time on, its hashes are held to
        download(hub)


@pytest.mark.parametrize("record", ["{", "[]", "{}", '{"commit": "main"}', '{"commit": "main", "files": {}}'])
def test_a_record_that_is_none_is_told(server, hub, lite2, tmp_path, record):
    server.repository(LITE2.repository, lite2)
    download(hub)
    file = tmp_path / "s2vt/timm--tf_efficientnet_lite2.in1k.json"
    file.write_text(record)
    with pytest.raises(HubError, match=r"cannot be read\. Delete it to trust"):
        download(hub)
    file.unlink()
    download(hub)


def test_other_weights_under_the_same_name_are_refused(server, hub, lite2):
    repository = server.repository(LITE2.repository, lite2)
    folder = download(hub)
    for file in folder.iterdir():  # the cache is emptied; the record of what was in it is not
        file.resolve().unlink()
        file.unlink()
    (commit,) = repository.commits
    repository.commits[commit] = lite2 | {"model.safetensors": lite2["model.safetensors"][:-1] + b"?"}
    with pytest.raises(HubError, match="is not the file that was downloaded here first"):
        download(hub)
    repository.commits[commit] = lite2
    assert download(hub) == folder


def test_a_pickle_is_refused(server, hub, lite2):
    server.repository(LITE2.repository, {"config.json": lite2["config.json"], "pytorch_model.bin": b"\x80"})
    with pytest.raises(HubError, match=r"as a pickle, “pytorch_model\.bin”"):
        download(hub)


def test_a_pinned_backbone(server, hub, lite2):
    repository = server.repository(LITE2.repository, lite2)
    first = repository.refs["main"]
    repository.commit(lite2 | {"README.md": b"changed"})
    assert download(hub, replace(LITE2, revision=first)).name == first


# --- what cannot be -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"architecture": "no_such_network"}, "timm has no network “no_such_network”"),
        ({"architecture": "resnet18"}, "makes vectors of 512 or 512, not of 1280"),
        ({"model_args": {"checkpoint_path": "/x"}}, "arguments of its own"),
        ({"architecture": "tf_efficientnet_lite0"}, "Error|tensors"),
    ],
)
def test_a_network_that_cannot_be(tmp_path, lite2, change, sentence):
    card = json.loads(lite2["config.json"]) | change
    (tmp_path / "config.json").write_text(json.dumps(card))
    (tmp_path / "model.safetensors").write_bytes(lite2["model.safetensors"])
    with pytest.raises(CheckpointError, match=sentence):
        load_timm_backbone("timm/x", tmp_path, 1280)
