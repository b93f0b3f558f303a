"""Which implementation of an algorithm runs where."""

import importlib.util
import os
from typing import Literal

import torch

from s2vt_model.errors import FlowError

Backend = Literal["auto", "torch", "triton", "opencv"]


def choose(wanted: Backend, device: torch.device, on_cpu: Backend) -> Backend:
    """`wanted`, where "auto" is `on_cpu` on a CPU, and on a GPU Triton if it is installed, else torch.

    On a CPU there is "triton" only with TRITON_INTERPRET=1, for its interpreter, which is a debugger and slow.
    Raises `FlowError` for a backend that is not there or cannot run on this device.
    """
    available = {"torch"}
    if device.type == "cpu":
        available.add(on_cpu)
    runs_triton = device.type == "cuda" or (device.type == "cpu" and os.environ.get("TRITON_INTERPRET") == "1")
    if runs_triton and importlib.util.find_spec("triton"):
        available.add("triton")
    if wanted == "auto":
        if device.type == "cpu":
            return on_cpu
        return "triton" if "triton" in available else "torch"
    if wanted not in available:
        names = " or ".join(f"“{name}”" for name in ("auto", *sorted(available)))
        raise FlowError(f"On {device.type} the backend is {names}, not “{wanted}”.")
    return wanted
