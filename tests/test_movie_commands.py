"""The movie recipe from end to end, on made-up corpora in the authors' formats: real clips, real features."""

import importlib.util
import json
import re
import shutil
from pathlib import Path

import pytest
import torch
from movie_corpora import write_mpii_md, write_mvad
from videos import write_video

from s2vt_model.__main__ import main
from s2vt_model.checkpoint import load_checkpoint
from s2vt_model.corpora import CaptionedVideo

RECIPE = Path(__file__).parents[1] / "recipes/s2vt-movies-rgb.toml"
STEPS = 3
WRITERS = {"mpii-md": write_mpii_md, "mvad": write_mvad}
TITLES = {"mpii-md": "MPII-MD", "mvad": "M-VAD"}
MISSING = "3001_UP_00.00.07.000-00.00.08.500"  # its clip
VIDEOS = [
    CaptionedVideo(name, split, tuple(sentences), None, name.rpartition("_")[0])
    for name, split, *sentences in [
        ("3001_UP_00.00.01.000-00.00.03.000", "train", "someone walks in", "he shuts the door"),
        ("3001_UP_00.00.05.000-00.00.06.500", "train", "someone runs"),
        (MISSING, "train", "the house flies away"),
        ("3002_BIG_FISH_00.10.00.000-00.10.02.000", "val", "someone swims"),
        ("3003_JUNO_01.00.00.000-01.00.02.000", "test", "someone sits down"),
        ("3003_JUNO_01.00.05.000-01.00.07.000", "test", "she gets up"),
    ]
]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Both corpora and the recipe, as it is but for the number of steps."""
    folder = tmp_path_factory.mktemp("movies")
    for corpus, write in WRITERS.items():
        root = folder / corpus
        root.mkdir()
        write(root, VIDEOS)
        for video in VIDEOS:
            if video.name != MISSING:
                (root / video.origin).mkdir(exist_ok=True)
                write_video(root / video.origin / f"{video.name}.avi", 30)
    (folder / "recipe.toml").write_text(re.sub("(?m)^steps = .*", f"steps = {STEPS}", RECIPE.read_text()))
    return folder


def train(folder, corpus, root, run, *options):
    command = ["train", "--corpus", corpus, "--root", str(root), "--recipe", str(folder / "recipe.toml"), *options]
    return main([*command, "--out", str(run), "--cache", str(folder / "cache"), "--device", "cpu"])


@pytest.fixture(scope="module", params=WRITERS)
def trained(request, folder):
    """The corpus's name, and the run's folder."""
    run = folder / f"run-{request.param}"
    assert train(folder, request.param, folder / request.param, run) == 0
    return request.param, run


def test_the_checkpoint_knows_every_word_of_the_training_sentences_and_its_sampling(trained):
    corpus, run = trained
    checkpoint = load_checkpoint(run / "checkpoint")
    assert checkpoint.config.trained_on == f"2 {TITLES[corpus]} clips"
    said = {w for v in VIDEOS if v.split == "train" for s in v.sentences for w in s.split()}
    assert set(checkpoint.vocabulary.words[2:]) == said
    assert checkpoint.config.sampling.every == 5
    assert checkpoint.config.decoding.method == "greedy"
    assert checkpoint.config.network.hidden_size == 1000


def test_adam_keeps_its_rate_and_the_last_weights_are_the_checkpoints(trained):
    _, run = trained
    state = torch.load(run / "imitation.pt", weights_only=True)
    [group] = state["optimiser"]["param_groups"]
    assert (state["step"], group["lr"], group["betas"], group["weight_decay"]) == (STEPS, 1e-4, (0.9, 0.999), 0)
    assert all(torch.equal(w, state["averaged"][f"module.{name}"]) for name, w in state["learner"].items())
    assert not (run / "self_critical.pt").exists()


def test_only_plain_views_are_computed(trained, folder):
    assert {view.name for view in folder.glob("cache/*/*")} == {"every5-max32"}


def test_a_run_on_one_corpus_does_not_go_on_with_another(trained, folder, capsys):
    corpus, run = trained
    [other] = WRITERS.keys() - {corpus}
    assert train(folder, other, folder / other, run) == 1
    assert "another recipe, fold or corpus" in capsys.readouterr().err


@pytest.mark.skipif(
    not (shutil.which("java") and importlib.util.find_spec("pycocoevalcap")),
    reason="METEOR needs Java and pycocoevalcap (requirements-dev.txt)",
)
def test_evaluate_scores_the_checkpoint_on_its_corpus(trained, folder, capsys):
    corpus, run = trained
    command = ["evaluate", "--corpus", corpus, "--root", str(folder / corpus), "--split", "test", "--device", "cpu"]
    command += ["--checkpoint", str(run / "checkpoint"), "--cache", str(folder / "cache"), "--json"]
    assert main(command) == 0
    report = json.loads(capsys.readouterr().out)
    assert (report["model"], report["corpus"], report["clips"]) == ("s2vt-movies-rgb", corpus, 2)
    assert report["captions"].keys() == {v.name for v in VIDEOS if v.split == "test"}
    assert report["constant_sentence"] in [*VIDEOS[0].sentences, *VIDEOS[1].sentences]
    assert report["scores"].keys() == report["nearest_neighbour"].keys() >= {"METEOR", "BLEU_4", "CIDEr"}


@pytest.mark.parametrize("corpus", WRITERS)
def test_where_clips_belong_is_said_when_there_are_none(corpus, folder, tmp_path, capsys):
    WRITERS[corpus](tmp_path, VIDEOS)
    assert train(folder, corpus, tmp_path, tmp_path / "run") == 1
    place = f"Put those of {TITLES[corpus]} at “{tmp_path / 'MOVIE/CLIP.avi'}”."
    assert capsys.readouterr().err == f"There are no training clips. {place}\n"


def test_folds_are_msvds_alone(folder, tmp_path, capsys):
    assert train(folder, "mvad", folder / "mvad", tmp_path, "--fold", "0/3") == 1
    assert "Folds need MSVD's names" in capsys.readouterr().err
