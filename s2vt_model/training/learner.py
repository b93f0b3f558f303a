"""The network as it is trained: S2VT, or one to compare it with, and what is thrown away afterwards.

- Features enter standardised (mean 0, deviation 1 over the training clips), so that "no frame" is
  the zero vector; `export` folds that into the frame embedding, which then takes raw features.
- VGG-19 features that are not translated (`translation.py`) enter through a frame embedding of their own into the same
  recurrent part.
- A linear layer guesses from the state before the first word which words will be said.
"""

from dataclasses import replace

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from s2vt_model.architectures import Network, NetworkState, build_network
from s2vt_model.cells import LSTM, Cell
from s2vt_model.config import S2VTConfig
from s2vt_model.corpora.msvd import VGG19_SIZE
from s2vt_model.network import S2VT
from s2vt_model.training.recipe import Recipe
from s2vt_model.training.sources import IGNORE, Batch


class Learner(nn.Module):
    """A network with its training-only parts."""

    def __init__(self, config: S2VTConfig, forget_bias: float, embeds_vgg19: bool = True):
        super().__init__()
        self.network = build_network(config)
        # No bias: it is shared with the frame embedding, and so is the embedded "no frame".
        self.vgg19_embedding = (
            nn.Linear(VGG19_SIZE, config.frame_embedding_size, bias=False) if embeds_vgg19 else None
        )
        self.said = nn.Linear(self.network.summary_size, config.vocabulary_size)
        nn.init.zeros_(self.said.weight)
        nn.init.constant_(self.said.bias, -6.0)  # most words are said about no video
        for cell in (self.network.lstm1, self.network.lstm2):
            _initialise(cell, forget_bias)

    def encode(self, batch: Batch) -> NetworkState:
        own = batch.source == "vgg19" and self.vgg19_embedding is not None
        return self.network.encode(batch.features, embedding=self._embed_vgg19 if own else None)

    def _embed_vgg19(self, features: Tensor) -> Tensor:
        return self.vgg19_embedding(features) + self.network.frame_embedding.bias

    def word_logits(self, batch: Batch, state: NetworkState) -> Tensor:
        """(words that count, V) logits: positions without a target never reach the output layer."""
        hidden = self.network.decode(batch.inputs, state)
        return self.network.predict(hidden[batch.targets != IGNORE])


def imitation_loss(learner: Learner, batch: Batch, recipe: Recipe) -> tuple[Tensor, dict[str, float]]:
    """The loss of a batch, and its parts for the log (nats a word; nats a video for `said`)."""
    state = learner.encode(batch)
    logits = learner.word_logits(batch, state).float()
    targets = batch.targets[batch.targets != IGNORE]
    words = F.cross_entropy(logits, targets, label_smoothing=recipe.label_smoothing)
    said = F.binary_cross_entropy_with_logits(learner.said(state.summary).float(), batch.said, reduction="none")
    said = said.sum(dim=1).mean()
    return words + recipe.said_weight * said, {"next_word": words.item(), "said": said.item()}


def export(learner: Learner, mean: Tensor, deviation: Tensor) -> Network:
    """A network that takes raw features: W (x - μ)/σ + b = (W/σ) x + (b - W μ/σ), no frame = μ."""
    network = build_network(replace(learner.network.config, dropout=0.0)).eval()
    network.load_state_dict(learner.network.state_dict())
    with torch.no_grad():
        weight = learner.network.frame_embedding.weight / deviation
        network.frame_embedding.weight.copy_(weight)
        network.frame_embedding.bias.copy_(learner.network.frame_embedding.bias - weight @ mean)
        if isinstance(network, S2VT):
            network.no_frame.copy_(mean)
    return network


def _initialise(cell: Cell, forget_bias: float) -> None:
    """Orthogonal recurrent matrices, one a gate, and an LSTM's forget gates that start open."""
    hidden = cell.hidden_size
    nn.init.zeros_(cell.bias_ih_l0)
    nn.init.zeros_(cell.bias_hh_l0)
    with torch.no_grad():
        if isinstance(cell, LSTM):
            cell.bias_ih_l0[hidden : 2 * hidden] = forget_bias  # blocks are i, f, g, o
        for gate in cell.weight_hh_l0.split(hidden):
            nn.init.orthogonal_(gate)
