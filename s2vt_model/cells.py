"""Recurrent cells, their steps written out: LSTM, GRU and the plain RNN.

Training runs torch's fused layers. Writing a sentence goes step by step through the equations below,
over the same parameters, so that the gates can be seen and gradients flow in evaluation mode
(cuDNN's layers refuse that).

Every cell has the same interface. The state of a layer is a tuple whose first tensor is the output.
"""

from typing import NamedTuple, Protocol

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.utils.rnn import PackedSequence

CellState = tuple[Tensor, ...]  # (h, c) of an LSTM, (h,) of the others: (B, H) each
Series = Tensor | PackedSequence  # (B, T, size), or the same without padding


class LSTMGates(NamedTuple):
    """What one LSTM step did, (B, H) each. The names are the paper's (equation 1)."""

    i: Tensor  # input gate, 0..1
    f: Tensor  # forget gate, 0..1
    o: Tensor  # output gate, 0..1
    g: Tensor  # input modulation, -1..1


class GRUGates(NamedTuple):
    """What one GRU step did, (B, H) each. The names are torch's."""

    r: Tensor  # reset gate, 0..1: how much of the old state the candidate sees
    z: Tensor  # update gate, 0..1: how much of the old state stays
    n: Tensor  # candidate, -1..1


class NoGates(NamedTuple):
    """A plain RNN overwrites its state at every step: there is nothing to see but the state."""


Gates = LSTMGates | GRUGates | NoGates


class Cell(Protocol):
    """One recurrent layer."""

    hidden_size: int

    def start(self, batch: int) -> CellState:
        """The state before the first step: zeros, (batch, H) each."""
        ...

    def run(self, x: Series, state: CellState | None = None) -> tuple[Series, CellState]:
        """All steps at once, by torch's fused layer: every step's output, and the last state."""
        ...

    def step(self, x: Tensor, state: CellState) -> tuple[CellState, Gates]:
        """One time step. x: (B, input_size). Returns the new state and the gates that made it."""
        ...

    def take_in(self, x: Tensor) -> Tensor:
        """What the inputs alone add up to: (…, input_size) -> (…, gates * H), of any number of steps at once."""
        ...

    def advance(self, taken: Tensor, state: CellState) -> tuple[CellState, Gates]:
        """`step`, from what `take_in` made of its input: (B, gates * H)."""
        ...

    def retrace(self, x: Tensor, outputs: Tensor, state: CellState) -> tuple[CellState, Gates]:
        """What every step of a `run` of one sequence did: states and gates, (T, H) each, by the written-out equations.

        x: (T, input_size); outputs: (T, H), what `run` gave; state: (1, H), before the first step.
        """
        ...


class WrittenOut:
    """What the steps of the three cells share: a part for the inputs, which waits for no other step, and the rest."""

    def step(self, x: Tensor, state: CellState) -> tuple[CellState, Gates]:
        return self.advance(self.take_in(x), state)

    def take_in(self, x: Tensor) -> Tensor:
        return F.linear(x, self.weight_ih_l0, self.bias_ih_l0)

    def retrace(self, x: Tensor, outputs: Tensor, state: CellState) -> tuple[CellState, Gates]:
        # When all outputs are known, no step waits for another: the steps are a batch.
        return self.advance(self.take_in(x), (torch.cat([state[0], outputs[:-1]]),))


class LSTM(WrittenOut, nn.LSTM):
    """Hochreiter & Schmidhuber 1997, with the forget gate of Gers 2000: `torch.nn.LSTM`, one layer, batch first."""

    def __init__(self, input_size: int, hidden_size: int):
        super().__init__(input_size, hidden_size, batch_first=True)

    def start(self, batch: int) -> CellState:
        zeros = self.weight_hh_l0.new_zeros(batch, self.hidden_size)
        return zeros, zeros

    def run(self, x: Series, state: CellState | None = None) -> tuple[Series, CellState]:
        outputs, (h, c) = self(x, None if state is None else (state[0][None], state[1][None]))
        return outputs, (h[0], c[0])

    def advance(self, taken: Tensor, state: CellState) -> tuple[CellState, LSTMGates]:
        h, c = state
        blocks = taken + F.linear(h, self.weight_hh_l0, self.bias_hh_l0)
        i, f, g, o = blocks.chunk(4, dim=-1)  # torch's order; Caffe's is i, f, o, g
        gates = LSTMGates(i.sigmoid(), f.sigmoid(), o.sigmoid(), g.tanh())
        c = gates.f * c + gates.i * gates.g
        h = gates.o * torch.tanh(c)
        return (h, c), gates

    def retrace(self, x: Tensor, outputs: Tensor, state: CellState) -> tuple[CellState, LSTMGates]:
        before = torch.cat([state[0], outputs[:-1]])
        _, gates = self.advance(self.take_in(x), (before, torch.zeros_like(before)))  # they don't depend on c
        cells = [state[1][0]]
        for kept, written in zip(gates.f, gates.i * gates.g, strict=True):
            cells.append(kept * cells[-1] + written)
        c = torch.stack(cells[1:])
        return (gates.o * torch.tanh(c), c), gates


class GRU(WrittenOut, nn.GRU):
    """Cho et al. 2014, in the form of `torch.nn.GRU`, one layer, batch first: no memory beside the output."""

    def __init__(self, input_size: int, hidden_size: int):
        super().__init__(input_size, hidden_size, batch_first=True)

    def start(self, batch: int) -> CellState:
        return (self.weight_hh_l0.new_zeros(batch, self.hidden_size),)

    def run(self, x: Series, state: CellState | None = None) -> tuple[Series, CellState]:
        outputs, h = self(x, None if state is None else state[0][None])
        return outputs, (h[0],)

    def advance(self, taken: Tensor, state: CellState) -> tuple[CellState, GRUGates]:
        (h,) = state
        r_x, z_x, n_x = taken.chunk(3, dim=-1)
        r_h, z_h, n_h = F.linear(h, self.weight_hh_l0, self.bias_hh_l0).chunk(3, dim=-1)
        r = (r_x + r_h).sigmoid()
        z = (z_x + z_h).sigmoid()
        n = (n_x + r * n_h).tanh()  # torch resets after the matrix product; Cho et al. before
        return ((1 - z) * n + z * h,), GRUGates(r, z, n)


class RNN(WrittenOut, nn.RNN):
    """Elman 1990: `torch.nn.RNN` with tanh, one layer, batch first."""

    def __init__(self, input_size: int, hidden_size: int):
        super().__init__(input_size, hidden_size, batch_first=True)

    def start(self, batch: int) -> CellState:
        return (self.weight_hh_l0.new_zeros(batch, self.hidden_size),)

    def run(self, x: Series, state: CellState | None = None) -> tuple[Series, CellState]:
        outputs, h = self(x, None if state is None else state[0][None])
        return outputs, (h[0],)

    def advance(self, taken: Tensor, state: CellState) -> tuple[CellState, NoGates]:
        (h,) = state
        h = taken + F.linear(h, self.weight_hh_l0, self.bias_hh_l0)
        return (h.tanh(),), NoGates()


CELLS: dict[str, type[LSTM] | type[GRU] | type[RNN]] = {"lstm": LSTM, "gru": GRU, "rnn": RNN}
