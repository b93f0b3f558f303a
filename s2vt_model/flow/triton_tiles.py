"""Images cut into tiles, one a program: what the Triton kernels for flow share.

Only Triton's own functions are used in kernels, none of its library in Triton (`tl.zeros`,
`tl.cdiv`, …), so that kernels run in its interpreter whenever TRITON_INTERPRET is set.
"""

import torch
import triton
import triton.language as tl
from torch import Tensor


def launch(kernel: triton.JITFunction, planes: Tensor, *arguments, margin: int = 0, **constants) -> None:
    """Run `kernel` on every tile of every image of `planes` (N, …, H, W), on its device.

    The kernel gets `arguments`, H and W, and `constants`, ROWS and COLS (of a tile, with its
    margins) among them. Tiles are apart by their size less a `margin` on each side.
    """
    height, width = planes.shape[-2:]
    rows, cols = constants["ROWS"] - 2 * margin, constants["COLS"] - 2 * margin
    tiles = len(planes) * triton.cdiv(height, rows) * triton.cdiv(width, cols)
    with torch.cuda.device_of(planes):  # Triton launches on the current device
        kernel[(tiles,)](*arguments, height, width, **constants)


@triton.jit
def tile(height, width, ROWS: tl.constexpr, COLS: tl.constexpr, MARGIN: tl.constexpr):
    """This program's image, its pixels' y (ROWS, 1) and x (1, COLS), and which pixels are its to write.

    Coordinates beyond the image are those of its edge: they can be loaded from, without a mask.
    """
    rows: tl.constexpr = ROWS - 2 * MARGIN
    cols: tl.constexpr = COLS - 2 * MARGIN
    across = (width + cols - 1) // cols
    down = (height + rows - 1) // rows
    program = tl.program_id(0)
    image = program // (across * down)
    place = program % (across * down)
    row = tl.arange(0, ROWS)[:, None]
    col = tl.arange(0, COLS)[None, :]
    y = place // across * rows + row - MARGIN
    x = place % across * cols + col - MARGIN
    own = (row >= MARGIN) & (row < ROWS - MARGIN) & (col >= MARGIN) & (col < COLS - MARGIN)
    # An image's index times its size may not fit 32 bits.
    return image.to(tl.int64), clamped(y, height), clamped(x, width), own & (y < height) & (x < width)


@triton.jit
def clamped(i, length):
    """The index within 0 … length - 1 that is nearest to `i`: borders repeat the edge."""
    return tl.minimum(tl.maximum(i, 0), length - 1)
