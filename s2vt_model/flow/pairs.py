"""What flow is measured between: pairs of grey images, checked at the door, cut into chunks.

Consecutive frames of a film share images (each is the second of one pair and the first of the
next), so what an algorithm computes an image at a time is computed once.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from s2vt_model.errors import FlowError

MIN_SIDE_PX = 16
Frames = Tensor | np.ndarray | Sequence[Tensor | np.ndarray]


@dataclass(frozen=True)
class Pairs:
    """N pairs among M images."""

    images: Tensor  # (M, H, W) uint8 or float32, 0..255
    first: slice  # the N images that pairs start from
    second: slice  # the N images that they end at

    @property
    def count(self) -> int:
        return len(range(*self.first.indices(len(self.images))))

    @property
    def size(self) -> tuple[int, int]:
        """(H, W)."""
        return tuple(self.images.shape[-2:])

    def chunks(self, pairs: int) -> Iterator["Pairs"]:
        """The same pairs, at most `pairs` at a time."""
        count, gap = self.count, self.second.start
        for start in range(0, count, pairs):
            end = min(start + pairs, count)
            if gap == 1:
                yield Pairs(self.images[start : end + 1], slice(0, -1), slice(1, None))
            else:
                yield _side_by_side(self.images[start:end], self.images[gap + start : gap + end])


def as_pairs(frames: Frames, second: Frames | None) -> Pairs:
    """Consecutive frames (T, H, W), or explicit pairs: `frames` and `second`, (N, H, W) each.

    Raises `FlowError` for what is not a set of grey images in 0..255. Floating-point images are
    looked through for that, which on a GPU waits for them; uint8 images need no look.
    """
    images = _images(frames)
    if second is not None:
        others = _images(second)
        if others.shape != images.shape or others.device != images.device:
            raise FlowError(
                f"The first and the second images of pairs must be alike; they are {tuple(images.shape)} on "
                f"{images.device} and {tuple(others.shape)} on {others.device}. Resize or move one of them."
            )
        return _side_by_side(images, others)
    if len(images) < 2:
        raise FlowError("Flow is measured between two frames; there is one. Pass two or more.")
    return Pairs(images, slice(0, -1), slice(1, None))


def pairs_within(memory_mb: float, size: tuple[int, int], floats_per_pixel: int) -> int:
    """How many pairs of `size` may be worked on at once, one at least."""
    bytes_per_pair = size[0] * size[1] * floats_per_pixel * 4
    if not 0 < memory_mb < float("inf"):
        raise FlowError(f"The memory for flow is a number of MB above 0; it is {memory_mb}.")
    return max(int(memory_mb * 2**20 / bytes_per_pair), 1)


def _side_by_side(first: Tensor, second: Tensor) -> Pairs:
    return Pairs(torch.cat([first, second]), slice(0, len(first)), slice(len(first), None))


def _images(frames: Frames) -> Tensor:
    if not isinstance(frames, Tensor | np.ndarray):
        frames = [_tensor(frame) for frame in frames]
        if not frames:
            raise FlowError("Flow is measured between two frames; there is none. Pass two or more.")
        sizes = {tuple(frame.shape) for frame in frames}
        if len(sizes) != 1:
            raise FlowError(f"The frames differ in size ({sorted(sizes)}). Resize them to one size.")
        frames = torch.stack(frames)
    images = _tensor(frames)
    if images.ndim == 4 or (images.ndim == 3 and images.shape[-1] == 3):
        raise FlowError(
            f"Flow is measured on grey frames, (T, H, W); these are {tuple(images.shape)}. "
            "Convert colour to grey first, for instance with cv2.cvtColor."
        )
    if images.ndim != 3 or len(images) == 0:
        raise FlowError(f"Flow is measured on frames (T, H, W); these are {tuple(images.shape)}.")
    if min(images.shape[-2:]) < MIN_SIDE_PX:
        height, width = images.shape[-2:]
        raise FlowError(f"The frames are {width}×{height} px; flow needs {MIN_SIDE_PX} px a side. Pass larger frames.")
    if images.dtype not in (torch.uint8, torch.float32):
        raise FlowError(f"Frames are uint8 or float32, in 0..255; these are {images.dtype}. Convert them.")
    if images.dtype == torch.float32:
        low, high = (float(x) for x in images.aminmax())  # NaN if there is one anywhere
        if not (low >= 0 and high <= 255):
            raise FlowError(f"Frames lie in 0..255; these hold values from {low:g} to {high:g}. Mend or rescale them.")
        if 0 < high <= 1:
            raise FlowError("Frames lie in 0..255; these lie in 0..1. Multiply them by 255.")
    return images


def _tensor(frames: Tensor | np.ndarray) -> Tensor:
    """NumPy's views may run backwards, as mirrored pictures do; tensors cannot."""
    return torch.from_numpy(np.ascontiguousarray(frames)) if isinstance(frames, np.ndarray) else frames
