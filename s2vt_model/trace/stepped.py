"""A network whose layers go through the written-out steps, where torch's fused layers would run.

So its gates can be seen, and gradients of many outputs at once flow through it on every device. It
shares its parameters with the network that it was made of, which stays as it is.
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


class Recording(Stepped):
    """A stepped cell that remembers every step it took."""

    def __init__(self, cell: Cell):
        super().__init__(cell)
        self.steps: list[tuple[CellState, Gates]] = []

    def advance(self, taken: Tensor, state: CellState) -> tuple[CellState, Gates]:
        self.steps.append(super().advance(taken, state))
        return self.steps[-1]


def stepped(network: Network, kind: type[Stepped] = Stepped) -> Network:
    """`network` with both layers wrapped in `kind`."""
    twin = copy.deepcopy(network, {id(t): t for t in chain(network.parameters(), network.buffers())})
    twin.lstm1, twin.lstm2 = kind(twin.lstm1), kind(twin.lstm2)
    return twin
