"""From one network's features to another's: what the backbone would have seen of a video that is known otherwise.

MSVD brings VGG-19 features of three times as many videos as there are clips of. A ridge regression, learned from
the frames of the videos that have both, turns them into features of the backbone, and the captioner learns from all.
`joining.py` learns the opposite direction.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from s2vt_model.training.ridge import ridge_regression

PRIOR = 1.0  # of the ridge, relative to the number of frames learned from


@dataclass(frozen=True)
class Translation:
    """A linear map between standardised features."""

    weight: Tensor  # (D_from, D_to)

    @classmethod
    def learn(cls, pairs: Sequence[tuple[Tensor, Tensor]]) -> "Translation":
        """pairs: of each video (T_from, D_from) and (T_to, D_to), both evenly spread over it, standardised.

        A regression shrinks what it is unsure of, which is most of a frame; the map's outputs are scaled to deviate
        as the backbone's own features do.
        """
        seen = torch.cat([ours for ours, _ in pairs])
        wanted = torch.cat([theirs[_at_the_same_times(len(ours), len(theirs))] for ours, theirs in pairs])
        x, y = seen.double(), wanted.double()
        weight = ridge_regression(x, y, PRIOR)
        weight *= y.std() / (x @ weight).std()
        return cls(weight.float())

    def __call__(self, features: Tensor) -> Tensor:
        """(T, D_from) -> (T, D_to)"""
        return features @ self.weight


def _at_the_same_times(steps: int, others: int) -> Tensor:
    """For each of `steps` moments of a video, the one of `others` in which it falls."""
    return torch.arange(steps) * others // steps
