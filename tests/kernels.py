"""Triton's kernels for flow, compiled or interpreted: Triton decides it by TRITON_INTERPRET as they are imported."""

import sys

import s2vt_model.flow

MODULES = ("triton_tiles", "farneback_triton", "tvl1_triton")


def forget_kernels() -> None:
    """Whoever imports the kernels next has them decorated anew."""
    for name in MODULES:
        sys.modules.pop(f"s2vt_model.flow.{name}", None)
        vars(s2vt_model.flow).pop(name, None)
