"""Two ways of embedding a frame become one: that of clips, and that of VGG-19 features.

While a learner imitates, VGG-19 features enter by a frame embedding of their own, V, which has three times as many
videos to learn from as that of clips, W. A frame of a clip could go that way, too, once a ridge regression T, learned
from the clips that have both, has translated it. All of this is linear, so that a frame x can go both ways at no cost:
W x + V T x = (W + V T) x, scaled to deviate as W x did.
"""

from collections.abc import Sequence

import torch
from torch import Tensor

from s2vt_model.training.learner import Learner
from s2vt_model.training.translation import Translation


def join_embeddings(learner: Learner, twins: Sequence[tuple[Tensor, Tensor]]) -> None:
    """Let VGG-19's embedding have a say in the frame embedding, in place.

    twins: of each clip what the backbone sees of it, (T, D), and VGG-19, (16, 512), both standardised.
    """
    translate = Translation.learn(twins)
    frames = torch.cat([ours for ours, _ in twins])
    own = learner.network.frame_embedding.weight.detach()
    joined = own + learner.vgg19_embedding.weight.detach() @ translate.weight.T.to(own.device)
    # The LSTMs learned from embedded frames that deviate so much.
    scale = frames.matmul(own.T.cpu()).std() / frames.matmul(joined.T.cpu()).std()
    own.copy_(joined * scale)
