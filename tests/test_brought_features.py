"""Models of features that a corpus brings: learned from and scored without a clip, and blind to videos here."""

import importlib.util
import json
import shutil

import numpy as np
import pytest
import torch

from s2vt_model.__main__ import main
from s2vt_model.backbones import AbsentBackbone, load_backbone
from s2vt_model.captioner import Captioner
from s2vt_model.checkpoint import WEIGHTS, load_checkpoint
from s2vt_model.corpora.msvd import VGG19
from s2vt_model.hub import Hub
from s2vt_model.video import Sampling

CHECKPOINT = WEIGHTS / "s2vt-msvd-vgg19-rgb"
FILE = "features/vgg19_16x512.npz"
SAID = {"dog": ("a dog is running", "the dog runs on grass"), "man": ("a man is singing", "the man sings")}
SPLITS = {"train": range(12), "val": range(12, 14), "test": range(14, 19)}
WITHOUT_FEATURES = {3, 17, 18}
RECIPE = """
name = "tiny"
steps = 300
reward_steps = 20
backbone = "timm/vgg19.tv_in1k"
sampling = { every = 1, max_frames = 16, whole_steps = true }
oversampling = 1
frame_embedding_size = 16
word_embedding_size = 16
hidden_size = 32
dropout = 0.2
average_decay = 0.9
learning_rate = 1e-2
min_count_videos = 1
videos_per_step = 4
sentences_per_video = 3
vgg19 = { start = 0, end = 0 }
stills = { start = 0, end = 0 }
decoding = { method = "greedy" }
"""

needs_metrics = pytest.mark.skipif(
    not (shutil.which("java") and importlib.util.find_spec("pycocoevalcap")),
    reason="METEOR needs Java and pycocoevalcap (requirements-dev.txt)",
)


def kind(number: int) -> str:
    return ("dog", "man")[number % 2]


@pytest.fixture(scope="module")
def msvd(tmp_path_factory):
    """Sentences and features that tell dogs from men; no clip, and some videos without features."""
    root = tmp_path_factory.mktemp("msvd")
    for folder in ("captions", "features"):
        (root / folder).mkdir()
    for split, numbers in SPLITS.items():
        lines = [f"vid{n}\t{s}\n" for n in numbers for s in SAID[kind(n)]]
        (root / f"captions/sents_{split}_lc_nopunc.txt").write_text("".join(lines))
    names = [n for numbers in SPLITS.values() for n in numbers if n not in WITHOUT_FEATURES]
    noise = np.random.default_rng(0).normal(0, 0.1, (len(names), 16, 512))
    features = noise + np.array([1.0 if kind(n) == "dog" else -1.0 for n in names])[:, None, None]
    features[:, 15] = 0  # a frame that wasn't there
    np.savez(root / FILE, video=np.array([f"vid{n}" for n in names]), features=features.astype(np.float16))
    return root


@pytest.fixture
def other_msvd(msvd, tmp_path):
    """A copy, to be damaged."""
    return shutil.copytree(msvd, tmp_path / "msvd")


def train(root, folder, recipe=RECIPE, corpus="msvd") -> int:
    (folder / "recipe.toml").write_text(recipe)
    command = ["train", "--corpus", corpus, "--root", str(root), "--recipe", str(folder / "recipe.toml")]
    return main([*command, "--out", str(folder / "run"), "--cache", str(folder / "cache"), "--device", "cpu"])


def error_of(capsys) -> str:
    error = capsys.readouterr().err
    assert error.endswith(".\n")
    assert error.count("\n") == 1
    return error


@pytest.fixture(scope="module", params=["", 'architecture = "mean_pool"', 'frame_order = "shuffled"'])
def trained(request, msvd, tmp_path_factory):
    """The folder of a run; S2VT and the two that it is compared with."""
    folder = tmp_path_factory.mktemp("training")
    assert train(msvd, folder, RECIPE + request.param) == 0
    return folder / "run"


# --- learning and scoring ------------------------------------------------------------------------


def test_a_checkpoint_says_what_its_features_are(trained):
    config = load_checkpoint(trained / "checkpoint").config
    assert config.backbone == VGG19
    assert config.network.feature_size == 512
    assert config.sampling == Sampling(every=1, max_frames=16, whole_steps=True)
    assert config.trained_on == "11 MSVD videos by features of timm/vgg19.tv_in1k"


def test_it_writes_about_features(trained):
    captioner = Captioner.of_checkpoint(trained / "checkpoint", "cpu")
    assert captioner.write({"rgb": torch.ones(15, 512)}).best.text in SAID["dog"]
    assert captioner.write({"rgb": -torch.ones(11, 512)}).best.text in SAID["man"]


@needs_metrics
def test_it_is_scored_on_all_videos_with_features_and_their_number_is_said(msvd, trained, tmp_path, capsys):
    command = ["evaluate", "--root", str(msvd), "--split", "test", "--checkpoint", str(trained / "checkpoint")]
    assert main([*command, "--cache", str(tmp_path), "--device", "cpu"]) == 0
    table = capsys.readouterr().out
    assert table.startswith("tiny on 3 of 5 test videos of msvd\n")
    assert main([*command, "--cache", str(tmp_path), "--device", "cpu", "--json"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert report["clips"] == 3
    assert report["captions"].keys() == {"vid14", "vid15", "vid16"}
    assert all(caption in SAID[kind(int(name[3:]))] for name, caption in report["captions"].items())
    assert report["nearest_neighbour"]["METEOR"] > report["constant"]["METEOR"]
    assert not list(tmp_path.iterdir())  # no features were made


@needs_metrics
def test_scoring_asks_the_hub_for_nothing(msvd, trained, tmp_path, monkeypatch):
    asked = []
    monkeypatch.setattr(Hub, "backbone", lambda hub, name: asked.append(str(name)) or iter(()))
    command = ["evaluate", "--root", str(msvd), "--split", "test", "--checkpoint", str(trained / "checkpoint")]
    assert main([*command, "--cache", str(tmp_path), "--device", "cpu"]) == 0
    assert asked == []
    assert main(["caption", "demo/examples/dog.mp4", "--checkpoint", str(trained / "checkpoint")]) == 1
    assert asked == [VGG19]  # who looks at a video needs it


def test_a_fold_is_kept_out(msvd, tmp_path, capsys):
    (tmp_path / "recipe.toml").write_text(RECIPE.replace("steps = 300", "steps = 2"))
    command = ["train", "--root", str(msvd), "--recipe", str(tmp_path / "recipe.toml"), "--out", str(tmp_path / "run")]
    assert main([*command, "--fold", "0/2", "--device", "cpu"]) == 0
    assert load_checkpoint(tmp_path / "run/checkpoint").config.trained_on.startswith("6 MSVD videos")


# --- files that are missing, damaged or of something else ----------------------------------------


def test_a_missing_file(other_msvd, tmp_path, trained, capsys):
    (other_msvd / FILE).unlink()
    assert train(other_msvd, tmp_path) == 1
    assert f"There is no “{other_msvd / FILE}”. Put" in error_of(capsys)


@pytest.mark.parametrize("damage", ["cut", "noise", "other sizes", "a name too few", "no names"])
def test_a_damaged_file(other_msvd, tmp_path, capsys, damage):
    file = other_msvd / FILE
    names, features = np.array(["vid0", "vid1"]), np.ones((2, 16, 512), np.float16)
    if damage == "cut":
        file.write_bytes(file.read_bytes()[:-500])
    elif damage == "noise":
        file.write_bytes(b"noise" * 100)
    elif damage == "other sizes":
        np.savez(file, video=names, features=features[:, :, :400])
    elif damage == "a name too few":
        np.savez(file, video=names[:1], features=features)
    else:
        np.savez(file, features=features)
    assert train(other_msvd, tmp_path) == 1
    assert f"“{file}” does not hold VGG-19 features" in error_of(capsys)


def test_features_of_other_videos(other_msvd, tmp_path, capsys):
    np.savez(other_msvd / FILE, video=np.array(["vid15"]), features=np.ones((1, 16, 512), np.float16))
    assert train(other_msvd, tmp_path) == 1
    assert "those of no training video" in error_of(capsys)


@pytest.mark.parametrize("share", ["vgg19", "stills"])
def test_a_recipe_that_wants_other_sources_beside_them(msvd, tmp_path, capsys, share):
    recipe = RECIPE.replace(f"{share} = {{ start = 0, end = 0 }}", f"{share} = {{ start = 0.4, end = 0 }}")
    assert train(msvd, tmp_path, recipe) == 1
    assert f"{share} = {{ start = 0, end = 0 }}" in error_of(capsys)


def test_a_corpus_that_brings_no_features_would_need_the_backbone(msvd, tmp_path, capsys):
    assert train(msvd, tmp_path, corpus="mpii-md") == 1
    assert "“timm/vgg19.tv_in1k” is not in the repository" in error_of(capsys)


# --- videos --------------------------------------------------------------------------------------


def test_a_video_cannot_be_looked_at_here(trained, capsys, monkeypatch):
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")  # where nobody listens
    assert main(["caption", "demo/examples/dog.mp4", "--checkpoint", str(trained / "checkpoint")]) == 1
    hub, _, here = capsys.readouterr().err.partition("\n")
    assert hub.startswith("The Hub at ")
    assert here == (
        "“dog.mp4” cannot be captioned: the backbone “timm/vgg19.tv_in1k” is not in the repository; its weights must "
        "come from the Hugging Face Hub. Without them the model writes only about features that were made elsewhere.\n"
    )


def test_the_backbone_is_known_by_its_config():
    backbone = load_backbone(WEIGHTS / "backbones" / VGG19)
    assert isinstance(backbone, AbsentBackbone)
    config = backbone.config
    assert config.name == VGG19
    assert (config.architecture, config.features, config.feature_size) == ("vgg19", "map", 512)
    assert (config.crop_mode, config.crop_pct, config.input_size) == ("squash", 1.0, 224)


# --- the checkpoint that comes with the project --------------------------------------------------


def test_the_checkpoint_reproduces_its_golden_sample_and_names_its_backbone():
    config = load_checkpoint(CHECKPOINT).config
    assert config.backbone == VGG19
    assert config.sampling == Sampling(every=1, max_frames=16, whole_steps=True)
    assert config.trained_on == "940 MSVD videos by features of timm/vgg19.tv_in1k"


def test_what_it_writes_depends_on_the_features():
    captioner = Captioner.of_checkpoint(CHECKPOINT, "cpu")
    mean = captioner.streams["rgb"].checkpoint.network.no_frame
    others = torch.randn(4, 16, 512, generator=torch.Generator().manual_seed(1)).abs()
    assert len({captioner.write({"rgb": mean + x}).best.text for x in others}) > 1
