"""Flow -> pictures: those that CNNs were trained on, and the colour wheel that people read."""

import math
from functools import lru_cache
from typing import Literal

import torch
from torch import Tensor

from s2vt_model.errors import FlowError

Preset = Literal["s2vt", "two_stream"]

S2VT_SCALE, S2VT_CENTRE = 16, 128  # grey levels a px; the level of no motion. So 8 px saturate
TWO_STREAM_BOUND_PX = 20

# Middlebury's wheel (Baker et al., IJCV 2011): so many hues from one pure colour to the next
_WHEEL = (("red", "yellow", 15), ("yellow", "green", 6), ("green", "cyan", 4), ("cyan", "blue", 11),
          ("blue", "magenta", 13), ("magenta", "red", 6))  # fmt: skip
_PURE = {"red": (1, 0, 0), "yellow": (1, 1, 0), "green": (0, 1, 0),
         "cyan": (0, 1, 1), "blue": (0, 0, 1), "magenta": (1, 0, 1)}  # fmt: skip
BEYOND_SCALE = 0.75  # brightness of flow that is longer than the wheel's radius


def flow_image(flow: Tensor, preset: Preset = "s2vt") -> Tensor:
    """What a flow CNN sees. flow: (N, 2, H, W) px -> uint8, channels last, on the same device.

    "s2vt": (N, H, W, 3), x and y as 16 · flow + 128 and as third channel 16 · |flow| + 128, as in
    the code for LRCN (Donahue et al. 2015), which S2VT's flow net comes from. ±8 px saturate.
    "two_stream": (N, H, W, 2), x and y from ±20 px to 0..255 (Wang et al. 2016, as in dense_flow).

    Flow grows with the frames: resize frames to the size that the CNN was trained on, then measure.
    """
    _check(flow)
    if preset == "s2vt":
        length = flow.norm(dim=1, keepdim=True)
        levels = torch.cat([flow, length], dim=1) * S2VT_SCALE + S2VT_CENTRE
    elif preset == "two_stream":
        levels = (flow + TWO_STREAM_BOUND_PX) * (255 / (2 * TWO_STREAM_BOUND_PX))
    else:
        raise FlowError(f"The presets of flow images are s2vt and two_stream, not “{preset}”.")
    return levels.round().clamp(0, 255).to(torch.uint8).permute(0, 2, 3, 1)


def colour_wheel(flow: Tensor, radius_px: float) -> Tensor:
    """Direction as hue, speed as saturation: (N, 2, H, W) px -> (N, H, W, 3) uint8 RGB.

    No motion is white; motion of `radius_px` has the full colour, and longer motion is darker.
    """
    _check(flow)
    if not (math.isfinite(radius_px) and radius_px > 0):
        raise FlowError(f"The colour wheel's radius is a length in px, above 0; it is {radius_px}.")
    wheel = _wheel(flow.device)
    x, y = flow.unbind(1)
    # Middlebury's code maps the circle to one hue less, which leaves a seam at the right.
    place = (torch.atan2(-y, -x) / math.pi + 1) / 2 * len(wheel)
    lower = place.floor()
    share = (place - lower)[..., None]
    lower = lower.long() % len(wheel)
    hue = torch.lerp(wheel[lower], wheel[(lower + 1) % len(wheel)], share)
    speed = (flow.norm(dim=1) / radius_px)[..., None]
    colour = torch.where(speed <= 1, 1 - speed * (1 - hue), hue * BEYOND_SCALE)
    return (colour * 255).floor().to(torch.uint8)


def wheel_legend(side_px: int) -> Tensor:
    """The wheel itself, (side_px, side_px, 3) uint8 RGB: the colour at a place is that of motion towards it."""
    offset = torch.linspace(-1, 1, side_px)
    y, x = torch.meshgrid(offset, offset, indexing="ij")
    return colour_wheel(torch.stack([x, y])[None], radius_px=1.0)[0]


@lru_cache(maxsize=4)
def _wheel(device: torch.device) -> Tensor:
    """(55, 3) RGB in 0..1, red first."""
    hues = []
    for start, end, steps in _WHEEL:
        a, b = torch.tensor(_PURE[start]).float(), torch.tensor(_PURE[end]).float()
        # Middlebury's table holds whole grey levels, rounded down.
        hues += [torch.lerp(a, b, step / steps).mul(255).floor().div(255) for step in range(steps)]
    return torch.stack(hues).to(device)


def _check(flow: Tensor) -> None:
    if flow.ndim != 4 or flow.shape[1] != 2:
        raise FlowError(f"Flow is (N, 2, H, W); this is {tuple(flow.shape)}.")
