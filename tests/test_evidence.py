"""Cells that hold what a regression expects to be said: they add just that, and disturb nothing."""

from dataclasses import replace

import pytest
import torch

from s2vt_model.architectures import build_network
from s2vt_model.config import S2VTConfig
from s2vt_model.errors import S2VTError
from s2vt_model.training.evidence import KEPT, RARE, Evidence, hold_evidence
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


def test_it_expects_what_was_said_of_the_like():
    """Videos that show one thing, and are said to: unseen ones are expected to be said the same of."""
    rng = torch.Generator().manual_seed(8)
    shown = torch.randn(5, FEATURES, generator=rng)

    def example(thing: int) -> Example:
        said = torch.zeros(WORDS)
        said[[3, 10 + thing]] = 1.0
        views = (shown[thing] + 0.3 * torch.randn(6, FEATURES, generator=rng),)
        return Example(views, ((3, 10 + thing),), (1.0,), said.to_sparse())

    source = Source("clips", "clips", [example(i % 5) for i in range(60)], 4, 1, oversampling=2)
    evidence = Evidence.learn([source], (), rank=4, prior=0.1)
    assert evidence.frames == 3
    for thing in range(5):
        frames = shown[thing] + 0.3 * torch.randn(6, FEATURES, generator=rng)
        expected = evidence.saying @ (evidence.reading @ frames.mean(dim=0) + evidence.offset)
        assert expected.argmax() == 10 + thing
        assert expected[3].abs() < 0.01  # said of all, so no more than usual
        assert (expected[15:] == 0).all()  # said of less than RARE
    assert RARE > 0


def test_only_lstms_hold_it():
    with pytest.raises(S2VTError, match="evidence_cells = 0"):
        Recipe(cell="gru", evidence_cells=8)
    with pytest.raises(S2VTError, match="whole number"):
        Recipe(evidence_cells=-1)
