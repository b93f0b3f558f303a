"""Optical flow on the device, checked against OpenCV: Farnebäck's and TV-L1, all pairs of a clip at once."""

from s2vt_model.flow.farneback import farneback
from s2vt_model.flow.tvl1 import tvl1

__all__ = ["farneback", "tvl1"]
