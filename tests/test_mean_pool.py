"""Mean pooling: NAACL 2015's equations, and a writer that no order of frames can reach."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from s2vt_model.architectures import build_network
from s2vt_model.config import S2VTConfig
from s2vt_model.decoding import DecodingOptions, decode
from s2vt_model.mean_pool import MeanPool
from s2vt_model.vocabulary import EOS

CONFIG = S2VTConfig(
    feature_size=6,
    frame_embedding_size=5,
    word_embedding_size=3,
    hidden_size=16,
    vocabulary_size=12,
    dropout=0.5,
    architecture="mean_pool",
)


def random_network(config: S2VTConfig):
    """Weights large enough to write different things about different videos."""
    torch.manual_seed(0)
    network = build_network(config).eval()
    for parameter in network.parameters():
        parameter.data.mul_(3)
    return network


@pytest.fixture(params=["lstm", "gru", "rnn"])
def network(request) -> MeanPool:
    return random_network(replace(CONFIG, cell=request.param))


def random_features(videos: int, frames: int, seed: int = 1) -> torch.Tensor:
    return torch.randn(videos, frames, CONFIG.feature_size, generator=torch.Generator().manual_seed(seed))


def random_inputs(sentences: int, words: int) -> torch.Tensor:
    inputs = torch.randint(CONFIG.vocabulary_size, (sentences, words), generator=torch.Generator().manual_seed(2))
    inputs[:, 0] = EOS
    return inputs


def assert_close(ours, theirs, atol=1e-5):
    torch.testing.assert_close(ours, theirs, rtol=0, atol=atol)


def captions(network, features: torch.Tensor) -> list[tuple[int, ...]]:
    options = DecodingOptions(method="beam", beam_width=3, max_words=8)
    return [found[0].words for found in decode(network, network.encode(features), len(features), options)]


def test_it_computes_the_papers_equations():
    network = random_network(CONFIG)
    w = {name: tensor.double().numpy() for name, tensor in network.state_dict().items()}
    features, inputs = random_features(1, 7), random_inputs(1, 5)

    def sigmoid(x):
        return 1 / (1 + np.exp(-x))

    def lstm_step(layer: str, x, h, c):
        blocks = w[f"{layer}.weight_ih_l0"] @ x + w[f"{layer}.bias_ih_l0"]
        blocks += w[f"{layer}.weight_hh_l0"] @ h + w[f"{layer}.bias_hh_l0"]
        i, f, g, o = np.split(blocks, 4)
        c = sigmoid(f) * c + sigmoid(i) * np.tanh(g)
        return sigmoid(o) * np.tanh(c), c

    mean = features[0].double().numpy().mean(axis=0)
    video = w["frame_embedding.weight"] @ mean + w["frame_embedding.bias"]
    h1 = c1 = h2 = c2 = np.zeros(CONFIG.hidden_size)
    logits = []
    for word in inputs[0].tolist():
        h1, c1 = lstm_step("lstm1", w["word_embedding.weight"][word], h1, c1)
        h2, c2 = lstm_step("lstm2", np.concatenate([h1, video]), h2, c2)
        logits.append(w["predict.weight"] @ h2 + w["predict.bias"])
    assert_close(network(features, inputs)[0], torch.from_numpy(np.stack(logits)).float())


# --- the order of frames ------------------------------------------------------------------------


def shuffled(features: torch.Tensor, seed: int) -> torch.Tensor:
    return features[:, torch.randperm(features.shape[1], generator=torch.Generator().manual_seed(seed))]


def test_it_is_blind_to_the_order_of_frames(network):
    features, inputs = random_features(10, 9), random_inputs(10, 4)
    probabilities = network(features, inputs).softmax(dim=-1)
    for seed in range(5):
        assert_close(network(shuffled(features, seed), inputs).softmax(dim=-1), probabilities, atol=1e-6)
        assert captions(network, shuffled(features, seed)) == captions(network, features)


def test_s2vt_is_not(network):
    s2vt = random_network(replace(network.config, architecture="s2vt"))
    features, inputs = random_features(30, 9), random_inputs(30, 4)
    assert (s2vt(shuffled(features, 0), inputs) - s2vt(features, inputs)).abs().max() > 1e-2
    assert captions(s2vt, shuffled(features, 0)) != captions(s2vt, features)


def test_it_is_not_blind_to_the_frames(network):
    assert len(set(captions(network, random_features(10, 9)))) > 1


# --- one network, many ways to run it -----------------------------------------------------------


def test_a_batch_equals_its_items(network):
    features, inputs = random_features(3, 6), random_inputs(3, 4)
    together = network(features, inputs)
    for k in range(3):
        assert_close(together[k : k + 1], network(features[k : k + 1], inputs[k : k + 1]))


def test_what_pads_short_videos_is_never_read(network):
    lengths = torch.tensor([2, 6, 4])
    features, inputs = random_features(3, 6), random_inputs(3, 4)
    for k, length in enumerate(lengths):
        features[k, length:] = float("nan")
    together = network(features, inputs, lengths)
    for k, length in enumerate(lengths):
        assert_close(together[k : k + 1], network(features[k : k + 1, :length], inputs[k : k + 1]))


def test_sentences_that_share_a_video_equal_sentences_with_a_copy_each(network):
    features, inputs = random_features(2, 5), random_inputs(6, 4)
    assert_close(network(features, inputs), network(features.repeat_interleave(3, dim=0), inputs))


def test_writing_step_by_step_equals_teacher_forcing(network):
    features, inputs = random_features(3, 6), random_inputs(3, 5)
    state = network.encode(features)
    stepped = []
    for words in inputs.T:
        logits, state = network.step(words, state)
        stepped.append(logits)
    assert_close(torch.stack(stepped, dim=1), network(features, inputs))


def test_rows_of_a_state_can_be_picked(network):
    features = random_features(3, 5)
    _, state = network.step(torch.tensor([2, 3, 4]), network.encode(features))
    picked = network.step(torch.tensor([5, 6, 5]), state.select(torch.tensor([2, 0, 2])))[0]
    _, state = network.step(torch.tensor([4, 2, 4]), network.encode(features[[2, 0, 2]]))
    assert_close(picked, network.step(torch.tensor([5, 6, 5]), state)[0])


def test_dropout_acts_in_training_only(network):
    features, inputs = random_features(1, 6), random_inputs(1, 3)
    assert torch.equal(network(features, inputs), network(features, inputs))
    network.train()
    assert not torch.equal(network(features, inputs), network(features, inputs))


def test_gradients_reach_every_frame_in_evaluation_mode(network):
    features = random_features(1, 6).requires_grad_()
    network(features, random_inputs(1, 3)).sum().backward()
    assert (features.grad[0].abs().amax(dim=1) > 0).all()
