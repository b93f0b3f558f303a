"""Cells that hold what a regression expects to be said: they add just that, and disturb nothing."""

from dataclasses import replace

import pytest
import torch

from s2vt_model.architectures import build_network
from s2vt_model.config import S2VTConfig
from s2vt_model.errors import S2VTError
from s2vt_model.training.evidence import KEPT, Evidence, hold_evidence
from s2vt_model.training.recipe import Recipe
from s2vt_model.training.sources import Example, Source

FEATURES, WORDS, RANK = 12, 20, 3
CONFIG = S2VTConfig(
    feature_size=FEATURES, frame_embedding_size=7, word_embedding_size=6, hidden_size=8, vocabulary_size=WORDS
)


@pytest.fixture(params=["s2vt", "mean_pool"])
def network(request):
    torch.manual_seed(3)
    return build_network(replace(CONFIG, architecture=request.param)).eval()


@pytest.fixture
def evidence():
    g = torch.Generator().manual_seed(4)
    reading = 0.02 * torch.randn(RANK, FEATURES, generator=g)
    return Evidence(reading, torch.zeros(RANK), torch.randn(WORDS, RANK, generator=g), frames=9.0)


def logits(network, features, words):
    """(L, V) of every word, going step by step."""
    state, written = network.encode(features), []
    for word in words:
        scores, state = network.step(torch.tensor([word]), state)
        written.append(scores[0])
    return torch.stack(written)


def test_without_weight_nothing_changes(network, evidence):
    grown = hold_evidence(network, evidence, weight=0.0)
    features = torch.randn(1, 9, FEATURES, generator=torch.Generator().manual_seed(5))
    with torch.no_grad():
        before, after = logits(network, features, [1, 5, 6, 7]), logits(grown, features, [1, 5, 6, 7])
    assert grown.config.hidden_size == network.config.hidden_size + RANK
    torch.testing.assert_close(after, before, atol=1e-5, rtol=0)


def test_every_word_is_written_with_the_same_evidence(network, evidence):
    grown = hold_evidence(network, evidence, weight=0.6)
    frame = torch.randn(FEATURES, generator=torch.Generator().manual_seed(6))
    features = frame.expand(1, 9, -1)  # as many as usual: the average is then whole
    with torch.no_grad():
        added = logits(grown, features, [1, 5, 6, 7]) - logits(network, features, [1, 5, 6, 7])
    expected = 0.6 * evidence.saying @ (evidence.reading @ frame)
    assert expected.abs().max() > 0.05
    torch.testing.assert_close(added, expected.expand_as(added), atol=0.01 * expected.abs().max().item(), rtol=0.02)


def test_fewer_frames_are_less_evidence(evidence):
    grown = hold_evidence(build_network(CONFIG).eval(), evidence, weight=1.0)
    features = torch.randn(1, 1, FEATURES, generator=torch.Generator().manual_seed(7))
    with torch.no_grad():
        few, many = (grown.encode(features.expand(1, t, -1)).layer2[1][0, -RANK:] for t in (3, 30))
    torch.testing.assert_close(few / many, torch.full((RANK,), (1 - KEPT**3) / (1 - KEPT**30)), atol=1e-4, rtol=0)


SHOWN = torch.randn(5, FEATURES, generator=torch.Generator().manual_seed(8))
ALWAYS, NEVER = 3, 15  # a word that is said of all videos, and the first of those that are said of none


def source(name: str, see, count: int = 60, oversampling: float = 2) -> Source:
    """Videos that show one thing of five, and are said to. see: the thing -> features of six frames."""

    def example(thing: int) -> Example:
        said = torch.zeros(WORDS)
        said[[ALWAYS, 10 + thing]] = 1.0
        return Example((see(thing),), ((ALWAYS, 10 + thing),), (1.0,), said.to_sparse())

    return Source(name, name, [example(n % 5) for n in range(count)], 4, 1, oversampling=oversampling)


@pytest.fixture
def film():
    """The thing -> six frames that show it, as the backbone sees them."""
    rng = torch.Generator().manual_seed(9)
    return lambda thing: SHOWN[thing] + 0.3 * torch.randn(6, FEATURES, generator=rng)


def expected_of(evidence, frames):
    """(V,) how much more than usual each word is."""
    return evidence.saying @ (evidence.reading @ frames.mean(dim=0) + evidence.offset)


def test_it_expects_what_was_said_of_the_like(film):
    evidence = Evidence.learn([source("clips", film)], (), rank=4, prior=0.1)
    assert evidence.frames == 3
    for thing in range(5):
        expected = expected_of(evidence, film(thing))
        assert expected.argmax() == 10 + thing
        assert expected[ALWAYS].abs() < 0.01  # no more than usual
        assert (expected[NEVER:] == 0).all()  # too rare


def test_what_another_network_saw_is_translated_or_left_out(film):
    """Of two things there are no clips, but features of VGG-19, which are here the backbone's own, mixed."""
    mix = torch.randn(FEATURES, 9, generator=torch.Generator().manual_seed(10)) / FEATURES**0.5
    clips = source("clips", lambda thing: film(thing % 3))
    clips = replace(clips, examples=[e for n, e in enumerate(clips.examples) if n % 5 < 3])
    vgg19 = source("vgg19", lambda thing: film(thing) @ mix)
    frames = [SHOWN[n % 5] + torch.randn(6, FEATURES, generator=torch.Generator().manual_seed(n)) for n in range(90)]
    twins = [(x, x @ mix) for x in frames]

    told = Evidence.learn([clips, vgg19], twins, rank=4, prior=0.1)
    for thing in range(5):
        assert expected_of(told, film(thing)).argmax() == 10 + thing
    without = Evidence.learn([clips, vgg19], (), rank=2, prior=0.1)
    assert without.saying.equal(Evidence.learn([clips], (), rank=2, prior=0.1).saying)
    assert (without.saying[13:] == 0).all()


def test_stills_say_little_against_videos(film):
    """Stills whose sentences name the next thing do not mislead."""
    stills = source("stills", lambda thing: film((thing + 1) % 5)[:1], oversampling=1)
    evidence = Evidence.learn([source("clips", film), stills], (), rank=4, prior=0.1)
    for thing in range(5):
        assert expected_of(evidence, film(thing)).argmax() == 10 + thing


def test_more_cells_than_the_videos_can_fill_are_refused(film):
    with pytest.raises(S2VTError, match=r"5 evidence_cells are more than .* at most 4 "):
        Evidence.learn([source("clips", film)], (), rank=5, prior=0.1)


def test_only_lstms_hold_it():
    with pytest.raises(S2VTError, match="evidence_cells = 0"):
        Recipe(cell="gru", evidence_cells=8)
    with pytest.raises(S2VTError, match="whole number"):
        Recipe(evidence_cells=-1)
    with pytest.raises(S2VTError, match="above 0"):
        Recipe(evidence_prior=0)
