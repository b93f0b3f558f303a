"""Which frame made which word: the maps keep what their definitions promise, and find a frame that was planted."""

from pathlib import Path

import pytest
import torch
from films import noise_film, tiny
from planted import DECIDED, planted_network
from torch import Tensor

from s2vt_model.architectures import Network
from s2vt_model.checkpoint import WEIGHTS, load_checkpoint
from s2vt_model.corpora.msvd import read_msvd
from s2vt_model.decoding import DecodingOptions, decode
from s2vt_model.errors import S2VTError
from s2vt_model.features import open_cache
from s2vt_model.progress import finish
from s2vt_model.trace.attribution import METHODS, AttributionOptions, Map
from s2vt_model.trace.gradients import integrate, slopes
from s2vt_model.trace.question import Question, ask_about
from s2vt_model.trace.words import written
from s2vt_model.vocabulary import EOS

MSVD = Path(__file__).parents[2] / "shared/msvd"
CACHE = Path(__file__).parents[1] / ".cache/features"
CLIPS = 20
OCCLUSIONS = "occlusion_replaced", "occlusion_deleted"
NETWORKS = pytest.mark.parametrize(
    "kind", [{"cell": c, "architecture": a} for a in ("s2vt", "mean_pool") for c in ("lstm", "gru", "rnn")], ids=str
)


def ask(network: Network, features: Tensor, words, order: Tensor | None = None) -> Question:
    return ask_about(0, [network], [features], [torch.arange(len(features)) if order is None else order], [1.0], words)


def toy_question(double: bool = False, frames: int = 6, **network) -> Question:
    built = tiny(no_frame="mean", **network).network
    features = noise_film(frames, seed=3).features["rgb"]
    return ask(built.double() if double else built, features.double() if double else features, [2, 3, 5, EOS])


def fused_question() -> Question:
    parts = [tiny("rgb").network, tiny("motion").network]
    features = list(noise_film(6).features.values())
    orders = [torch.arange(len(x)) for x in features]
    return ask_about(1, parts, features, orders, [0.6, 0.4], [2, 3, EOS])


def answer(name: str, question: Question, window: int = 1) -> Map:
    return finish(METHODS[name][1](question, AttributionOptions(window)))


def allowed(question: Question) -> Tensor:
    """(L,) how far the sums of integrated gradients may be off: 2 % of the larger log p, and 0.01 nat."""
    empty = question.no_frame.expand_as(question.frames)
    return 0.02 * question.ask(torch.stack([question.frames, empty])).abs().amax(dim=0) + 0.01


# --- gradients ----------------------------------------------------------------------------------


@NETWORKS
def test_the_gradient_is_that_of_finite_differences(kind):
    question = toy_question(double=True, **kind)
    every = torch.ones(1, len(question.words), dtype=torch.bool)
    found = finish(slopes(question, question.frames[None], every)).gradients
    h = 1e-5
    numbers = question.frames.numel()
    nudges = h * torch.eye(numbers, dtype=torch.float64).view(numbers, *question.frames.shape)
    there, back = question.ask(question.frames + nudges), question.ask(question.frames - nudges)
    expected = ((there - back) / (2 * h)).T.view_as(found)
    assert expected.abs().max() > 1e-3
    torch.testing.assert_close(found, expected, rtol=1e-6, atol=1e-9)


@pytest.mark.parametrize("question", [toy_question, fused_question], ids=["alone", "fused"])
def test_many_words_of_many_films_are_asked_at_once_with_the_answers_of_each_alone(question):
    """By torch's own layers, one word of one film after the other; also where some are not asked about."""
    question = question()
    noise = torch.randn(37, *question.frames.shape, generator=torch.Generator().manual_seed(5))
    films = question.frames + noise
    asked = torch.rand(37, len(question.words), generator=torch.Generator().manual_seed(6)) < 0.5
    direction = noise[0]
    log_probs, gradients = finish(slopes(question, films, asked))
    along = finish(slopes(question, films, asked, direction)).gradients
    torch.testing.assert_close(log_probs, question.ask(films))
    torch.testing.assert_close(along, (gradients * direction).sum(dim=2))
    for at, (film, word) in enumerate(asked.nonzero().tolist()):
        leaf = films[film : film + 1].clone().requires_grad_()
        (expected,) = torch.autograd.grad(question.log_probs(leaf)[0, word], leaf)
        torch.testing.assert_close(gradients[at], expected[0], rtol=1e-4, atol=1e-6)


def test_progress_is_told_between_batches_so_that_stop_works():
    question = toy_question()
    films = question.frames.expand(40, -1, -1)
    work = slopes(question, films, torch.ones(40, len(question.words), dtype=torch.bool))
    shares = [next(work).fraction for _ in range(3)]
    assert shares == sorted(shares)
    work.close()


# --- integrated gradients -----------------------------------------------------------------------


@NETWORKS
def test_integrated_gradients_are_the_integral(kind, monkeypatch):
    """Frame by frame, against the midpoint rule with 20,000 points, where next to nothing is allowed to be off."""
    monkeypatch.setattr("s2vt_model.trace.gradients.INCOMPLETE_SHARE", 0.0)
    monkeypatch.setattr("s2vt_model.trace.gradients.INCOMPLETE_NATS", 1e-4)
    question = toy_question(double=True, **kind)
    difference = question.frames - question.no_frame
    count = 20_000
    expected = 0
    for t in ((torch.arange(count) + 0.5).double() / count).split(2000):
        films = (question.no_frame + t[:, None, None] * difference).requires_grad_()
        log_probs = question.log_probs(films).sum(dim=0)
        gradients = torch.stack([torch.autograd.grad(p, films, retain_graph=True)[0].sum(dim=0) for p in log_probs])
        expected = expected + (gradients * difference).sum(dim=2) / count
    found, error = finish(integrate(question))
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-3)
    assert (error.abs() <= 1e-4).all()


def test_integrated_gradients_are_complete_on_made_up_films():
    """With the weights that come with the project."""
    network = load_checkpoint(WEIGHTS / "s2vt-msvd-rgb").network
    noise = torch.randn(3, 12, network.config.feature_size, generator=torch.Generator().manual_seed(7))
    films = (network.no_frame + 0.3 * noise.cumsum(dim=1)).clamp_min(0)
    assert worst_share(network, films) <= 1


def test_integrated_gradients_are_complete_on_real_clips(captioner):
    """20 validation clips of MSVD, with the weights that come with the project."""
    features = real_features(captioner)
    assert len(features) == CLIPS
    assert worst_share(captioner.streams["rgb"].checkpoint.network, features) <= 1


def real_features(captioner) -> list[Tensor]:
    if not MSVD.is_dir():
        pytest.skip("MSVD is not in ../shared/msvd")
    clips = [v.path for v in read_msvd(MSVD) if v.split == "val" and v.path][:CLIPS]
    stream = captioner.streams["rgb"]
    kept = open_cache(CACHE, stream.backbone)
    return kept.features_of_all(clips, stream.checkpoint.config.sampling)


def worst_share(network: Network, films) -> float:
    """How far the sums are off, as a share of what is allowed: the worst word of all films."""
    shares, nats = [], []
    for features in films:
        (best,) = decode(network, network.encode(features[None]), 1, DecodingOptions("greedy"))[0]
        question = ask(network, features, written(best))
        found = answer("integrated_gradients", question)
        empty = question.no_frame.expand_as(question.frames)
        with_frames, without = question.ask(torch.stack([question.frames, empty]))
        off = found.values.sum(dim=1) - (with_frames - without)
        torch.testing.assert_close(found.completeness_error, off, rtol=0, atol=1e-4)
        shares.append((off.abs() / allowed(question)).max().item())
        nats.append(off.abs().max().item())
    print(f"\n{len(films)} films: at most {max(nats):.4f} nat off, and {max(shares):.0%} of what is allowed")
    return max(shares)


# --- occlusion ----------------------------------------------------------------------------------


@pytest.mark.parametrize("name", OCCLUSIONS)
@NETWORKS
def test_all_frames_covered_at_once_is_the_score_without_a_film(name, kind):
    """Every frame's value is then the whole: log p with the film, less log p with “no frame” in its place."""
    question = toy_question(**kind)
    found = answer(name, question, window=len(question.frames))
    # Nothing of a film whose frames are cut out is left but one “no frame”.
    places = len(question.frames) if name == "occlusion_replaced" else 1
    (with_frames,) = question.ask(question.frames[None])
    (without,) = question.ask(question.no_frame.expand(1, places, -1))
    expected = (with_frames - without)[:, None].expand_as(found.values)
    torch.testing.assert_close(found.values, expected, rtol=0, atol=1e-6)


def test_all_frames_covered_is_the_zero_input_score_with_the_weights_of_the_project():
    network = load_checkpoint(WEIGHTS / "s2vt-msvd-rgb").network
    features = (network.no_frame + 0.3 * torch.randn(9, len(network.no_frame))).clamp_min(0)
    question = ask(network, features, [5, 9, 12, EOS])
    found = answer("occlusion_replaced", question, window=9)
    (with_frames,) = question.ask(question.frames[None])
    nothing = ask(network, network.no_frame.expand(9, -1), [5, 9, 12, EOS])  # a film of what the writer is fed
    (without,) = nothing.ask(nothing.frames[None])
    expected = (with_frames - without)[:, None].expand(-1, 9)
    torch.testing.assert_close(found.values, expected, rtol=0, atol=1e-5)


@pytest.mark.parametrize("window", [1, 2, 3])
def test_a_frames_value_is_the_mean_over_the_windows_that_cover_it(window):
    question = toy_question(frames=5)
    replaced, deleted = (answer(n, question, window) for n in OCCLUSIONS)
    (found,) = question.ask(question.frames[None])
    for got, cover in ((replaced, blanked), (deleted, cut_out)):
        lost = [found - question.ask(cover(question, a, window)[None])[0] for a in range(5 - window + 1)]
        for frame in range(5):
            over = [lost[a] for a in range(len(lost)) if a <= frame < a + window]
            torch.testing.assert_close(got.values[:, frame], torch.stack(over).mean(dim=0), rtol=1e-4, atol=1e-5)
        assert got.window == window


def blanked(question: Question, first: int, window: int) -> Tensor:
    film = question.frames.clone()
    film[first : first + window] = question.no_frame
    return film


def cut_out(question: Question, first: int, window: int) -> Tensor:
    return torch.cat([question.frames[:first], question.frames[first + window :]])


def test_a_window_of_no_frame_is_refused():
    with pytest.raises(S2VTError, match="1 or more"):
        AttributionOptions(window=0)


def test_a_frame_alone_is_all_that_was_read():
    question = toy_question()
    found = answer("single_frame", question).values
    for frame in range(len(question.frames)):
        (expected,) = question.ask(question.frames[None, frame : frame + 1])
        torch.testing.assert_close(found[:, frame], expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("name", METHODS)
def test_maps_are_in_the_order_of_time_whatever_was_read_first(name):
    network = tiny(no_frame="mean").network
    features = noise_film(6, seed=3).features["rgb"]
    order = torch.tensor([4, 0, 5, 2, 1, 3])
    found = answer(name, ask(network, features, [2, 3, EOS], order)).values
    as_read = answer(name, ask(network, features[order], [2, 3, EOS])).values
    torch.testing.assert_close(found[:, order], as_read, rtol=1e-4, atol=1e-5)


# --- a planted frame ----------------------------------------------------------------------------


@pytest.fixture(scope="session")
def planted():
    return planted_network()


@pytest.mark.parametrize("name", METHODS)
def test_the_frame_that_decides_a_word_is_ranked_first(planted, name):
    learned, randomised = (rank_first(name, planted.cases, n) for n in (planted.network, planted.randomised))
    print(f"\n{name}: first in {learned:.1%} of {len(planted.cases)} cases, with shuffled weights in {randomised:.1%}")
    assert learned >= 0.95
    assert randomised < 0.5


def rank_first(name: str, cases, network: Network) -> float:
    """The share of cases in which a map puts the planted frame first for the word that it decides."""
    hits = [answer(name, ask(network, c.features, c.words)).values[DECIDED].argmax() == c.frame for c in cases]
    return sum(map(bool, hits)) / len(hits)
