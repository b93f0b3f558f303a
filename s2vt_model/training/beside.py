"""What VGG-19 sees of a video stands beside what the backbone sees of it, which every clip and still goes through.

MSVD brings VGG-19 features of three times as many videos as there are clips of. So that all have one thing to learn
from, a frame is given to the captioner as both networks see it, and what is not known of it is translated from the
other network (`translation.py`): a clip's frame x enters as [x, A x], VGG-19's y as [B y, y]. One frame embedding,
[W, V], reads both. All of this is linear, so nothing of it is left afterwards: W x + V A x = (W + V A) x. (`joining.py`
ends in such a sum, too, but there V does not learn from clips, nor W from VGG-19 features.)
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from s2vt_model.training.translation import Translation


@dataclass(frozen=True)
class SideBySide:
    """Features of D + 512 numbers, made from those of either network."""

    to_vgg19: Translation
    from_vgg19: Translation

    @classmethod
    def learn(cls, twins: Sequence[tuple[Tensor, Tensor]]) -> "SideBySide":
        """twins: of each clip what the backbone sees of it, (T, D), and VGG-19, (16, 512), both standardised."""
        return cls(Translation.learn(twins), Translation.learn([(theirs, ours) for ours, theirs in twins]))

    def of_backbone(self, features: Tensor) -> Tensor:
        """(T, D) -> (T, D + 512)"""
        return torch.cat([features, self.to_vgg19(features)], dim=1)

    def of_vgg19(self, features: Tensor) -> Tensor:
        """(T, 512) -> (T, D + 512)"""
        return torch.cat([self.from_vgg19(features), features], dim=1)

    def as_one(self, embedding: Tensor) -> Tensor:
        """[W, V], (E, D + 512) -> W + V A, (E, D): what embeds the backbone's features to the same effect."""
        size = len(self.to_vgg19.weight)
        return embedding[:, :size] + embedding[:, size:] @ self.to_vgg19.weight.T
