"""State -> sentences: greedy, beam search, sampling.

The decoders know a model only as a `Writer`, so that several streams can write one sentence
together. `<UNK>` is never written: probabilities are those of the words that can be.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple, Protocol, TypeVar

import torch
from torch import Tensor

from s2vt_model.errors import S2VTError
from s2vt_model.vocabulary import EOS, UNK

MethodName = Literal["greedy", "beam", "sample"]


class Selectable(Protocol):
    """A state whose batch rows can be picked."""

    @property
    def device(self) -> torch.device: ...

    def select(self, rows: Tensor) -> "Selectable": ...


StateT = TypeVar("StateT", bound=Selectable)


class Writer(Protocol[StateT]):
    """Something that writes word after word."""

    def step(self, words: Tensor, state: StateT) -> tuple[Tensor, StateT]:
        """words: (B,) previous ones -> logits (B, V) and the new state."""
        ...


@dataclass(frozen=True)
class DecodingOptions:
    """How sentences are searched for. Raises `S2VTError` on a value that makes no sense."""

    method: MethodName = "beam"
    beam_width: int = 5
    length_exponent: float = 0.7  # beams are ranked by log p / length ** exponent; 0 favours short ones
    temperature: float = 1.0  # of sampling: below 1 safer, above 1 wilder
    seed: int = 0  # of sampling
    max_words: int = 20

    def __post_init__(self):
        if self.method not in ("greedy", "beam", "sample"):
            raise S2VTError(f"The decoding method is greedy, beam or sample, not “{self.method}”.")
        if not (isinstance(self.beam_width, int) and 1 <= self.beam_width <= 50):
            raise S2VTError(f"The beam width must be a whole number between 1 and 50; it is {self.beam_width}.")
        if not (math.isfinite(self.temperature) and 0.01 <= self.temperature <= 10):
            raise S2VTError(f"The temperature must lie between 0.01 and 10; it is {self.temperature}.")
        if not (math.isfinite(self.length_exponent) and 0 <= self.length_exponent <= 3):
            raise S2VTError(f"The length exponent must lie between 0 and 3; it is {self.length_exponent}.")
        if not (isinstance(self.max_words, int) and 1 <= self.max_words <= 100):
            raise S2VTError(f"The most words must be a whole number between 1 and 100; it is {self.max_words}.")


@dataclass(frozen=True)
class Hypothesis:
    """One sentence, and what each of its words cost."""

    words: tuple[int, ...]  # without the closing EOS
    word_log_probs: tuple[float, ...]  # natural logarithms, one a word
    end_log_prob: float | None  # of EOS; None where the sentence was cut at `max_words`

    @property
    def log_prob(self) -> float:
        return sum(self.word_log_probs) + (self.end_log_prob or 0.0)

    def score(self, length_exponent: float) -> float:
        """What beams are ranked by (Wu et al. 2016 divide likewise); the EOS counts as a word."""
        return self.log_prob / (len(self.words) + 1) ** length_exponent


class BeamStep(NamedTuple):
    """What one step of a beam of width K looked at: for each row b the 2 K best continuations, the best first."""

    parents: Tensor  # (B, 2 K) which of the row's K beams it continues: a position among those kept a step before
    words: Tensor  # (B, 2 K)
    log_probs: Tensor  # (B, 2 K) of the word
    totals: Tensor  # (B, 2 K) of the sentence so far; -inf where fewer beams were alive
    finished: Tensor  # (B, 2 K) whether it ended and is a sentence of the result
    kept: Tensor  # (B, K) positions of those that go on; none at the last step


BeamWatcher = Callable[[BeamStep], None]


@torch.inference_mode()
def decode(
    writer: Writer[StateT],
    state: StateT,
    batch: int,
    options: DecodingOptions,
    prefix: Sequence[int] = (),
    watch: BeamWatcher | None = None,
) -> list[list[Hypothesis]]:
    """Sentences for each of the `batch` rows of `state`, the best first.

    Greedy and sampling give one a row, a beam up to `beam_width`. All begin with the words of `prefix`,
    whatever these cost; `watch` is told what a beam does. Raises `S2VTError` for a prefix that cannot be written.
    """
    if EOS in prefix or UNK in prefix:
        raise S2VTError("A sentence can be made to begin with words of the vocabulary only.")
    if len(prefix) > options.max_words:
        raise S2VTError(f"A sentence of {options.max_words} words at most cannot begin with {len(prefix)}.")
    if options.method == "beam":
        return _beam(writer, state, batch, options, prefix, watch)
    return [[hypothesis] for hypothesis in _one_by_one(writer, state, batch, options, prefix)]


def barred(step: int) -> list[int]:
    """What cannot be written at this step: `UNK`, and no `EOS` before there is a word."""
    return [UNK] if step else [UNK, EOS]


def _one_by_one(
    writer: Writer, state: Selectable, batch: int, options: DecodingOptions, prefix: Sequence[int]
) -> list[Hypothesis]:
    """Greedy and sampling: one word a step for each row, until all have ended."""
    words = torch.full((batch,), EOS)
    generator = None
    history: list[Tensor] = []
    costs: list[Tensor] = []
    ended = torch.zeros(batch, dtype=torch.bool)
    for step in range(options.max_words + 1):
        logits, state = writer.step(words.to(state.device), state)
        log_probs = _log_probs(logits, step, prefix)
        if options.method == "greedy":
            words = log_probs.argmax(dim=1)
        else:
            generator = generator or torch.Generator().manual_seed(options.seed)
            tempered = (log_probs / options.temperature).softmax(dim=1)
            words = tempered.multinomial(1, generator=generator)[:, 0]
        history.append(words)
        costs.append(log_probs.gather(1, words[:, None])[:, 0])
        ended |= words == EOS
        if ended.all():
            break
    rows = zip(torch.stack(history, 1).tolist(), torch.stack(costs, 1).tolist(), strict=True)
    return [_hypothesis(ids, log_probs, options.max_words) for ids, log_probs in rows]


def _beam(
    writer: Writer,
    state: Selectable,
    batch: int,
    options: DecodingOptions,
    prefix: Sequence[int],
    watch: BeamWatcher | None,
) -> list[list[Hypothesis]]:
    """Beam search for all rows at once: row b's beams are rows b·K … b·K + K - 1 of the state.

    Of the 2 K best continuations those ending in EOS among the first K are finished sentences, and
    the first K others go on; a row is done with K finished sentences. So a beam of 1 is greedy.
    """
    width = options.beam_width
    state = state.select(torch.arange(batch, device=state.device).repeat_interleave(width))
    scores = torch.full((batch, width), -math.inf)
    scores[:, 0] = 0.0  # all beams start equal: only one of them may be continued
    words = torch.full((batch, width), EOS)
    history = torch.empty(batch, width, 0, dtype=torch.long)
    costs = torch.empty(batch, width, 0)
    finished: list[list[Hypothesis]] = [[] for _ in range(batch)]

    for step in range(options.max_words + 1):
        logits, state = writer.step(words.flatten().to(state.device), state)
        log_probs = _log_probs(logits, step, prefix).view(batch, width, -1)  # (B, K, V)
        size = log_probs.shape[-1]
        totals = scores[:, :, None] + log_probs
        best, flat = totals.flatten(1).topk(2 * width, dim=1)  # (B, 2 K)
        parents, words = flat // size, flat % size
        cost = log_probs.flatten(1).gather(1, flat)
        history = torch.cat([history.gather(1, _like(parents, history)), words[:, :, None]], dim=2)
        costs = torch.cat([costs.gather(1, _like(parents, costs)), cost[:, :, None]], dim=2)

        ends = words == EOS
        finishes = torch.zeros_like(ends)
        for b, k in ends[:, :width].nonzero().tolist():
            if len(finished[b]) < width and math.isfinite(best[b, k]):
                finished[b].append(_hypothesis(history[b, k].tolist(), costs[b, k].tolist(), options.max_words))
                finishes[b, k] = True
        go_on = ends.int().argsort(dim=1, stable=True)[:, :width]  # the first K that do not end
        done = all(len(f) == width for f in finished)
        if watch:
            watch(BeamStep(parents, words, cost, best, finishes, go_on[:, :0] if done else go_on))
        if done:
            break
        scores, words, parents = best.gather(1, go_on), words.gather(1, go_on), parents.gather(1, go_on)
        history = history.gather(1, _like(go_on, history))
        costs = costs.gather(1, _like(go_on, costs))
        rows = parents + torch.arange(batch)[:, None] * width
        state = state.select(rows.flatten().to(state.device))

    for b in range(batch):
        if not finished[b]:  # nothing ended in time: the best sentence so far, cut
            finished[b].append(_hypothesis(history[b, 0].tolist(), costs[b, 0].tolist(), options.max_words))
        finished[b].sort(key=lambda h: h.score(options.length_exponent), reverse=True)
    return finished


def _log_probs(logits: Tensor, step: int, prefix: Sequence[int]) -> Tensor:
    """(B, V) log-probabilities on the CPU; while the prefix is written, of its word alone."""
    log_probs = logits.float().cpu().index_fill(1, torch.tensor(barred(step)), -math.inf).log_softmax(dim=1)
    if step >= len(prefix):
        return log_probs
    forced = torch.tensor([prefix[step]])
    return torch.full_like(log_probs, -math.inf).index_copy(1, forced, log_probs[:, forced])


def _hypothesis(ids: list[int], log_probs: list[float], max_words: int) -> Hypothesis:
    if EOS in ids:
        end = ids.index(EOS)
        return Hypothesis(tuple(ids[:end]), tuple(log_probs[:end]), log_probs[end])
    return Hypothesis(tuple(ids[:max_words]), tuple(log_probs[:max_words]), None)


def _like(index: Tensor, values: Tensor) -> Tensor:
    """(B, M) -> (B, M, steps), to gather whole histories."""
    return index[:, :, None].expand(-1, -1, values.shape[2])
