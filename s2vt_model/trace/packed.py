"""Arrays of numbers, short enough to travel in JSON: whole numbers of 8 or 16 bits between two limits."""

import base64
from dataclasses import dataclass
from typing import Literal

import numpy as np
from torch import Tensor


@dataclass(frozen=True)
class Packed:
    """value = low + (high - low) · n / (2^bits - 1); what is packed loses half a step at most."""

    shape: tuple[int, ...]
    bits: Literal[8, 16]
    low: float
    high: float
    data: str  # base64 of the whole numbers n, row after row, the low byte first

    def __post_init__(self):
        count = len(base64.b64decode(self.data, validate=True)) * 8 // self.bits
        if count != np.prod(self.shape, dtype=int):
            raise ValueError(f"a packed array of shape {list(self.shape)} holds {count} numbers")

    def unpack(self) -> np.ndarray:
        """float32, of `shape`."""
        codes = np.frombuffer(base64.b64decode(self.data), f"<u{self.bits // 8}").reshape(self.shape)
        return (self.low + (self.high - self.low) * (codes / (2**self.bits - 1))).astype(np.float32)


def pack(values: Tensor, bits: Literal[8, 16]) -> Packed:
    """The limits are the least and the largest of the `values`, which must be finite."""
    array = values.detach().cpu().double().numpy()
    if not np.isfinite(array).all():
        raise ValueError("only finite numbers can be packed")
    low, high = (float(f"{limit:.7g}") for limit in (array.min(), array.max())) if array.size else (0.0, 0.0)
    scale = (2**bits - 1) / (high - low) if high > low else 0.0
    codes = ((array - low) * scale).round().clip(0, 2**bits - 1).astype(f"<u{bits // 8}")
    return Packed(array.shape, bits, low, high, base64.b64encode(codes.tobytes()).decode())
