"""A video seen by two networks: the backbone, which every clip and still goes through, and VGG-19.

MSVD brings VGG-19 features of three times as many videos as there are clips of. So that all have one thing to learn
from, a frame is given to the captioner as [what the backbone sees, what VGG-19 sees], and what is not known of it is
translated from the other (`translation.py`): a frame x of a clip enters as [x, T x], VGG-19's y as [T' y, y]. One frame
embedding [W, V] reads both. All of this is linear, so nothing of it is left afterwards: W x + V T x = (W + V T) x.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from s2vt_model.training.translation import Translation


@dataclass(frozen=True)
class TwoViews:
    """Makes features of D + 512 numbers from either network's, and one embedding of the backbone's from theirs."""

    to_vgg19: Translation
    from_vgg19: Translation

    @classmethod
    def learn(cls, twins: Sequence[tuple[Tensor, Tensor]]) -> "TwoViews":
        """twins: of each clip what the backbone sees of it, (T, D), and VGG-19, (16, 512), both standardised."""
        return cls(Translation.learn(twins), Translation.learn([(theirs, ours) for ours, theirs in twins]))

    def of_backbone(self, features: Tensor) -> Tensor:
        """(T, D) -> (T, D + 512)"""
        return torch.cat([features, self.to_vgg19(features)], dim=1)

    def of_vgg19(self, features: Tensor) -> Tensor:
        """(T, 512) -> (T, D + 512)"""
        return torch.cat([self.from_vgg19(features), features], dim=1)

    def as_one(self, embedding: Tensor) -> Tensor:
        """(E, D + 512), the weight that embeds both -> (E, D), which embeds the backbone's view to the same effect."""
        size = len(self.to_vgg19.weight)
        return embedding[:, :size] + embedding[:, size:] @ self.to_vgg19.weight.T.to(embedding.device)
