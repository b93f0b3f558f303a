"""The flow of a `Clip`: how each sampled frame moves on to the next frame of its film."""

from dataclasses import dataclass
from typing import Literal

import cv2
import numpy as np
import torch
from torch import Tensor

from s2vt_model.errors import FlowError
from s2vt_model.flow import farneback, tvl1
from s2vt_model.progress import Progress, Work
from s2vt_model.video import Clip

Algorithm = Literal["farneback", "tvl1"]
PAIRS_PER_STEP = {"cpu": 4, "cuda": 64}  # between two reports of progress


@dataclass(frozen=True)
class FlowSettings:
    """How flow is measured. A CNN that learned from one algorithm at one size does not read another's."""

    algorithm: Algorithm = "farneback"
    height: int = 224  # px; frames are resized first, and the flow is that of the resized frames
    width: int = 224

    def __post_init__(self):
        if self.algorithm not in ("farneback", "tvl1"):
            raise FlowError(f"The flow algorithms are farneback and tvl1, not “{self.algorithm}”.")


def clip_flow(
    clip: Clip, settings: FlowSettings, device: str | torch.device = "cpu", stage: str = "flow"
) -> Work[Tensor]:
    """(N, 2, height, width) float32 px on the CPU, for the clip's N frames. Yields `Progress` of `stage`.

    Raises `FlowError` where the film has a single frame. A film's very last frame has no successor:
    its flow, if that frame was sampled, is zero, but for the edges that Farnebäck's sees moving.
    """
    if clip.source_frames < 2:
        raise FlowError("This video has a single frame: there is no motion to measure. Choose a longer part.")
    size = (settings.width, settings.height)
    first, second = (_grey(frames, size) for frames in (clip.frames, clip.next_frames))
    measure = farneback if settings.algorithm == "farneback" else tvl1
    step = PAIRS_PER_STEP[torch.device(device).type]
    flows = []
    for start in range(0, len(first), step):
        yield Progress(stage, start / len(first), f"Measuring motion: frame {start + 1} of {len(first)}")
        part = slice(start, start + step)
        flows.append(measure(first[part].to(device), second[part].to(device)).cpu())
    return torch.cat(flows)


def _grey(frames: np.ndarray, size: tuple[int, int]) -> Tensor:
    """(N, H, W, 3) uint8 RGB -> (N, height, width) uint8."""
    resized = (cv2.resize(frame, size, interpolation=cv2.INTER_AREA) for frame in frames)
    return torch.from_numpy(np.stack([cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY) for frame in resized]))
