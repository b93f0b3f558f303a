"""The motion of one look -> what the strip shows of it: the colour wheel's pictures, and a CNN's.

As the player is told it, in JSON:

    look, algorithm, seconds, size_px, radius_px             which frames; how, how fast and at what size measured
    wheel{images[], legend}, cnn{images[], legend}           one picture a frame; the disc that explains their colours
"""

from __future__ import annotations

import json
import math
import time
from typing import TYPE_CHECKING, Any

import numpy as np

from demo.engine import Engine
from demo.player import png, thumbnail
from demo.watching import Watched
from s2vt_model.capture import cv2
from s2vt_model.progress import Work
from s2vt_model.video import read_clip

if TYPE_CHECKING:
    from torch import Tensor

MEANT_FOR_FULL_COLOUR = 0.98  # of all pixels; the few that are faster still would pale all others
FRIENDLY = (1, 1.5, 2, 3, 4, 5, 6, 8, 10)  # and their tenfolds
LEGEND_PX = 128  # shown at half that, for sharp screens


def motion_message(engine: Engine, watched: Watched, algorithm: str) -> Work[str]:
    """Measure the motion of the frames that were watched. Returns what the player is told.

    The frames are read again: keeping them would take some 35 MB for every visitor, most of whom never
    ask for motion, whereas the file is still there and reading a short clip takes a fraction of a second.
    """
    from s2vt_model.clip_flow import FlowSettings, clip_flow  # here, as it imports torch

    settings = FlowSettings(algorithm)
    wish = watched.wish
    captioner = yield from engine.captioner(wish.model)
    clip = yield from read_clip(wish.path, watched.sampling, wish.start, wish.end)
    began = time.perf_counter()
    flow = yield from clip_flow(clip, settings, captioner.device)
    seconds = time.perf_counter() - began
    motion = {
        "look": watched.scene["look"],
        "algorithm": algorithm,
        "seconds": seconds,
        "size_px": [settings.width, settings.height],
        **pictures_of(flow, clip.frames.shape[1:3]),
    }
    return json.dumps({"motion": motion})


def no_motion_message() -> str:
    """What the player is told when there will be no motion; each one differs, or Gradio would see no change."""
    return json.dumps({"no_motion": time.monotonic_ns()})


def pictures_of(flow: Tensor, frame_size: tuple[int, int]) -> dict[str, Any]:
    """Flow (N, 2, H, W) in px -> thumbnails in the proportions of frames of `frame_size` (height, width)."""
    from s2vt_model.flow.image import S2VT_CENTRE, S2VT_SCALE, colour_wheel, flow_image, wheel_legend

    radius_px = wheel_radius_px(flow)
    height, width = frame_size

    def as_frame(picture: Tensor) -> str:
        # Measured in a square; stretched back, it lies over its frame.
        return thumbnail(cv2.resize(picture.numpy(), (width, height), interpolation=cv2.INTER_LINEAR))

    return {
        "radius_px": radius_px,
        # A frame at a time: a whole clip in floating-point colours would take a hundred MB.
        "wheel": {
            "images": [as_frame(colour_wheel(one[None], radius_px)[0]) for one in flow],
            "legend": png(wheel_legend(LEGEND_PX).numpy()),
        },
        "cnn": {
            "images": [as_frame(flow_image(one[None], "s2vt")[0]) for one in flow],
            "legend": png(flow_image(_all_directions(S2VT_CENTRE / S2VT_SCALE), "s2vt")[0].numpy()),
        },
    }


def wheel_radius_px(flow: Tensor) -> float:
    """The speed that gets the full colour: nearly the fastest there is, rounded up; 1 px a frame at least."""
    fast = float(np.quantile(flow.norm(dim=1).numpy(), MEANT_FOR_FULL_COLOUR))
    tens = 10 ** math.floor(math.log10(max(fast, 1)))
    return next(friendly * tens for friendly in FRIENDLY if friendly * tens >= fast)


def _all_directions(rim_px: float) -> Tensor:
    """(1, 2, LEGEND_PX, LEGEND_PX): motion from the middle outwards, as on the wheel."""
    import torch

    offset = torch.linspace(-rim_px, rim_px, LEGEND_PX)
    y, x = torch.meshgrid(offset, offset, indexing="ij")
    return torch.stack([x, y])[None]
