"""Self-critical fine-tuning (Rennie et al. 2017): sentences earn the CIDEr they get, and METEOR if so wished.

The learner writes several sentences about a video; each is made likelier or less likely by how
much its reward exceeds the mean of the others (the baseline of Luo 2020). Cross-entropy keeps a
share of the loss, so that the language stays that of people.

METEOR is that of the best of the references, so it pays to write one that stands under many videos: somebody said
"a man cooking his kichen" of every sixth of MSVD's. Such stock sentences earn nothing.
"""

import random
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from s2vt_model.decoding import DecodingOptions, decode
from s2vt_model.evaluation.metrics import meteor_each
from s2vt_model.training.cider import Cider
from s2vt_model.training.learner import Learner
from s2vt_model.training.sources import IGNORE, Source, teacher_forcing
from s2vt_model.vocabulary import Vocabulary

SENTENCES_PER_VIDEO = 5
STOCK = 0.05  # a sentence said of a larger share of the videos tells nothing of any


@dataclass(frozen=True)
class Critic:
    """A source and the rewards of sentences about its videos.

    A sentence that is cut at the length limit counts as ended there.
    """

    source: Source
    cider: Cider
    vocabulary: Vocabulary
    meteor: float  # its weight in the reward
    telling: Sequence[Sequence[str]]  # of each video, the sentences that METEOR compares with, if it is to

    @classmethod
    def of(cls, source: Source, vocabulary: Vocabulary, meteor: float = 0.0) -> "Critic":
        said = [e.sentences for e in source.examples]
        if not meteor:
            return cls(source, Cider(said), vocabulary, meteor, ())
        videos = Counter(s for sentences in said for s in set(sentences))
        stock = {s for s, count in videos.items() if count > max(STOCK * len(said), 1)}
        telling = [[vocabulary.decode(s) for s in x if s not in stock or stock.issuperset(x)] for x in said]
        return cls(source, Cider(said), vocabulary, meteor, telling)

    def loss(self, learner: Learner, rng: random.Random, device: str = "cpu") -> tuple[Tensor, float]:
        """The self-critical loss of one batch, and its mean reward."""
        total = len(self.source.examples)
        numbers = rng.sample(range(total), min(self.source.videos_per_step, total))
        batch = self.source.batch([self.source.examples[n] for n in numbers], rng).to(device)
        learner.eval()  # what is rewarded is what the finished network would write
        for cell in (learner.network.lstm1, learner.network.lstm2):
            cell.train()  # cuDNN's backward pass insists; they have no dropout of their own
        state = learner.encode(batch)
        options = DecodingOptions("sample", seed=rng.getrandbits(32), max_words=self.source.max_words - 1)
        rows = torch.arange(len(numbers)).repeat_interleave(SENTENCES_PER_VIDEO)
        written = decode(learner.network, state.select(rows.to(device)), len(rows), options)
        sentences = [hypotheses[0].words for hypotheses in written]
        rewards = self.rewards([numbers[r] for r in rows.tolist()], sentences).view(-1, SENTENCES_PER_VIDEO)
        inputs, targets = (x.to(device) for x in teacher_forcing(sentences, self.source.max_words))
        logits = learner.network.predict(learner.network.decode(inputs, state)).float()
        return _likelier_if_better(logits, targets, rewards), rewards.mean().item()

    def rewards(self, videos: Sequence[int], sentences: Sequence[Sequence[int]]) -> Tensor:
        """(N,) what each sentence earns, said of the video of this number."""
        rewards = torch.tensor([self.cider.score(v, s) for v, s in zip(videos, sentences, strict=True)])
        if not self.meteor:
            return rewards
        written = [self.vocabulary.decode(s) for s in sentences]
        return rewards + self.meteor * torch.tensor(meteor_each(written, [self.telling[v] for v in videos]))


def _likelier_if_better(logits: Tensor, targets: Tensor, rewards: Tensor) -> Tensor:
    """REINFORCE, nats a word, of S sentences about each of B videos.

    logits: (B * S, L, V). targets: (B * S, L), the sentences. rewards: (B, S).
    """
    others = (rewards.sum(dim=1, keepdim=True) - rewards) / (rewards.shape[1] - 1)
    advantages = (rewards - others).flatten()  # (B * S,)
    log_probs = logits.log_softmax(dim=-1).gather(-1, targets.clamp(min=0)[..., None])[..., 0]
    counted = targets != IGNORE
    return -(advantages.to(log_probs.device)[:, None] * log_probs * counted).sum() / counted.sum()
