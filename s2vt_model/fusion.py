"""Late fusion of streams: at every step all are fed the same word, p = Σ αₛ pₛ (Venugopalan et al. 2015, §3.4).

A `Fusion` writes as a single network does, so greedy search, beams and sampling need to know nothing of it.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

from s2vt_model.architectures import Network, NetworkState
from s2vt_model.errors import S2VTError

SUM_TOLERANCE = 1e-3


class FusedState(NamedTuple):
    """The state of every stream, each of B rows."""

    streams: tuple[NetworkState, ...]

    @property
    def device(self) -> torch.device:
        return self.streams[0].device

    def select(self, rows: Tensor) -> "FusedState":
        return FusedState(tuple(state.select(rows) for state in self.streams))


@dataclass(frozen=True)
class Fusion:
    """Networks of one vocabulary that write one sentence together."""

    networks: Sequence[Network]
    alpha: Sequence[float]  # each network's share, adding up to one

    def step(self, words: Tensor, state: FusedState) -> tuple[Tensor, FusedState]:
        """words: (B,) the previous ones. Returns log p, (B, V), of the next and the new state."""
        stepped = [network.step(words, s) for network, s in zip(self.networks, state.streams, strict=True)]
        shares = torch.stack(
            [
                logits.float().log_softmax(dim=1) + (math.log(alpha) if alpha else -math.inf)
                for (logits, _), alpha in zip(stepped, self.alpha, strict=True)
            ]
        )
        return shares.logsumexp(dim=0), FusedState(tuple(s for _, s in stepped))


def check_alpha(alpha: Mapping[str, float], streams: Sequence[str]) -> dict[str, float]:
    """`alpha` in the order of `streams`. Raises `S2VTError` unless it shares 1 out among just these streams."""
    if set(alpha) != set(streams):
        raise S2VTError(f"α names {', '.join(alpha) or 'no stream'}; the streams are {', '.join(streams)}.")
    if not all(math.isfinite(a) and a >= 0 for a in alpha.values()):
        raise S2VTError(f"α cannot be negative; it is {_written(alpha)}.")
    if abs(sum(alpha.values()) - 1) > SUM_TOLERANCE:
        raise S2VTError(f"α must add up to 1; {_written(alpha)} adds up to {sum(alpha.values()):g}.")
    return {name: alpha[name] for name in streams}


def share_among(alpha: Mapping[str, float], streams: Sequence[str]) -> dict[str, float]:
    """The α of those of a set's streams that can run, so that they add up to 1 again."""
    total = sum(alpha[name] for name in streams)
    return {name: alpha[name] / total if total else 1 / len(streams) for name in streams}


def _written(alpha: Mapping[str, float]) -> str:
    return ", ".join(f"{name}={value:g}" for name, value in alpha.items())
