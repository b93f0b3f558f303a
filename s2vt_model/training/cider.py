"""CIDEr-D (Vedantam et al. 2015) of one sentence at a time: the reward of self-critical training.

Evaluation uses `pycocoevalcap`; this one differs in three ways that a reward needs: document
frequencies come once from all videos of a source, sentences are ids, and the `<EOS>` counts as a word,
so that a sentence broken off earns less.
"""

import math
from collections import Counter
from collections.abc import Sequence

from s2vt_model.vocabulary import EOS

LONGEST = 4  # n-grams of 1 to 4 words
SIGMA = 6.0  # of the penalty on differing lengths, words

Gram = tuple[int, ...]


class Cider:
    """Rewards for sentences about the given videos."""

    def __init__(self, references: Sequence[Sequence[Sequence[int]]]):
        """references: for each video its sentences, ids without EOS."""
        counted = [[_grams(s) for s in said] for said in references]
        frequency = Counter(g for said in counted for g in {g for grams in said for g in grams})
        self.log_videos = math.log(max(len(references), 2))
        self.log_frequency = {g: math.log(n) for g, n in frequency.items()}
        self.vectors = [[self._vector(grams) for grams in said] for said in counted]

    def score(self, video: int, sentence: Sequence[int]) -> float:
        """The sentence's agreement with the video's references, 0..10."""
        vector, norms, length = self._vector(_grams(sentence))
        total = 0.0
        for other, other_norms, other_length in self.vectors[video]:
            dots = [0.0] * LONGEST
            for gram, weight in vector.items():
                if gram in other:  # clipped: repeating a word does not pay
                    dots[len(gram) - 1] += min(weight, other[gram]) * other[gram]
            products = (d / (a * b) for d, a, b in zip(dots, norms, other_norms, strict=True) if a and b)
            total += sum(products) * math.exp(-((length - other_length) ** 2) / (2 * SIGMA**2))
        return 10 * total / LONGEST / len(self.vectors[video])

    def _vector(self, grams: Counter[Gram]) -> tuple[dict[Gram, float], list[float], int]:
        """tf-idf weights, their norm for each n, and the sentence's length."""
        weights = {g: n * (self.log_videos - self.log_frequency.get(g, 0.0)) for g, n in grams.items()}
        norms = [math.sqrt(sum(w * w for g, w in weights.items() if len(g) == n)) for n in range(1, LONGEST + 1)]
        return weights, norms, sum(n for g, n in grams.items() if len(g) == 1)


def _grams(sentence: Sequence[int]) -> Counter[Gram]:
    words = (*sentence, EOS)
    return Counter(words[i : i + n] for n in range(1, LONGEST + 1) for i in range(len(words) - n + 1))
