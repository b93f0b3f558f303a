"""What can be reached without a network: any captioner worth its name must beat both."""

from collections import Counter
from collections.abc import Mapping, Sequence
from itertools import pairwise

import torch
from torch import Tensor

NEIGHBOURS = 5


def constant_sentence(sentences: Sequence[str]) -> str:
    """The sentence written most often in training: the best guess about an unseen video."""
    return Counter(sentences).most_common(1)[0][0]


def nearest_neighbour_captions(
    features: Mapping[str, Tensor],
    train_features: Mapping[str, Tensor],
    train_sentences: Mapping[str, Sequence[str]],
) -> dict[str, str]:
    """For each video the most typical sentence of its five nearest training videos.

    Features, (T, D) each, are averaged over time and standardised over the training videos; near
    means a large cosine.
    """
    names = list(train_features)
    train = torch.stack([train_features[name].mean(dim=0) for name in names])
    mean, deviation = train.mean(dim=0), train.std(dim=0) + 1e-6

    def direction(x: Tensor) -> Tensor:
        return torch.nn.functional.normalize((x - mean) / deviation, dim=-1)

    train = direction(train)
    captions = {}
    for video, frames in features.items():
        nearest = (train @ direction(frames.mean(dim=0))).topk(min(NEIGHBOURS, len(names))).indices
        pool = [s for i in nearest.tolist() for s in train_sentences[names[i]]]
        captions[video] = most_typical(pool)
    return captions


def most_typical(sentences: Sequence[str]) -> str:
    """The sentence whose words and word pairs the others use most (consensus; Devlin et al. 2015)."""
    used = Counter(g for s in sentences for g in _grams(s))
    return max(sentences, key=lambda s: sum(used[g] for g in _grams(s)) / (len(_grams(s)) + 3))


def _grams(sentence: str) -> set:
    words = sentence.split()
    return set(words) | set(pairwise(words))
