"""A network whose layers are wrapped. It shares its parameters with the network that it was made of, which stays as is.

`Stepped` goes through the written-out steps where torch's fused layers would run, so that gradients of many outputs
at once flow through it on every device. `Recording` lets them run, and can say afterwards what every step did.
"""

import copy
from itertools import chain

import torch
from torch import Tensor, nn

from s2vt_model.architectures import Network
from s2vt_model.cells import Cell, CellState, Gates


class Stepped(nn.Module):
    """A cell in the interface of `s2vt_model.cells.Cell`; `run` takes no packed sequences."""

    def __init__(self, cell: Cell):
        super().__init__()
        self.cell = cell
        self.hidden_size = cell.hidden_size

    def start(self, batch: int) -> CellState:
        return self.cell.start(batch)

    def step(self, x: Tensor, state: CellState) -> tuple[CellState, Gates]:
        return self.advance(self.take_in(x), state)

    def take_in(self, x: Tensor) -> Tensor:
        return self.cell.take_in(x)

    def advance(self, taken: Tensor, state: CellState) -> tuple[CellState, Gates]:
        return self.cell.advance(taken, state)

    def run(self, x: Tensor, state: CellState | None = None) -> tuple[Tensor, CellState]:
        """x: (B, T, input_size). T may be 0."""
        state = state or self.start(len(x))
        outputs = []
        # One large product for the inputs of all steps, where T small ones would take longer; and the gradient of
        # `unbind` is one stack, where that of T slices would be T tensors of the whole size.
        for taken in self.take_in(x).unbind(dim=1):
            state, _ = self.advance(taken, state)
            outputs.append(state[0])
        return torch.stack(outputs, dim=1) if outputs else x.new_empty(len(x), 0, self.hidden_size), state


class Recording(nn.Module):
    """A cell that remembers its runs, each of one sequence; its single steps, which search for words, it does not."""

    def __init__(self, cell: Cell):
        super().__init__()
        self.cell = cell
        self.hidden_size = cell.hidden_size
        self.runs: list[tuple[Tensor, Tensor, CellState]] = []  # inputs, outputs, the state before

    def start(self, batch: int) -> CellState:
        return self.cell.start(batch)

    def step(self, x: Tensor, state: CellState) -> tuple[CellState, Gates]:
        return self.cell.step(x, state)

    def run(self, x: Tensor, state: CellState | None = None) -> tuple[Tensor, CellState]:
        outputs, last = self.cell.run(x, state)
        self.runs.append((x[0], outputs[0], state or self.start(1)))
        return outputs, last

    def steps(self) -> tuple[CellState, Gates]:
        """What all steps of all runs did, (S, H) each."""
        states, gates = zip(*(self.cell.retrace(*run) for run in self.runs), strict=True)
        joined = type(gates[0])(*map(torch.cat, zip(*gates, strict=True)))
        return tuple(map(torch.cat, zip(*states, strict=True))), joined


def wrapped(network: Network, kind: type[Stepped] | type[Recording]) -> Network:
    """`network` with both layers wrapped in `kind`."""
    twin = copy.deepcopy(network, {id(t): t for t in chain(network.parameters(), network.buffers())})
    twin.lstm1, twin.lstm2 = kind(twin.lstm1), kind(twin.lstm2)
    return twin
