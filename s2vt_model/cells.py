"""The LSTM step, written out (Hochreiter & Schmidhuber 1997, with the forget gate of Gers 2000).

Training runs torch's fused LSTM. Writing a sentence goes step by step through the equations below,
over the same parameters, so that the gates can be seen and gradients flow in evaluation mode
(cuDNN's LSTM refuses that).
"""

from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

LSTMState = tuple[Tensor, Tensor]  # h, c: (B, H) each


class Gates(NamedTuple):
    """What one LSTM step did, (B, H) each. The names are the paper's (equation 1)."""

    i: Tensor  # input gate, 0..1
    f: Tensor  # forget gate, 0..1
    o: Tensor  # output gate, 0..1
    g: Tensor  # input modulation, -1..1


class LSTM(nn.LSTM):
    """A one-layer, batch-first `torch.nn.LSTM` that can also be stepped by hand."""

    def __init__(self, input_size: int, hidden_size: int):
        super().__init__(input_size, hidden_size, batch_first=True)

    def start(self, batch: int) -> LSTMState:
        """The state before the first step: zeros, (batch, H)."""
        zeros = self.weight_hh_l0.new_zeros(batch, self.hidden_size)
        return zeros, zeros

    def step(self, x: Tensor, state: LSTMState) -> tuple[LSTMState, Gates]:
        """One time step. x: (B, input_size). Returns the new state and the gates that made it."""
        h, c = state
        blocks = F.linear(x, self.weight_ih_l0, self.bias_ih_l0) + F.linear(h, self.weight_hh_l0, self.bias_hh_l0)
        i, f, g, o = blocks.chunk(4, dim=-1)  # torch's order; Caffe's is i, f, o, g
        gates = Gates(i.sigmoid(), f.sigmoid(), o.sigmoid(), g.tanh())
        c = gates.f * c + gates.i * gates.g
        h = gates.o * torch.tanh(c)
        return (h, c), gates
