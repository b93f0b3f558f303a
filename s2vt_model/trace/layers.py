"""What a layer did at every step, in few numbers: summaries over all units, and 64 units themselves."""

import torch
from torch import Tensor

from s2vt_model.cells import CellState, Gates
from s2vt_model.trace.packed import pack
from s2vt_model.trace.record import Layer, Quantity, rounded

UNITS_SHOWN = 64
SATURATED_LOW, SATURATED_HIGH = 0.1, 0.9
UNIT_INTERVAL = frozenset("iforz")  # the gates in 0..1
KEEPS_THE_OLD = ("f", "z")  # the gate that says how much of a state stays: an LSTM's, a GRU's
LEAST_GATE = 1e-30  # what float32 rounded to 0 has a logarithm too


def summarise(name: str, state: CellState, gates: Gates, encoding_steps: int) -> Layer:
    """`state` and `gates` of all steps of one video, (S, H) each, reading and then writing."""
    series = _series(state, gates)
    h = series["h"]
    units = representative_units(h)
    keeps = next((series[gate] for gate in KEEPS_THE_OLD if gate in series), None)
    # Summed in double precision: differences of sums over a hundred steps are what is asked for.
    log_kept = None if keeps is None else keeps.double().clamp_min(LEAST_GATE).log().cumsum(dim=0)
    reads = keeps is not None and encoding_steps > 0
    return Layer(
        name=name,
        size=h.shape[1],
        units=tuple(units.tolist()),
        quantities={key: _quantity(key, values, units) for key, values in series.items()},
        log_survival=None if log_kept is None else pack(log_kept[:, units], 16),
        survival=pack(mean_survival(log_kept, encoding_steps), 16) if reads else None,
    )


def representative_units(h: Tensor) -> Tensor:
    """(S, H) outputs -> at most 64 unit numbers: all sorted by how much they vary, taken at even distances."""
    order = h.std(dim=0, correction=0).argsort(descending=True, stable=True)
    return order[torch.linspace(0, len(order) - 1, min(UNITS_SHOWN, len(order))).round().long()]


def mean_survival(log_kept: Tensor, encoding_steps: int) -> Tensor:
    """(S, H) Σ ln f over steps 0..s -> (encoding steps, words) mean over units of Π f from a write to a word.

    What is written at step k is multiplied by f at the steps k + 1, …, s.
    """
    writes, words = log_kept[:encoding_steps], log_kept[encoding_steps:]
    return torch.stack([(words - write).exp().mean(dim=1) for write in writes])


def _series(state: CellState, gates: Gates) -> dict[str, Tensor]:
    """Each gate and state by its name, (S, H)."""
    series = gates._asdict() | dict(zip(("h", "c"), state, strict=False))  # only an LSTM has c
    return {key: series[key] for key in sorted(series, key="ifogrznch".index)}


def _quantity(name: str, values: Tensor, units: Tensor) -> Quantity:
    saturates = name in UNIT_INTERVAL
    return Quantity(
        mean=_numbers(values.mean(dim=1)),
        low=_numbers((values < SATURATED_LOW).float().mean(dim=1)) if saturates else None,
        high=_numbers((values > SATURATED_HIGH).float().mean(dim=1)) if saturates else None,
        units=pack(values[:, units], 8),
    )


def _numbers(values: Tensor) -> tuple[float, ...]:
    return tuple(rounded(v, 4) for v in values.tolist())
