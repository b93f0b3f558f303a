"""What each writing step had to choose from."""

from collections.abc import Sequence

import torch
from torch import Tensor

from s2vt_model.decoding import Hypothesis, barred
from s2vt_model.trace.record import Candidate, TracedWord, rounded
from s2vt_model.vocabulary import EOS, Vocabulary

CANDIDATES = 10


def written(hypothesis: Hypothesis) -> tuple[int, ...]:
    """The ids of all that was written: the words, and `EOS` unless the sentence was cut."""
    return hypothesis.words if hypothesis.end_log_prob is None else (*hypothesis.words, EOS)


def trace_words(
    hypothesis: Hypothesis, logits: Sequence[Tensor], alpha: Sequence[float], vocabulary: Vocabulary, forced: int
) -> tuple[TracedWord, ...]:
    """`logits`: each stream's, (L, V), while it was fed the sentence; `forced`: words that were set by hand."""
    own = torch.stack([x.double().cpu().softmax(dim=1) for x in logits])  # (streams, L, V)
    fused = torch.einsum("s,slv->lv", torch.tensor(alpha, dtype=own.dtype), own)
    log_probs = [*hypothesis.word_log_probs, hypothesis.end_log_prob]  # the search's own numbers
    words = []
    for step, word in enumerate(written(hypothesis)):
        left_out = fused[step, barred(step)].sum()
        p = fused[step].index_fill(0, torch.tensor(barred(step)), 0.0) / (1 - left_out)
        likeliest = p.topk(min(CANDIDATES, len(p) - len(barred(step)))).indices.tolist()
        candidates = (
            Candidate(vocabulary.words[i], rounded(p[i].item()), _probabilities(own[:, step, i])) for i in likeliest
        )
        words.append(
            TracedWord(
                text=vocabulary.words[word],
                log_prob=rounded(log_probs[step], 6),
                forced=step < forced,
                entropy=rounded(-torch.special.xlogy(p, p).sum().item()),
                p_end=rounded(p[EOS].item()),
                barred=rounded(left_out.item()),
                streams=_probabilities(own[:, step, word]),
                candidates=tuple(candidates),
            )
        )
    return tuple(words)


def _probabilities(values: Tensor) -> tuple[float, ...]:
    return tuple(rounded(v) for v in values.tolist())
