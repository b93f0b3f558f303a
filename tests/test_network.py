"""S2VT: the paper's equations, in whatever way the network is run."""

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
import torch

from s2vt_model.config import AUTHORS, S2VTConfig
from s2vt_model.network import S2VT
from s2vt_model.vocabulary import EOS

CONFIG = S2VTConfig(
    feature_size=6, frame_embedding_size=5, word_embedding_size=3, hidden_size=4, vocabulary_size=9, dropout=0.5
)


def random_network(cell: str = "lstm") -> S2VT:
    """Random weights; "no frame" is not zero, so that forgetting it shows."""
    torch.manual_seed(0)
    network = S2VT(replace(CONFIG, cell=cell)).eval()
    network.no_frame.normal_()
    return network


@pytest.fixture
def network() -> S2VT:
    return random_network()


def random_features(videos: int, frames: int, seed: int = 1) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(videos, frames, CONFIG.feature_size, generator=generator)


def random_inputs(sentences: int, words: int, seed: int = 2) -> torch.Tensor:
    """Word inputs as in teacher forcing: EOS first."""
    generator = torch.Generator().manual_seed(seed)
    inputs = torch.randint(CONFIG.vocabulary_size, (sentences, words), generator=generator)
    inputs[:, 0] = EOS
    return inputs


def assert_close(ours, theirs, atol=1e-5):
    torch.testing.assert_close(ours, theirs, rtol=0, atol=atol)


# --- the equations -----------------------------------------------------------------------------


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def lstm_step(weights: dict, layer: str, x, h, c):
    """Equation 1 of the paper, with the parameters of `torch.nn.LSTM` (blocks i, f, g, o)."""
    blocks = weights[f"{layer}.weight_ih_l0"] @ x + weights[f"{layer}.bias_ih_l0"]
    blocks += weights[f"{layer}.weight_hh_l0"] @ h + weights[f"{layer}.bias_hh_l0"]
    i, f, g, o = np.split(blocks, 4)
    c = sigmoid(f) * c + sigmoid(i) * np.tanh(g)
    return sigmoid(o) * np.tanh(c), c


def s2vt_by_the_paper(network: S2VT, features: np.ndarray, inputs: list[int]) -> np.ndarray:
    """Figure 2 for one video, (T, D), and one sentence, in float64: logits (L, V)."""
    w = {name: tensor.double().numpy() for name, tensor in network.state_dict().items()}
    h1 = c1 = h2 = c2 = np.zeros(CONFIG.hidden_size)
    reading = [(frame, EOS, 0.0) for frame in features]
    writing = [(w["no_frame"], word, 1.0) for word in inputs]
    logits = []
    for frame, word, stage in reading + writing:
        embedded = w["frame_embedding.weight"] @ frame + w["frame_embedding.bias"]
        h1, c1 = lstm_step(w, "lstm1", embedded, h1, c1)
        h2, c2 = lstm_step(w, "lstm2", np.concatenate([h1, w["word_embedding.weight"][word], [stage]]), h2, c2)
        logits.append(w["predict.weight"] @ h2 + w["predict.bias"])
    return np.stack(logits[len(features) :])


@pytest.mark.parametrize("frames", [1, 7])
def test_it_computes_the_papers_equations(network, frames):
    features, inputs = random_features(1, frames), random_inputs(1, 5)
    theirs = s2vt_by_the_paper(network, features[0].double().numpy(), inputs[0].tolist())
    assert_close(network(features, inputs)[0], torch.from_numpy(theirs).float())


@pytest.mark.parametrize("changed", ["no_frame", "word_embedding.weight"])
def test_the_equations_notice_what_stands_for_no_frame_and_no_word(network, changed):
    """The previous test would fail if zeros were fed in their place."""
    features = random_features(1, 4)
    before = network(features, random_inputs(1, 1))
    tensor = network.state_dict()[changed]
    (tensor[EOS] if tensor.ndim == 2 else tensor).zero_()
    assert (network(features, random_inputs(1, 1)) - before).abs().max() > 1e-3


def test_the_frame_embedding_is_linear(network):
    embedded = network.frame_embedding(torch.full((1, CONFIG.feature_size), -100.0))
    assert embedded.min() < -10
    assert embedded.max() > 10


# --- the authors' sizes ------------------------------------------------------------------------


def test_the_authors_release_is_an_instance():
    """Their LSTMs have one bias each, torch's have two that are added: one pair is not counted."""
    with torch.device("meta"):
        network = S2VT(AUTHORS)
    second_biases = network.lstm1.bias_hh_l0.numel() + network.lstm2.bias_hh_l0.numel()
    assert sum(p.numel() for p in network.parameters()) - second_biases == 87_358_668
    assert network.lstm2.weight_ih_l0.shape == (4 * 1000, 1501)
    assert network.predict.weight.shape == (46_168, 1000)


# --- one network, many ways to run it, with any cell ---------------------------------------------


@pytest.fixture(params=["lstm", "gru", "rnn"])
def any_network(request) -> S2VT:
    return random_network(request.param)


def test_a_batch_equals_its_items(any_network):
    features, inputs = random_features(3, 6), random_inputs(3, 4)
    together = any_network(features, inputs)
    for k in range(3):
        assert_close(together[k : k + 1], any_network(features[k : k + 1], inputs[k : k + 1]))


def test_what_pads_short_videos_is_never_read(any_network):
    lengths = torch.tensor([2, 6, 4])
    features, inputs = random_features(3, 6), random_inputs(3, 4)
    for k, length in enumerate(lengths):
        features[k, length:] = 1e3
    together = any_network(features, inputs, lengths)
    for k, length in enumerate(lengths):
        assert_close(together[k : k + 1], any_network(features[k : k + 1, :length], inputs[k : k + 1]))


def test_sentences_that_share_a_video_equal_sentences_with_a_copy_each(any_network):
    features, inputs = random_features(2, 5), random_inputs(6, 4)
    copies = features.repeat_interleave(3, dim=0)
    assert_close(any_network(features, inputs), any_network(copies, inputs))


def test_writing_step_by_step_equals_teacher_forcing(any_network):
    features, inputs = random_features(3, 6), random_inputs(3, 5)
    state = any_network.encode(features)
    stepped = []
    for words in inputs.T:
        logits, state = any_network.step(words, state)
        stepped.append(logits)
    assert_close(torch.stack(stepped, dim=1), any_network(features, inputs))


def test_encoding_features_equals_encoding_their_embeddings(any_network):
    features = random_features(2, 5)
    for ours, theirs in zip(
        any_network.encode(features), any_network.encode_embedded(any_network.frame_embedding(features)), strict=True
    ):
        assert_close(ours, theirs)


def test_rows_of_a_state_can_be_picked(any_network):
    features = random_features(3, 5)
    picked = any_network.encode(features).select(torch.tensor([2, 0, 2]))
    assert_close(tuple(picked), tuple(any_network.encode(features[[2, 0, 2]])))


def test_the_order_of_frames_matters(any_network):
    features, inputs = random_features(1, 6), random_inputs(1, 3)
    orders = [torch.arange(6), torch.arange(5, -1, -1), torch.tensor([1, 0, 2, 3, 4, 5])]
    results = [any_network(features[:, order], inputs) for order in orders]
    for one, other in pairwise(results):
        assert (one - other).abs().max() > 1e-4


def test_gradients_reach_the_first_frame_in_evaluation_mode(any_network):
    features = random_features(1, 6).requires_grad_()
    any_network(features, random_inputs(1, 3)).sum().backward()
    assert features.grad[0, 0].abs().max() > 0


def test_dropout_acts_on_features_words_and_both_lstms_outputs(network):
    sizes = []
    network.dropout.register_forward_hook(lambda _, inputs, output: sizes.append(inputs[0].shape[-1]))
    network.train()(random_features(1, 6), random_inputs(1, 3))
    feature, word, hidden = CONFIG.feature_size, CONFIG.word_embedding_size, CONFIG.hidden_size
    assert sizes == [feature, hidden, word, hidden, word, hidden]  # reading; writing; the last is LSTM 2's


def test_dropout_acts_in_training_only(network):
    features, inputs = random_features(1, 6), random_inputs(1, 3)
    assert torch.equal(network(features, inputs), network(features, inputs))
    network.train()
    assert not torch.equal(network(features, inputs), network(features, inputs))
