"""Where training examples come from, and how a batch of them is drawn.

A batch holds videos of one source, each with several sentences: a video is read once and written
about many times. All videos of a batch are brought to one number of frames by drawing frames from a
random window: sub-clips, dropped frames and a jittered frame rate at once. Their order is kept, unless
the network is to learn without it.
"""

import random
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import torch
from torch import Tensor

from s2vt_model.corpora import CaptionedVideo
from s2vt_model.frame_order import FrameOrder
from s2vt_model.vocabulary import EOS, UNK, Vocabulary

IGNORE = -1  # a target that costs nothing
FRAMES = (5, 32)  # fewest and most frames of a batch
SHORTEST_WINDOW = 0.7  # share of a video that a sub-clip has at least


@dataclass(frozen=True)
class Example:
    """One video: its views (plain, mirrored, …) and what is said about it."""

    views: tuple[Tensor, ...]  # (T, D) standardised features each
    sentences: tuple[tuple[int, ...], ...]
    weights: tuple[float, ...]  # how often each sentence is drawn, relative
    said: Tensor  # (V,), sparse: share of the sentences that use each word


@dataclass(frozen=True)
class Batch:
    """B videos of one source with S sentences each."""

    source: str
    features: Tensor  # (B, T, D)
    inputs: Tensor  # (B * S, L) EOS, then words
    targets: Tensor  # (B * S, L) words, then EOS, then IGNORE
    said: Tensor  # (B, V)

    def to(self, device: str) -> "Batch":
        """The same batch on another device."""
        moved = (x.to(device) for x in (self.features, self.inputs, self.targets, self.said))
        return Batch(self.source, *moved)


@dataclass(frozen=True)
class Source:
    """A set of examples whose features come from one backbone."""

    name: str  # "clips", "vgg19" or "stills"
    title: str  # what its examples are, in the plural
    examples: Sequence[Example]
    videos_per_step: int
    sentences_per_video: int
    max_words: int = 14  # of a sentence, its EOS included
    oversampling: float = 1.0  # frames in a view for each frame that the model would see
    pace: tuple[float, float] = (0.6, 1.1)  # fewest and most frames of a batch, relative to what it would see
    frame_order: FrameOrder = "time"

    def draw(self, rng: random.Random) -> Batch:
        """A batch of videos drawn at random."""
        return self.batch(rng.sample(self.examples, min(self.videos_per_step, len(self.examples))), rng)

    def batch(self, examples: Sequence[Example], rng: random.Random) -> Batch:
        """A sub-clip of each of these videos, with some of its sentences."""
        frames = self._frame_count(rng)
        features = torch.stack([_sub_clip(rng.choice(e.views), frames, self.frame_order, rng) for e in examples])
        sentences = [
            s for e in examples for s in rng.choices(e.sentences, weights=e.weights, k=self.sentences_per_video)
        ]
        inputs, targets = teacher_forcing(sentences, self.max_words)
        said = torch.stack([e.said for e in examples]).to_dense()
        return Batch(self.name, features, inputs, targets, said)

    def _frame_count(self, rng: random.Random) -> int:
        """The frames that the model would see of some video of the source, a few more or less."""
        longest = len(rng.choice(self.examples).views[0])
        if longest == 1:  # a still lasts as long as we like
            return rng.randint(6, 16)
        return max(FRAMES[0], min(round(longest / self.oversampling * rng.uniform(*self.pace)), FRAMES[1]))


def make_example(video: CaptionedVideo, views: Sequence[Tensor], vocabulary: Vocabulary, typicality: float) -> Example:
    """Sentences of fewer than three words ("a man") teach nothing and are left out where others exist."""
    encoded = [vocabulary.encode(s) for s in video.sentences]
    long_enough = [s for s in encoded if len(s) >= 3] or encoded
    said = torch.zeros(len(vocabulary))
    for sentence in long_enough:
        said[list(set(sentence))] += 1 / len(long_enough)
    said[UNK] = 0
    weights = torch.tensor(agreement(long_enough)).mul(typicality).exp().tolist()
    return Example(tuple(views), tuple(map(tuple, long_enough)), tuple(weights), said.to_sparse())


def agreement(sentences: Sequence[Sequence[int]]) -> list[float]:
    """For each sentence, how many of its words and word pairs the others use on average, 0..1."""
    grams = [set(s) | set(pairwise(s)) for s in sentences]
    used = Counter(g for gs in grams for g in gs)
    others = max(len(sentences) - 1, 1)
    return [sum((used[g] - 1) / others for g in gs) / len(gs) for gs in grams]


def _sub_clip(view: Tensor, frames: int, frame_order: FrameOrder, rng: random.Random) -> Tensor:
    """(T, D) -> (frames, D): frames drawn from a random window of the video."""
    total = len(view)
    window = max(round(total * rng.uniform(SHORTEST_WINDOW, 1.0)), min(frames, total))
    first = rng.randint(0, total - window)
    span = range(first, first + window)
    picks = rng.sample(span, frames) if frames <= window else rng.choices(span, k=frames)
    return view[sorted(picks) if frame_order == "time" else picks]  # drawn in random order


def teacher_forcing(sentences: Sequence[Sequence[int]], max_words: int) -> tuple[Tensor, Tensor]:
    """Sentences -> what the decoder is given and what it must say, (N, L) both; L is at most `max_words`."""
    length = min(max(map(len, sentences)) + 1, max_words)
    inputs = torch.full((len(sentences), length), EOS)
    targets = torch.full((len(sentences), length), IGNORE)
    for row, sentence in enumerate(sentences):
        words = torch.tensor([*sentence, EOS])[:length]
        targets[row, : len(words)] = words
        inputs[row, 1 : len(words)] = words[:-1]
    return inputs, targets
