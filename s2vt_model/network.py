"""S2VT: two stacked LSTMs that first read frames, then write words (Venugopalan et al. 2015, fig. 2).

    reading   frame_1 … frame_T          no_frame  no_frame  …
                 |          |                |         |
              [ LSTM 1 ─ LSTM 1 ─ … ─────  LSTM 1 ─ LSTM 1 … ]
                 |          |                |         |
              [ LSTM 2 ─ LSTM 2 ─ … ─────  LSTM 2 ─ LSTM 2 … ]     each step also gets a word and
                 |          |                |         |           the stage flag (0 reading, 1 writing)
    words      <EOS>      <EOS>            <EOS>     word_1 …  in
                                            word_1    word_2 …  out

There is no attention: all that the writer knows of the video is in `State`.

As in the authors' release, the word input while reading is the learned `<EOS>` row, not zeros, and
the frame input while writing is an embedded "no frame" feature, not a zero embedding.

A config may put GRUs or plain RNNs in the LSTMs' places; what is said of LSTMs here then holds for them.
"""

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from s2vt_model.cells import CELLS, CellState
from s2vt_model.config import S2VTConfig
from s2vt_model.vocabulary import EOS

READING, WRITING = 0.0, 1.0  # the stage flag


class State(NamedTuple):
    """All that one step hands to the next: (h, c) of both layers, (B, hidden_size) each; (h,) without LSTMs."""

    layer1: CellState
    layer2: CellState

    @property
    def device(self) -> torch.device:
        return self.layer1[0].device

    @property
    def summary(self) -> Tensor:
        """(B, summary_size) what stands for the video before the first word: LSTM 2's output."""
        return self.layer2[0]

    def select(self, rows: Tensor) -> "State":
        """The state of these batch rows; a row may be taken several times (beams)."""
        return State(*(tuple(x[rows] for x in layer) for layer in self))


class S2VT(nn.Module):
    """Shapes: B videos or sentences, T frames, L words, D feature_size, V vocabulary_size."""

    def __init__(self, config: S2VTConfig):
        super().__init__()
        self.config = config
        self.frame_embedding = nn.Linear(config.feature_size, config.frame_embedding_size)  # no non-linearity
        self.word_embedding = nn.Embedding(config.vocabulary_size, config.word_embedding_size)
        cell = CELLS[config.cell]
        self.lstm1 = cell(config.frame_embedding_size, config.hidden_size)
        self.lstm2 = cell(config.hidden_size + config.word_embedding_size + 1, config.hidden_size)
        self.predict = nn.Linear(config.hidden_size, config.vocabulary_size)
        self.dropout = nn.Dropout(config.dropout)
        # Stands for "no frame" while words are written: zeros in the authors' release.
        self.register_buffer("no_frame", torch.zeros(config.feature_size))

    @property
    def summary_size(self) -> int:
        return self.config.hidden_size

    def encode(
        self, features: Tensor, lengths: Tensor | None = None, embedding: Callable[[Tensor], Tensor] | None = None
    ) -> State:
        """Read all frames. features: (B, T, D); lengths: (B,) frames each, if they differ.

        `embedding` takes the place of `frame_embedding`, for features of another kind.
        """
        return self.encode_embedded((embedding or self.frame_embedding)(self.dropout(features)), lengths)

    def encode_embedded(self, frames: Tensor, lengths: Tensor | None = None) -> State:
        """`encode` from frame embeddings, (B, T, frame_embedding_size)."""
        batch, steps, _ = frames.shape
        words = torch.full((batch, steps), EOS, device=frames.device)
        if lengths is None:
            hidden, state1 = self.lstm1.run(frames)
            _, state2 = self.lstm2.run(self._lstm2_input(hidden, words, READING))
        else:
            # Packed, a short video's state is that after its own last frame, whatever follows it.
            def pack(x: Tensor):
                return pack_padded_sequence(x, lengths.cpu(), batch_first=True, enforce_sorted=False)

            hidden, state1 = self.lstm1.run(pack(frames))
            hidden, _ = pad_packed_sequence(hidden, batch_first=True, total_length=steps)
            _, state2 = self.lstm2.run(pack(self._lstm2_input(hidden, words, READING)))
        return State(state1, state2)

    def decode(self, words: Tensor, state: State) -> Tensor:
        """Teacher forcing: LSTM 2's outputs, (B * S, L, hidden_size), for input words (B * S, L).

        `state` has B rows: S sentences in a row share a video. LSTM 1 sees no words, so it runs
        once a video. `words` starts with `EOS`; `predict` turns output l into scores of word l + 1.
        """
        videos, steps = len(state.summary), words.shape[1]
        sentences = len(words) // videos
        no_frames = self.frame_embedding(self.no_frame).expand(videos, steps, -1)
        hidden, _ = self.lstm1.run(no_frames, state.layer1)
        hidden = hidden.repeat_interleave(sentences, dim=0)
        state2 = tuple(x.repeat_interleave(sentences, dim=0) for x in state.layer2)
        hidden, _ = self.lstm2.run(self._lstm2_input(hidden, words, WRITING), state2)
        return self.dropout(hidden)

    def forward(self, features: Tensor, words: Tensor, lengths: Tensor | None = None) -> Tensor:
        """Logits, (B * S, L, V), of every next word: features (B, T, D), input words (B * S, L)."""
        return self.predict(self.decode(words, self.encode(features, lengths)))

    def step(self, words: Tensor, state: State) -> tuple[Tensor, State]:
        """Write one word. words: (B,) the previous ones. Returns logits (B, V) and the new state."""
        frame = self.frame_embedding(self.no_frame).expand(len(words), -1)
        layer1, _ = self.lstm1.step(frame, state.layer1)
        layer2, _ = self.lstm2.step(self._lstm2_input(layer1[0], words, WRITING), state.layer2)
        return self.predict(layer2[0]), State(layer1, layer2)

    def _lstm2_input(self, hidden: Tensor, words: Tensor, stage: float) -> Tensor:
        """[LSTM 1 | word | stage flag], in the authors' order. hidden: (…, H), words: (…)."""
        flag = hidden.new_full((*words.shape, 1), stage)
        return torch.cat([self.dropout(hidden), self.dropout(self.word_embedding(words)), flag], dim=-1)
