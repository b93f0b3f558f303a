"""What every attribution asks: how likely is each word of a written sentence, were one stream's frames others?

The sentence is teacher-forced: word l is asked about after the words that were written before it, whatever the
frames. Only the numbers of the written words leave this file; distributions over the vocabulary do not.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import torch
from torch import Tensor, nn

from s2vt_model.architectures import Network
from s2vt_model.decoding import barred
from s2vt_model.trace.stepped import Stepped, wrapped
from s2vt_model.vocabulary import EOS

LOGITS_AT_ONCE = 2**24  # 64 MB of float32


class Shares(NamedTuple):
    """ln α p of each of L words, and of all that may be written in its place, "<UNK>" being barred: (N, L) each."""

    word: Tensor
    allowed: Tensor

    @property
    def log_prob(self) -> Tensor:
        return self.word - self.allowed


@dataclass(frozen=True)
class Question:
    """One stream of a fused model (or the only one), the frames it read, and the sentence that was written.

    Frames are asked about as they are embedded: the embedding is affine, so that gradient times difference,
    summed over a frame's numbers, is the same before it and after it.
    """

    network: Network
    frames: Tensor  # (T, frame_embedding_size) in the order in which they are read
    order: Tensor  # (T,) the place in time of each frame read
    no_frame: Tensor  # (frame_embedding_size,) what stands for no frame
    words: Tensor  # (L,) as written, EOS included
    log_alpha: float
    others: Shares  # of all other streams together, with their frames, (L,) each

    def shares(self, frames: Tensor) -> Shares:
        """frames: (N, T, frame_embedding_size), T as it may be."""
        own = stream_shares(self.network, frames, self.words)
        return Shares(
            torch.logaddexp(self.log_alpha + own.word, self.others.word),
            torch.logaddexp(self.log_alpha + own.allowed, self.others.allowed),
        )

    def log_probs(self, frames: Tensor) -> Tensor:
        """(N, T, frame_embedding_size) -> (N, L) log p of each word."""
        return self.shares(frames).log_prob

    @torch.no_grad()
    def ask(self, frames: Tensor) -> Tensor:
        """`log_probs` without gradients, in as few batches as memory allows."""
        rows = max(LOGITS_AT_ONCE // (len(self.words) * self.network.config.vocabulary_size), 1)
        return torch.cat([self.log_probs(part) for part in frames.split(rows)])

    def differentiable(self) -> "Question":
        """The same by written-out steps, through which many gradients flow at once."""
        return replace(self, network=wrapped(self.network, Stepped))

    def in_time(self, values: Tensor) -> Tensor:
        """(…, T) by the order of reading -> by the order of time."""
        return values[..., self.order.argsort()]


@torch.no_grad()
def ask_about(
    stream: int,
    networks: Sequence[Network],
    features: Sequence[Tensor],
    orders: Sequence[Tensor],
    alpha: Sequence[float],
    words: Sequence[int],
) -> Question:
    """What each stream reads, (T, feature_size) in the order of time, and the order in which it reads it.

    `words`: the ids that were written, `EOS` included where the sentence has ended.
    """
    device = networks[stream].predict.weight.device
    ids = torch.tensor(words, device=device)
    embedded = [
        # A copy: features made in inference mode take no part in gradients.
        network.frame_embedding(x[order].clone().to(network.predict.weight))
        for network, x, order in zip(networks, features, orders, strict=True)
    ]
    rest = [s for s in range(len(networks)) if s != stream and alpha[s]]
    said = [stream_shares(networks[s], embedded[s][None], ids) for s in rest]
    nothing = embedded[stream].new_full((1, len(words)), -math.inf)

    def together(part: Callable[[Shares], Tensor]) -> Tensor:
        terms = [math.log(alpha[s]) + part(shares) for s, shares in zip(rest, said, strict=True)]
        return torch.stack([nothing, *terms]).logsumexp(dim=0)[0] if terms else nothing[0]

    return Question(
        network=networks[stream],
        frames=embedded[stream],
        order=orders[stream].to(device),
        no_frame=networks[stream].frame_embedding(no_frame_feature(networks[stream])),
        words=ids,
        log_alpha=math.log(alpha[stream]) if alpha[stream] else -math.inf,
        others=Shares(together(lambda s: s.word), together(lambda s: s.allowed)),
    )


def no_frame_feature(network: Network) -> Tensor:
    """(feature_size,) what the network is fed as a frame while it writes; zeros for mean pooling, which is fed none."""
    return getattr(network, "no_frame", network.frame_embedding.weight.new_zeros(network.config.feature_size))


def stream_shares(network: Network, frames: Tensor, words: Tensor) -> Shares:
    """One stream alone: ln p of each of `words` (L,) and of all that are not barred, for N variants of its frames.

    frames: (N, T, frame_embedding_size), embedded, in the order of reading.
    """
    count = len(frames)
    inputs = torch.cat([words.new_tensor([EOS]), words[:-1]]).expand(count, -1)
    logits = network.predict(network.decode(inputs, network.encode(frames, embedding=nn.Identity())))  # (N, L, V)
    everything = logits.logsumexp(dim=2)
    word = logits.gather(2, words.expand(count, -1)[:, :, None])[:, :, 0]
    bar = torch.zeros(logits.shape[1:], dtype=torch.bool, device=logits.device)
    for step in range(len(words)):
        bar[step, barred(step)] = True
    allowed = logits.masked_fill(bar, -math.inf).logsumexp(dim=2)
    return Shares(word - everything, allowed - everything)
