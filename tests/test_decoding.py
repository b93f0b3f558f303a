"""Greedy, beam and sampling, on S2VT itself and on toy writers small enough to search by hand."""

import math
from dataclasses import dataclass, replace
from itertools import product

import pytest
import torch

from s2vt_model.config import S2VTConfig
from s2vt_model.decoding import DecodingOptions, Hypothesis, decode
from s2vt_model.errors import S2VTError
from s2vt_model.network import S2VT
from s2vt_model.vocabulary import EOS, UNK

METHODS = ["greedy", "beam", "sample"]


@dataclass
class History:
    """The state of a toy writer: a number that stands for all words so far."""

    keys: torch.Tensor  # (B,)

    @property
    def device(self) -> torch.device:
        return self.keys.device

    def select(self, rows: torch.Tensor) -> "History":
        return History(self.keys[rows])


class ToyWriter:
    """Random logits for each history; `favour` adds to some words' logits everywhere."""

    def __init__(self, vocabulary_size: int, seed: int = 0, favour: dict[int, float] | None = None):
        generator = torch.Generator().manual_seed(seed)
        self.table = 2 * torch.randn(997, vocabulary_size, generator=generator)
        for word, bonus in (favour or {}).items():
            self.table[:, word] += bonus

    def step(self, words: torch.Tensor, state: History) -> tuple[torch.Tensor, History]:
        keys = (state.keys * self.table.shape[1] + words + 1) % len(self.table)
        return self.table[keys], History(keys)

    def log_probs(self, start: int, words: tuple[int, ...]) -> list[float]:
        """What each of `words` costs after those before it, by its definition."""
        key, previous, costs = start, EOS, []
        for position, word in enumerate(words):
            key = (key * self.table.shape[1] + previous + 1) % len(self.table)
            allowed = [w for w in range(self.table.shape[1]) if w != UNK and (position or w != EOS)]
            logits = self.table[key].tolist()
            costs.append(logits[word] - math.log(sum(math.exp(logits[w]) for w in allowed)))
            previous = word
        return costs


def starts(*keys: int) -> History:
    return History(torch.tensor(keys))


def write(writer, state, batch, method="beam", **options) -> list[list[Hypothesis]]:
    return decode(writer, state, batch, DecodingOptions(method=method, **options))


def assert_same(one: list[Hypothesis], other: list[Hypothesis]):
    assert [h.words for h in one] == [h.words for h in other]
    for a, b in zip(one, other, strict=True):
        assert a.word_log_probs == pytest.approx(b.word_log_probs, abs=1e-5)
        assert a.log_prob == pytest.approx(b.log_prob, abs=1e-4)


@pytest.fixture
def network() -> S2VT:
    """S2VT with weights large enough to write different things about different videos."""
    torch.manual_seed(0)
    network = S2VT(S2VTConfig(6, 8, 8, 16, vocabulary_size=20)).eval()
    for parameter in network.parameters():
        parameter.data.mul_(4)
    network.word_embedding.weight.data.normal_()
    network.predict.bias.data[EOS] = 3.0  # some sentences end
    return network


@pytest.fixture
def features() -> torch.Tensor:
    return torch.randn(5, 4, 6, generator=torch.Generator().manual_seed(1))


# --- greedy and beam ----------------------------------------------------------------------------


def test_greedy_takes_the_likeliest_word_each_time():
    writer = ToyWriter(12)
    for start in range(20):
        [[found]] = write(writer, starts(start), 1, "greedy")
        words = (*found.words, EOS)[: 20 if found.end_log_prob is None else None]
        for position in range(len(words)):
            others = [w for w in range(12) if w != UNK and (position or w != EOS)]
            rivals = [writer.log_probs(start, (*words[:position], w))[-1] for w in others]
            assert writer.log_probs(start, words[: position + 1])[-1] == max(rivals)


def test_a_beam_of_one_is_greedy(network, features):
    writer = ToyWriter(12)
    for start in range(50):
        [greedy], [beam] = (write(writer, starts(start), 1, m, beam_width=1) for m in ("greedy", "beam"))
        assert_same(greedy, beam)
    state = network.encode(features)
    for greedy, beam in zip(
        write(network, state, 5, "greedy"), write(network, state, 5, "beam", beam_width=1), strict=True
    ):
        assert_same(greedy, beam)


@pytest.mark.parametrize("method", ["greedy", "beam"])
def test_a_batch_equals_its_items(network, features, method):
    together = write(network, network.encode(features), 5, method)
    assert len({row[0].words for row in together}) > 1
    for k, row in enumerate(together):
        assert_same(row, write(network, network.encode(features[k : k + 1]), 1, method)[0])


@pytest.mark.parametrize("length_exponent", [0, 0.7, 1.5])
@pytest.mark.parametrize("seed", range(5))
def test_a_beam_as_wide_as_all_there_is_finds_the_best_of_all(seed, length_exponent):
    """Two words, four at most a sentence: 30 sentences, 48 ways to go on at the last step."""
    writer = ToyWriter(4, seed)
    everything = []
    for words in [w for n in (1, 2, 3, 4) for w in product((2, 3), repeat=n)]:
        *costs, end = writer.log_probs(7, (*words, EOS))
        everything.append(Hypothesis(words, tuple(costs), end))
    everything.sort(key=lambda h: h.score(length_exponent), reverse=True)
    [found] = write(writer, starts(7), 1, beam_width=48, length_exponent=length_exponent, max_words=4)
    assert_same(found, everything)
    [[greedy]] = write(writer, starts(7), 1, "greedy", max_words=4)
    assert greedy.end_log_prob is None or greedy.score(length_exponent) <= found[0].score(length_exponent) + 1e-5


def test_wider_beams_find_likelier_sentences_on_the_whole():
    writer = ToyWriter(12)
    mean = {}
    for width in (1, 3, 10):
        rows = write(writer, starts(*range(200)), 200, beam_width=width, length_exponent=0)
        mean[width] = sum(row[0].log_prob for row in rows) / 200
    assert mean[1] < mean[3] < mean[10]


def test_candidates_are_different_and_the_best_comes_first(network, features):
    for row in write(network, network.encode(features), 5, beam_width=4):
        assert 1 <= len(row) <= 4
        assert len({h.words for h in row}) == len(row)
        scores = [h.score(0.7) for h in row]
        assert scores == sorted(scores, reverse=True)


def test_a_larger_length_exponent_favours_longer_sentences():
    writer, state = ToyWriter(12), starts(*range(100))
    lengths = [
        sum(len(row[0].words) for row in write(writer, state, 100, length_exponent=exponent)) for exponent in (0, 1, 2)
    ]
    assert lengths[0] < lengths[1] < lengths[2]


# --- what holds for every method ----------------------------------------------------------------


@pytest.mark.parametrize("method", METHODS)
def test_unknown_is_never_written_however_likely(method):
    writer = ToyWriter(8, favour={UNK: 50.0})
    for row in write(writer, starts(*range(50)), 50, method):
        for found in row:
            assert UNK not in found.words
            assert found.log_prob > -100  # probabilities are those of the words that can be written


@pytest.mark.parametrize("method", METHODS)
def test_a_sentence_has_a_word_at_least(method):
    for row in write(ToyWriter(8, favour={EOS: 50.0}), starts(*range(50)), 50, method):
        assert len(row[0].words) == 1
        assert row[0].end_log_prob == pytest.approx(0, abs=1e-6)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("max_words", [1, 7])
def test_endless_sentences_are_cut(method, max_words):
    for [found] in write(ToyWriter(8, favour={EOS: -80.0}), starts(*range(20)), 20, method, max_words=max_words):
        assert len(found.words) == len(found.word_log_probs) == max_words
        assert found.end_log_prob is None
        assert found.log_prob == sum(found.word_log_probs)


@pytest.mark.parametrize("method", METHODS)
def test_log_probabilities_are_those_of_teacher_forcing(network, features, method):
    rows = write(network, network.encode(features), 5, method, temperature=0.7)
    finished = 0
    for video, row in zip(features, rows, strict=True):
        for found in row:
            targets = torch.tensor([*found.words, EOS])
            logits = network(video[None], torch.tensor([[EOS, *found.words]]))[0]
            logits[:, UNK] = -math.inf
            logits[0, EOS] = -math.inf
            expected = logits.log_softmax(1)[range(len(targets)), targets].tolist()
            assert found.word_log_probs == pytest.approx(expected[:-1], abs=1e-4)
            if found.end_log_prob is not None:
                finished += 1
                assert found.end_log_prob == pytest.approx(expected[-1], abs=1e-4)
                assert found.log_prob == pytest.approx(sum(expected), abs=1e-3)
    assert finished


@pytest.mark.parametrize("method", METHODS)
def test_what_the_writer_owns_is_left_alone(method):
    class OwnLogits(ToyWriter):
        def step(self, words, state):
            return self.table[: len(words)], state

    writer = OwnLogits(8)
    before = writer.table.clone()
    write(writer, starts(0), 1, method)
    assert torch.equal(writer.table, before)


# --- sampling -----------------------------------------------------------------------------------


def test_sampling_is_repeatable_by_its_seed():
    writer, state = ToyWriter(12), starts(*range(20))
    first, again, other = (write(writer, state, 20, "sample", seed=seed) for seed in (1, 1, 2))
    assert first == again
    assert first != other


@pytest.mark.parametrize("temperature", [0.5, 1.0, 2.0])
def test_sampling_follows_the_tempered_distribution(temperature):
    draws, start = 20_000, 7
    writer = ToyWriter(8)
    writer.table /= 2  # so that even the rarest word is drawn at times
    rows = write(writer, starts(*[start] * draws), draws, "sample", temperature=temperature, max_words=1)
    words = [w for w in range(8) if w not in (EOS, UNK)]
    weights = [math.exp(writer.log_probs(start, (w,))[0] / temperature) for w in words]
    expected = [draws * weight / sum(weights) for weight in weights]
    found = [sum(row[0].words == (w,) for row in rows) for w in words]
    chi_square = sum((f - e) ** 2 / e for f, e in zip(found, expected, strict=True))
    assert sum(found) == draws
    assert min(expected) > 5
    assert chi_square < 25.7  # 5 degrees of freedom: 1 in 10,000


def test_sampling_near_zero_temperature_is_greedy_but_for_near_ties():
    writer, state = ToyWriter(12), starts(*range(100))
    sampled, greedy = write(writer, state, 100, "sample", temperature=0.01), write(writer, state, 100, "greedy")
    assert sum(a == b for a, b in zip(sampled, greedy, strict=True)) >= 95


# --- options ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("wrong", "sentence"),
    [
        ({"method": "guess"}, "greedy, beam or sample, not “guess”"),
        ({"beam_width": 0}, "beam width must be a whole number between 1 and 50; it is 0"),
        ({"beam_width": 51}, "beam width"),
        ({"temperature": 0.0}, "temperature must lie between 0.01 and 10; it is 0.0"),
        ({"temperature": math.nan}, "temperature"),
        ({"temperature": math.inf}, "temperature"),
        ({"length_exponent": -0.1}, "length exponent must lie between 0 and 3"),
        ({"length_exponent": math.nan}, "length exponent"),
        ({"max_words": 0}, "most words must be a whole number"),
        ({"max_words": 101}, "most words"),
    ],
)
def test_options_that_make_no_sense_are_refused_in_a_sentence(wrong, sentence):
    with pytest.raises(S2VTError, match=sentence):
        replace(DecodingOptions(), **wrong)
