"""A tiny S2VT that learned from films in which one marked frame alone decides a word, so that the truth is known.

Every frame shows one of `THINGS`, and one frame is marked: “a THING” is said of that one. All the others show other
things, which change nothing. Of a film without a marked frame “a blank” is said.

A gradient says what a small change would do, which need not be what was done. That the two have the same answer here
takes a network that is sure of nothing (label smoothing) and deaf to small marks (noise on them, weight decay).
"""

from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional as F

from s2vt_model.architectures import Network, build_network
from s2vt_model.config import S2VTConfig
from s2vt_model.trace.sanity import shuffled_weights
from s2vt_model.vocabulary import EOS, SPECIALS

THINGS, FRAMES = 4, 8
A, BLANK = len(SPECIALS), len(SPECIALS) + 1
FIRST_THING = BLANK + 1
DECIDED = 1  # the place in “a THING <EOS>” of the word that the frame decides
MARK = 2.0  # of the marked frame; its negative of the others
NOISE, MARK_NOISE = 0.2, 0.8
BLANKS = 0.2  # the share of films without a marked frame
STEPS, BATCH, LEARNING_RATE, WEIGHT_DECAY, SMOOTHING = 1200, 64, 0.01, 0.6, 0.3
CASES = 100


class Films(NamedTuple):
    features: Tensor  # (N, FRAMES, THINGS + 1): the thing that is shown, and the mark
    words: Tensor  # (N, 3)
    marked: Tensor  # (N,) which frame


class Case(NamedTuple):
    features: Tensor  # (FRAMES, THINGS + 1)
    words: list[int]
    frame: int  # which decides the word


class Planted(NamedTuple):
    network: Network
    randomised: Network
    cases: list[Case]  # that the network gets right


def films(count: int, generator: torch.Generator, blanks: float = 0.0) -> Films:
    said = torch.randint(THINGS, (count,), generator=generator)
    marked = torch.randint(FRAMES, (count,), generator=generator)
    others = torch.randint(1, THINGS, (count, FRAMES), generator=generator)
    shown = (said[:, None] + others) % THINGS
    shown[torch.arange(count), marked] = said
    mark = MARK * (2 * F.one_hot(marked, FRAMES).float() - 1)
    is_blank = torch.rand(count, generator=generator) < blanks
    mark[is_blank] = -MARK
    things = F.one_hot(shown, THINGS).float()
    things += NOISE * torch.randn(things.shape, generator=generator)
    mark += MARK_NOISE * torch.randn(mark.shape, generator=generator)
    word = torch.where(is_blank, BLANK, said + FIRST_THING)
    sentences = torch.stack([torch.full_like(word, A), word, torch.full_like(word, EOS)], dim=1)
    return Films(torch.cat([things, mark[:, :, None]], dim=2), sentences, marked)


def planted_network(seed: int = 0) -> Planted:
    """Trained here, in seconds. Raises `AssertionError` unless it has learned what it was to learn."""
    torch.manual_seed(seed)
    generator = torch.Generator().manual_seed(seed)
    network = build_network(S2VTConfig(THINGS + 1, 16, 8, 16, FIRST_THING + THINGS))
    network.no_frame.copy_(films(500, generator, BLANKS).features.mean(dim=(0, 1)))
    optimiser = torch.optim.AdamW(network.parameters(), LEARNING_RATE, weight_decay=WEIGHT_DECAY)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, STEPS)
    for _ in range(STEPS):
        features, words, _ = films(BATCH, generator, BLANKS)
        logits = network(features, heard(words)).flatten(0, 1)
        loss = F.cross_entropy(logits, words.flatten(), label_smoothing=SMOOTHING)
        optimiser.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(network.parameters(), 1.0)
        optimiser.step()
        schedule.step()
    network.eval().requires_grad_(False)
    features, words, marked = films(CASES, generator)
    right = network(features, heard(words))[:, DECIDED].argmax(dim=1) == words[:, DECIDED]
    assert right.float().mean() > 0.95
    cases = [Case(features[n], words[n].tolist(), int(marked[n])) for n in right.nonzero()[:, 0].tolist()]
    return Planted(network, shuffled_weights(network, seed), cases)


def heard(words: Tensor) -> Tensor:
    """What a writer of these words is fed: each time the one before."""
    return F.pad(words[:, :-1], (1, 0), value=EOS)
