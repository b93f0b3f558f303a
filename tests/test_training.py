"""Training: reproducible from its seed, exact after a kill, and exported without loss."""

import json
import random
from dataclasses import replace

import pytest
import torch
from captioners import writing_only

from s2vt_model.checkpoint import load_checkpoint
from s2vt_model.corpora import CaptionedVideo
from s2vt_model.corpora.msvd import VGG19_SIZE
from s2vt_model.errors import S2VTError
from s2vt_model.evaluation.evaluate import write_captions
from s2vt_model.training import phase
from s2vt_model.training import train as training
from s2vt_model.training.corpus import Fold, Standardisation, TrainingData, split_fold
from s2vt_model.training.joining import join_embeddings
from s2vt_model.training.learner import export
from s2vt_model.training.recipe import Recipe, Share, read_recipe
from s2vt_model.training.sources import IGNORE, Source, make_example
from s2vt_model.video import Sampling
from s2vt_model.vocabulary import EOS, UNK, Vocabulary

FEATURE_SIZE = 24
RECIPE = Recipe(
    name="tiny",
    steps=40,
    reward_steps=20,
    frame_embedding_size=16,
    word_embedding_size=16,
    hidden_size=32,
    dropout=0.2,
    average_decay=0.9,
    learning_rate=1e-2,
    clips=Share(0.5, 0.7),
    vgg19=Share(0.0, 0.0),
    stills=Share(0.5, 0.3),
)
SENTENCES = {"dog": ["a dog is running", "the dog runs on grass"], "man": ["a man is singing", "the man sings"]}


@pytest.fixture
def data() -> TrainingData:
    """Two kinds of videos whose features tell them apart, as clips and as stills."""
    vocabulary = Vocabulary(sorted({w for said in SENTENCES.values() for s in said for w in s.split()}))
    noise = torch.Generator().manual_seed(0)

    def source(name: str, frames: int) -> Source:
        examples = []
        for number in range(12):
            kind = ("dog", "man")[number % 2]
            view = torch.randn(frames, FEATURE_SIZE, generator=noise) * 0.1 + (1.0 if kind == "dog" else -1.0)
            video = CaptionedVideo(f"vid{number}", "train", tuple(SENTENCES[kind]), None, str(number))
            examples.append(make_example(video, [view], vocabulary, typicality=1.0))
        return Source(name, name, examples, videos_per_step=4, sentences_per_video=3)

    identity = Standardisation(torch.zeros(FEATURE_SIZE), torch.ones(FEATURE_SIZE))
    return TrainingData(vocabulary, (source("clips", 20), source("stills", 1)), identity, fold=None)


VARIANTS = [
    {},
    {"cell": "gru"},
    {"cell": "rnn"},
    {"architecture": "mean_pool"},
    {"architecture": "mean_pool", "cell": "gru"},
    {"frame_order": "shuffled"},
]


def named(variant: dict) -> str:
    return "-".join(variant.values()) or "s2vt"


def weights(learner) -> torch.Tensor:
    return torch.cat([p.detach().flatten() for p in learner.parameters()])


def test_the_same_seed_gives_the_same_weights_and_another_seed_others(data, tmp_path):
    first = weights(training.train(RECIPE, data, tmp_path / "a"))
    again = weights(training.train(RECIPE, data, tmp_path / "b"))
    other = weights(training.train(replace(RECIPE, seed=2), data, tmp_path / "c"))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


def test_a_killed_run_takes_the_very_steps_it_would_have_taken(data, tmp_path, monkeypatch):
    straight = weights(training.train(RECIPE, data, tmp_path / "straight"))

    class Killed(BaseException):
        pass

    draws = 0
    draw = Source.draw

    def kill_in_the_nth_draw(source, rng):
        nonlocal draws
        draws += 1
        if draws in (25, 25 + 20 + 5):  # step 25 of the imitation; then, from step 20 on, in the second phase
            raise Killed
        return draw(source, rng)

    monkeypatch.setattr(phase, "SAVE_EVERY_STEPS", 10)
    monkeypatch.setattr(phase, "LOG_EVERY_STEPS", 4)  # so that steps 24 and 4 are logged twice
    monkeypatch.setattr(Source, "draw", kill_in_the_nth_draw)
    for _ in range(2):
        with pytest.raises(Killed):
            training.train(RECIPE, data, tmp_path / "killed")
    resumed = weights(training.train(RECIPE, data, tmp_path / "killed"))

    assert torch.equal(resumed, straight)
    logged = [(tmp_path / f"killed/{name}.jsonl").read_text() for name in ("imitation", "self_critical")]
    steps = [[json.loads(line)["step"] for line in log.splitlines()] for log in logged]
    assert steps == [list(range(4, 41, 4)), list(range(4, 21, 4))]


def test_vgg19s_embedding_joins_between_the_phases(data, tmp_path, monkeypatch):
    recipe = replace(RECIPE, reward_steps=0)
    noise = torch.Generator().manual_seed(2)
    clips = data.sources[0].examples
    twins = [(e.views[0], torch.randn(16, VGG19_SIZE, generator=noise)) for e in clips]
    apart = training.train(recipe, data, tmp_path / "apart")
    together = training.train(replace(recipe, vgg19_enters="joined"), replace(data, twins=twins), tmp_path / "joined")
    assert not weights(together).equal(weights(apart))
    join_embeddings(apart, twins)
    assert weights(together).equal(weights(apart))

    run = tmp_path / "rewarded"
    states = []
    monkeypatch.setattr(training, "join_embeddings", lambda *_: states.append([f.name for f in run.glob("*.pt")]))
    training.train(replace(RECIPE, vgg19_enters="joined"), replace(data, twins=twins), run)
    assert states == [["imitation.pt"]]


@pytest.mark.parametrize("architecture", ["s2vt", "mean_pool"])
def test_a_run_ends_with_the_cells_for_evidence(data, tmp_path, architecture):
    recipe = replace(RECIPE, steps=4, reward_steps=0, architecture=architecture)
    plain = training.save_run(training.train(recipe, data, tmp_path / "plain"), recipe, data, tmp_path / "plain")
    recipe = replace(recipe, evidence_cells=1, evidence_weight=3.0)
    told = training.save_run(training.train(recipe, data, tmp_path / "told"), recipe, data, tmp_path / "told")
    plain, told = load_checkpoint(plain), load_checkpoint(told)
    assert told.config.network.hidden_size == plain.config.network.hidden_size + 1
    assert told.config.network.frame_embedding_size == plain.config.network.frame_embedding_size + 1

    def words(checkpoint, frames):
        """Log-probabilities of the first word."""
        state = checkpoint.network.encode(frames[None])
        return checkpoint.network.step(torch.tensor([EOS]), state)[0][0].log_softmax(-1)

    [dog] = data.vocabulary.encode("dog")
    [man] = data.vocabulary.encode("man")
    frames = torch.ones(10, FEATURE_SIZE)  # a dog
    with torch.no_grad():
        gained = words(told, frames) - words(plain, frames)
    assert gained[dog] - gained[man] > 1.0


def test_a_folder_that_holds_another_run_is_refused(data, tmp_path):
    training.train(replace(RECIPE, steps=2, reward_steps=0), data, tmp_path)
    for other in (replace(data, fold=Fold(0, 3)), data):
        recipe = replace(RECIPE, steps=2, reward_steps=0, seed=1 if other.fold else 7)
        with pytest.raises(S2VTError, match="another recipe, fold or corpus"):
            training.train(recipe, other, tmp_path)
    assert training.fold_of(tmp_path) is None


def test_without_java_a_reward_of_meteor_is_refused_before_the_first_step(data, tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", "")
    with pytest.raises(S2VTError, match=r"METEOR needs Java|Scoring needs pycocoevalcap"):
        training.train(replace(RECIPE, reward_meteor=1.0), data, tmp_path / "run")
    assert not (tmp_path / "run").exists()
    training.train(replace(RECIPE, steps=2, reward_steps=0, reward_meteor=1.0), data, tmp_path / "imitation")


@pytest.mark.parametrize("variant", VARIANTS, ids=named)
def test_training_learns_to_tell_videos_apart_and_the_checkpoint_still_can(data, tmp_path, variant):
    recipe = replace(RECIPE, steps=150, **variant)
    learner = training.train(recipe, data, tmp_path / "run")
    checkpoint = load_checkpoint(training.save_run(learner, recipe, data, tmp_path / "run"))
    chosen = {**vars(checkpoint.config.network), "frame_order": checkpoint.config.frame_order}
    assert chosen.items() >= variant.items()
    features = {"dog": {"rgb": torch.ones(7, FEATURE_SIZE)}, "man": {"rgb": -torch.ones(11, FEATURE_SIZE)}}
    captions = write_captions(writing_only(rgb=checkpoint), features)
    assert captions["dog"] in SENTENCES["dog"]
    assert captions["man"] in SENTENCES["man"]


def test_a_checkpoint_says_what_its_frames_show_and_how_they_are_sampled(data, tmp_path):
    recipe = replace(RECIPE, stream="motion", stills=Share(0.0, 0.0), sampling=Sampling(1, 48), steps=1, reward_steps=0)
    clips_only = replace(data, sources=data.sources[:1])
    learner = training.train(recipe, clips_only, tmp_path)
    config = load_checkpoint(training.save_run(learner, recipe, clips_only, tmp_path)).config
    assert (config.stream, config.sampling) == ("motion", Sampling(1, 48))


@pytest.mark.parametrize("variant", VARIANTS, ids=named)
def test_export_takes_raw_features_where_the_learner_took_standardised_ones(data, variant):
    torch.manual_seed(0)
    learner = training.new_learner(replace(RECIPE, **variant), data).eval()
    mean, deviation = torch.randn(FEATURE_SIZE), torch.rand(FEATURE_SIZE) + 0.5
    raw = torch.randn(3, 6, FEATURE_SIZE)
    words = torch.tensor([[EOS, 3, 4]] * 3)
    network = export(learner, mean, deviation)
    with torch.no_grad():
        expected = learner.network((raw - mean) / deviation, words)
        found = network(raw, words)
    torch.testing.assert_close(found, expected, atol=1e-5, rtol=1e-4)


def test_no_frame_is_exported_as_the_mean_feature(data):
    mean = torch.randn(FEATURE_SIZE)
    assert torch.equal(export(training.new_learner(RECIPE, data), mean, torch.ones(FEATURE_SIZE)).no_frame, mean)


@pytest.mark.parametrize("cell", ["lstm", "gru", "rnn"])
def test_recurrent_matrices_start_orthogonal_and_the_forget_gates_of_lstms_open(data, cell):
    learner = training.new_learner(replace(RECIPE, cell=cell, forget_bias=1.5), data)
    hidden = RECIPE.hidden_size
    for layer in (learner.network.lstm1, learner.network.lstm2):
        for gate in layer.weight_hh_l0.detach().split(hidden):
            torch.testing.assert_close(gate @ gate.T, torch.eye(hidden), atol=1e-5, rtol=0)
        opened = (layer.bias_ih_l0 + layer.bias_hh_l0).nonzero()[:, 0].tolist()
        assert opened == (list(range(hidden, 2 * hidden)) if cell == "lstm" else [])


def test_a_batch_has_one_number_of_frames_and_whole_sentences(data):
    batch = data.sources[0].draw(random.Random(3))
    videos, frames, size = batch.features.shape
    assert (videos, size) == (4, FEATURE_SIZE)
    assert 5 <= frames <= 22  # the view has 20; some batches are a little slower than that
    assert batch.inputs.shape == batch.targets.shape == (12, batch.inputs.shape[1])
    for inputs, targets in zip(batch.inputs.tolist(), batch.targets.tolist(), strict=True):
        words = targets[: targets.index(EOS)]
        assert inputs[: len(words) + 1] == [EOS, *words]
        assert set(targets[len(words) + 1 :]) <= {IGNORE}
        assert data.vocabulary.decode(words) in [s for said in SENTENCES.values() for s in said]


def test_long_sentences_are_cut_and_their_end_is_not_learned(data):
    batch = replace(data.sources[0], max_words=4).draw(random.Random(3))
    words = data.vocabulary.encode("a dog is running")
    assert batch.targets.shape[1] == 4
    assert words in batch.targets.tolist()
    assert [EOS, *words[:3]] in batch.inputs.tolist()


def sub_clips(frame_order: str) -> list[torch.Tensor]:
    """The numbers of the frames of fifty sub-clips."""
    video = CaptionedVideo("vid1", "train", ("a dog is running",), None, "x")
    example = make_example(video, [torch.arange(40.0)[:, None]], Vocabulary(["a", "dog"]), 0.0)
    source, rng = Source("clips", "clips", [example], 1, 1, frame_order=frame_order), random.Random(0)
    return [source.draw(rng).features[0, :, 0] for _ in range(50)]


def test_a_sub_clip_keeps_the_order_of_its_frames():
    assert all((picks.diff() >= 0).all() for picks in sub_clips("time"))


def test_a_shuffled_sub_clip_has_the_same_frames_in_an_order_of_its_own():
    pairs = list(zip(sub_clips("shuffled"), sub_clips("time"), strict=True))
    assert all(torch.equal(shuffled.sort().values, in_time) for shuffled, in_time in pairs)
    ranks = {tuple(shuffled.argsort().tolist()) for shuffled, _ in pairs}
    assert len(ranks) == len(pairs)
    assert tuple(range(len(pairs[0][1]))) not in ranks


def test_batches_are_about_as_long_as_what_the_model_would_see(data):
    """16 frames where the model would see 6."""
    source = replace(data.sources[0], oversampling=16 / 6, pace=(0.8, 1.2))
    examples = [replace(e, views=tuple(view[:16] for view in e.views)) for e in source.examples]
    rng = random.Random(0)
    lengths = [replace(source, examples=examples).draw(rng).features.shape[1] for _ in range(60)]
    assert set(lengths) == {5, 6, 7}


def test_sentences_that_agree_with_the_others_weigh_more_and_unknown_words_are_not_promised():
    said = ("a dog is running", "a dog is running fast", "my favourite animal here")
    vocabulary = Vocabulary(["a", "dog", "is", "running", "fast"])
    example = make_example(CaptionedVideo("v", "train", said, None, "x"), [], vocabulary, typicality=3.0)
    assert example.weights[0] > example.weights[1] > example.weights[2]
    assert example.said[UNK] == 0
    assert example.said[vocabulary.encode("dog")[0]] == pytest.approx(2 / 3)


def test_folds_share_no_video_and_hold_runs_of_numbers():
    videos = [CaptionedVideo(f"vid{n}", "train", ("x",), None, str(n)) for n in range(1, 31)]
    videos.append(CaptionedVideo("vid31", "test", ("x",), None, "31"))
    parts = [split_fold(videos, Fold(i, 3)) for i in range(3)]
    held_out = [[v.name for v in out] for _, out in parts]
    assert held_out[0] == [f"vid{n}" for n in range(1, 11)]
    assert sorted(sum(held_out, [])) == sorted(v.name for v in videos if v.split == "train")
    for kept, out in parts:
        assert len(kept) == 20
        assert not {v.name for v in kept} & {v.name for v in out}


@pytest.mark.parametrize(
    ("model", "oversampling", "training"),
    [
        (Sampling(10, 32), 2, Sampling(5, 64)),
        (Sampling(10, 32), 1, Sampling(10, 32)),
        (Sampling(1, 48), 2, Sampling(1, 96)),  # there are no frames between a video's frames
    ],
)
def test_training_views_hold_more_frames_than_the_model_sees(model, oversampling, training):
    recipe = replace(RECIPE, sampling=model, oversampling=oversampling)
    assert recipe.training_sampling == training


@pytest.mark.parametrize("text", ["3/3", "a/3", "1", "-1/3", "²/3"])
def test_a_fold_that_makes_no_sense_is_refused(text):
    with pytest.raises(S2VTError, match="I/N"):
        Fold.parse(text)


def test_a_recipe_is_read_from_toml_and_a_wrong_key_is_named(tmp_path):
    file = tmp_path / "recipe.toml"
    file.write_text("steps = 7\nclips = { start = 0.2, end = 0.6 }\nsampling = { every = 1, max_frames = 48 }\n")
    assert read_recipe(file) == Recipe(steps=7, clips=Share(0.2, 0.6), sampling=Sampling(1, 48))
    wrong = ('steps = "7"', "steps = 0", "oversampling = 0", "pace = [1]", 'stream = "sound"', "clips = 0.3")
    for text in wrong:
        file.write_text(text)
        with pytest.raises(S2VTError, match=r"[Rr]ecipe"):
            read_recipe(file)
    for name, sentence in (
        ("cell", "The cell is lstm, gru or rnn, not “x”"),
        ("architecture", "The architecture is s2vt or mean_pool, not “x”"),
        ("frame_order", "The frame order is time or shuffled, not “x”"),
        ("schedule", "The schedule is one-cycle or constant, not “x”"),
    ):
        file.write_text(f'{name} = "x"')
        with pytest.raises(S2VTError, match=sentence):
            read_recipe(file)
    file.write_bytes(b"\xff\x00")
    with pytest.raises(S2VTError, match="cannot be used"):
        read_recipe(file)
    file.write_text("clips = { start = 0, end = 0 }\n")
    with pytest.raises(S2VTError, match="that of clips is above 0"):
        read_recipe(file)
    file.write_text('stream = "motion"\nstills = { start = 0.4, end = 0 }\n')
    with pytest.raises(S2VTError, match="Stills show no motion"):
        read_recipe(file)
    file.write_text("sampling = { every = 0, max_frames = 8 }\n")
    with pytest.raises(S2VTError, match="cannot be used: Sampling takes every 1st frame or fewer"):
        read_recipe(file)
    file.write_text("stepps = 7\n")
    with pytest.raises(S2VTError, match="stepps"):
        read_recipe(file)
