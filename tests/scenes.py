"""Pictures with motion that is known, drawn by the tests."""

import cv2
import numpy as np
import torch
from torch import Tensor


def moving_texture(
    frames: int, size: tuple[int, int] = (56, 72), motion: tuple[float, float] = (1.2, -0.6)
) -> Tensor:
    """(T, H, W) uint8: soft blobs that move by `motion` (x, y) px from each frame to the next."""
    height, width = size
    rng = np.random.default_rng(0)
    margin = 8 + int(np.ceil(max(map(abs, motion)) * frames))
    noise = rng.standard_normal((height + 2 * margin, width + 2 * margin)).astype(np.float32)
    texture = cv2.GaussianBlur(noise, (0, 0), 1.5) + 2 * cv2.GaussianBlur(noise, (0, 0), 4)
    texture = np.clip(128 + 50 * texture / texture.std(), 0, 255)
    y, x = (axis.astype(np.float32) for axis in np.mgrid[:height, :width])
    from_x = [x + np.float32(margin - t * motion[0]) for t in range(frames)]
    from_y = [y + np.float32(margin - t * motion[1]) for t in range(frames)]
    film = [cv2.remap(texture, *place, cv2.INTER_CUBIC) for place in zip(from_x, from_y, strict=True)]
    return torch.from_numpy(np.clip(np.rint(np.stack(film)), 0, 255).astype(np.uint8))
