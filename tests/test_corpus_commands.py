"""`train` and `evaluate` on a corpus small enough for a test: real clips, real features, real METEOR."""

import importlib.util
import json
import shutil

import numpy as np
import pytest
from videos import write_video

from s2vt_model.__main__ import main
from s2vt_model.backbones import load_backbone
from s2vt_model.checkpoint import WEIGHTS
from s2vt_model.corpora.registry import CORPORA
from s2vt_model.errors import CorpusError
from s2vt_model.features import open_cache
from s2vt_model.models import read_catalogue
from s2vt_model.training.corpus import load_training_data
from s2vt_model.training.recipe import Recipe, Share
from s2vt_model.video import Sampling

SENTENCES = {
    "train": {"vid1": ["a man is playing", "a man plays a game"], "vid2": ["a dog is running", "the dog runs"]},
    "val": {"vid3": ["a dog is running"]},
    "test": {"vid4": ["a man is playing", "someone is playing"], "vid5": ["a dog is running"]},
}
RECIPE = """
name = "tiny"
steps = 3
frame_embedding_size = 8
word_embedding_size = 8
hidden_size = 16
min_count_videos = 1
reward_steps = 2
vgg19 = { start = 0, end = 0 }
stills = { start = 0, end = 0 }
"""


@pytest.fixture(scope="module")
def msvd(tmp_path_factory):
    root = tmp_path_factory.mktemp("msvd")
    (root / "captions").mkdir()
    (root / "clips").mkdir()
    for split, videos in SENTENCES.items():
        lines = [f"{name}\t{s}\n" for name, said in videos.items() for s in said]
        (root / f"captions/sents_{split}_lc_nopunc.txt").write_text("".join(lines))
        for name in videos:
            write_video(root / f"clips/{name}.mp4", 30)
    return root


@pytest.fixture(scope="module")
def trained(msvd, tmp_path_factory):
    folder = tmp_path_factory.mktemp("training")
    (folder / "recipe.toml").write_text(RECIPE)
    command = ["train", "--root", str(msvd), "--recipe", str(folder / "recipe.toml"), "--out", str(folder / "run")]
    assert main([*command, "--cache", str(folder / "cache"), "--device", "cpu"]) == 0
    return folder


needs_metrics = pytest.mark.skipif(
    not (shutil.which("java") and importlib.util.find_spec("pycocoevalcap")),
    reason="METEOR needs Java and pycocoevalcap (requirements-dev.txt)",
)


@needs_metrics
def test_evaluate_scores_a_trained_checkpoint_beside_its_baselines(msvd, trained, capsys):
    command = ["evaluate", "--root", str(msvd), "--split", "test", "--checkpoint", str(trained / "run/checkpoint")]
    assert main([*command, "--cache", str(trained / "cache"), "--device", "cpu", "--json"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert report["model"] == "tiny"
    assert report["clips"] == 2
    assert report["captions"].keys() == {"vid4", "vid5"}
    for row in ("scores", "constant", "nearest_neighbour"):
        assert report[row].keys() >= {"METEOR", "BLEU_4", "ROUGE_L", "CIDEr"}
    assert report["constant_sentence"] in sum(SENTENCES["train"].values(), [])
    assert report["scores"] != report["constant"]

    assert main([*command, "--cache", str(trained / "cache"), "--device", "cpu", "--beam", "2"]) == 0
    table = capsys.readouterr().out
    assert f"{report['constant']['METEOR']:.2f}" in table
    assert "nearest neighbours" in table


def test_a_corpus_folder_without_clips_is_an_error_with_a_sentence(msvd, trained, tmp_path, capsys):
    shutil.copytree(msvd / "captions", tmp_path / "captions")
    assert main(["evaluate", "--root", str(tmp_path), "--split", "test", "--device", "cpu"]) == 1
    assert "lacks clips" in capsys.readouterr().err
    recipe = str(trained / "recipe.toml")
    out = str(tmp_path / "run")
    assert main(["train", "--root", str(tmp_path), "--recipe", recipe, "--out", out, "--device", "cpu"]) == 1
    error = capsys.readouterr().err
    assert error == f"There are no training clips. Put those of MSVD at “{tmp_path / 'clips/vidN.mp4'}”.\n"


@needs_metrics
def test_the_table_has_a_row_for_each_model_and_each_way_of_decoding(msvd, trained, tmp_path, capsys, monkeypatch):
    (tmp_path / "models.toml").write_text(f"""
        default = "rgb"
        [streams.rgb]
        checkpoint = "{trained / "run/checkpoint"}"
        about = "a tiny one"
        paper = 29.2
        [streams.twin]
        checkpoint = "{trained / "run/checkpoint"}"
        about = "the same"
        [streams.far]
        repository = "org/far"
        revision = "{"0" * 40}"
        about = "on the Hub"
        [sets."rgb+twin"]
        alpha = {{ rgb = 0.5, twin = 0.5 }}
        decoding = {{ method = "greedy" }}
        about = "both"
    """)
    catalogue = read_catalogue(tmp_path / "models.toml")
    monkeypatch.setattr("s2vt_model.models.read_catalogue", lambda: catalogue)
    cache = ["--cache", str(trained / "cache"), "--device", "cpu"]
    assert main(["evaluate", "--table", "--root", str(msvd), "--split", "test", *cache]) == 0
    printed = capsys.readouterr()
    assert printed.err.startswith("“far” is left out, as some of it is on the Hugging Face Hub.")
    scores, differences = printed.out.split("\n\n")
    names = [line[:28].strip() for line in scores.splitlines()[2:]]
    assert names == ["constant sentence", "nearest neighbours, rgb", "rgb", "rgb", "twin", "twin", "rgb+twin"]
    rows = dict(zip(names, (line[36:].split() for line in scores.splitlines()[2:]), strict=True))
    assert rows["twin"][:5] == rows["rgb"][:5]  # METEOR … distinct
    assert rows["rgb"][-1] == "29.2"
    assert rows["twin"][-1] == "–"
    assert "twin                        beam 5  METEOR  +0.00 ( +0.00 to  +0.00)" in differences


@pytest.fixture
def one_clip(tmp_path):
    """A video in each split, and a clip of the training video, vid1."""
    (tmp_path / "captions").mkdir()
    (tmp_path / "clips").mkdir()
    for split, name in (("train", "vid1"), ("val", "vid2"), ("test", "vid3")):
        (tmp_path / f"captions/sents_{split}_lc_nopunc.txt").write_text(f"{name}\ta man is playing\n")
    write_video(tmp_path / "clips/vid1.mp4", 100)
    return tmp_path


def test_a_stream_of_motion_learns_from_frames_as_far_apart_as_the_model_will_see_them(one_clip, tmp_path):
    none = Share(0, 0)
    recipe = Recipe(stream="motion", sampling=Sampling(1, 48), mirrored=False, vgg19=none, stills=none)
    cache = open_cache(tmp_path / "cache", load_backbone(WEIGHTS / "backbones/i3d-kinetics400-rgb"))
    data = load_training_data(recipe, cache, CORPORA["msvd"], one_clip, None, None)

    dense, seen = data.sources[0].examples[0].views
    assert len(dense) == 12  # 96 frames, of which sub-clips are drawn
    expected = data.standardisation(cache.features(one_clip / "clips/vid1.mp4", recipe.sampling))
    assert len(seen) == 6
    assert seen.equal(expected)


def test_vgg19_features_of_no_training_video_are_refused(one_clip, tmp_path):
    (one_clip / "features").mkdir()
    features = np.ones((1, 16, 512), np.float32)
    np.savez(one_clip / "features/vgg19_16x512.npz", video=np.array(["vid3"]), features=features)
    cache = open_cache(tmp_path / "cache", load_backbone(WEIGHTS / "backbones/tf_efficientnet_lite2.in1k"))
    with pytest.raises(CorpusError, match=r"No training video of .* has VGG-19 features\. Set vgg19 = "):
        load_training_data(Recipe(mirrored=False, stills=Share(0, 0)), cache, CORPORA["msvd"], one_clip, None, None)
