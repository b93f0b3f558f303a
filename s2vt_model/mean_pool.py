"""Mean pooling, S2VT's predecessor (Venugopalan et al., NAACL 2015): a writer who knows no order.

    mean of all frames      ┌─────────┬─────────┬────── the same at every word
                            |         |         |
              [ LSTM 2 ─ LSTM 2 ─ LSTM 2 … ]            word_1 …  out
                            |         |         |
              [ LSTM 1 ─ LSTM 1 ─ LSTM 1 … ]
                            |         |         |
    words                 <EOS>    word_1    word_2 …  in

There is no reading stage and no stage flag: frames are averaged, and the LSTMs only write.
"""

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor, nn

from s2vt_model.cells import CELLS, CellState
from s2vt_model.config import S2VTConfig


class MeanPoolState(NamedTuple):
    """All that one step hands to the next."""

    video: Tensor  # (B, frame_embedding_size) the embedded mean frame: no step changes it
    layer1: CellState
    layer2: CellState

    @property
    def device(self) -> torch.device:
        return self.video.device

    @property
    def summary(self) -> Tensor:
        """(B, summary_size) what stands for the video before the first word."""
        return self.video

    def select(self, rows: Tensor) -> "MeanPoolState":
        """The state of these batch rows; a row may be taken several times (beams)."""
        layers = (tuple(x[rows] for x in layer) for layer in (self.layer1, self.layer2))
        return MeanPoolState(self.video[rows], *layers)


class MeanPool(nn.Module):
    """Shapes: B videos or sentences, T frames, L words, D feature_size, V vocabulary_size.

    Layers are named as in `S2VT`, and are used by the same callers.
    """

    def __init__(self, config: S2VTConfig):
        super().__init__()
        self.config = config
        cell = CELLS[config.cell]
        self.frame_embedding = nn.Linear(config.feature_size, config.frame_embedding_size)  # no non-linearity
        self.word_embedding = nn.Embedding(config.vocabulary_size, config.word_embedding_size)
        self.lstm1 = cell(config.word_embedding_size, config.hidden_size)
        self.lstm2 = cell(config.hidden_size + config.frame_embedding_size, config.hidden_size)
        self.predict = nn.Linear(config.hidden_size, config.vocabulary_size)
        self.dropout = nn.Dropout(config.dropout)

    @property
    def summary_size(self) -> int:
        return self.config.frame_embedding_size

    def encode(
        self, features: Tensor, lengths: Tensor | None = None, embedding: Callable[[Tensor], Tensor] | None = None
    ) -> MeanPoolState:
        """Average all frames. features: (B, T, D); lengths: (B,) frames each, if they differ.

        `embedding` takes the place of `frame_embedding`, for features of another kind.
        """
        video = (embedding or self.frame_embedding)(self.dropout(_mean(features, lengths)))
        return MeanPoolState(video, self.lstm1.start(len(video)), self.lstm2.start(len(video)))

    def decode(self, words: Tensor, state: MeanPoolState) -> Tensor:
        """Teacher forcing: LSTM 2's outputs, (B * S, L, hidden_size), for input words (B * S, L).

        `state` has B rows: S sentences in a row share a video. `words` starts with `EOS`; `predict`
        turns output l into scores of word l + 1.
        """
        sentences = len(words) // len(state.video)
        rows = torch.arange(len(state.video), device=words.device).repeat_interleave(sentences)
        video, state1, state2 = state.select(rows)
        hidden, _ = self.lstm1.run(self.dropout(self.word_embedding(words)), state1)
        videos = video[:, None].expand(-1, words.shape[1], -1)
        hidden, _ = self.lstm2.run(torch.cat([self.dropout(hidden), videos], dim=-1), state2)
        return self.dropout(hidden)

    def forward(self, features: Tensor, words: Tensor, lengths: Tensor | None = None) -> Tensor:
        """Logits, (B * S, L, V), of every next word: features (B, T, D), input words (B * S, L)."""
        return self.predict(self.decode(words, self.encode(features, lengths)))

    def step(self, words: Tensor, state: MeanPoolState) -> tuple[Tensor, MeanPoolState]:
        """Write one word. words: (B,) the previous ones. Returns logits (B, V) and the new state."""
        layer1, _ = self.lstm1.step(self.dropout(self.word_embedding(words)), state.layer1)
        layer2, _ = self.lstm2.step(torch.cat([self.dropout(layer1[0]), state.video], dim=-1), state.layer2)
        return self.predict(layer2[0]), MeanPoolState(state.video, layer1, layer2)


def _mean(features: Tensor, lengths: Tensor | None) -> Tensor:
    """(B, T, D) -> (B, D), of the first `lengths` frames of each video."""
    if lengths is None:
        return features.mean(dim=1)
    lengths = lengths.to(features.device)[:, None]
    read = torch.arange(features.shape[1], device=features.device) < lengths  # (B, T)
    return features.where(read[..., None], 0.0).sum(dim=1) / lengths
