"""The networks by their names in a config. They share an interface: `encode`, `step`, `decode`, `predict`."""

from s2vt_model.config import Architecture, S2VTConfig
from s2vt_model.mean_pool import MeanPool, MeanPoolState
from s2vt_model.network import S2VT, State

Network = S2VT | MeanPool
NetworkState = State | MeanPoolState

ARCHITECTURES: dict[Architecture, type[Network]] = {"s2vt": S2VT, "mean_pool": MeanPool}


def build_network(config: S2VTConfig) -> Network:
    """An untrained network."""
    return ARCHITECTURES[config.architecture](config)
