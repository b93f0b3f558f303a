"""Write tests/data/tvl1_opencv5.npz: what OpenCV's TV-L1 says of frames made here.

TV-L1 is in OpenCV's contrib wheel only, which cannot be installed beside the one this project uses:

    python3 -m venv reference
    reference/bin/pip install numpy==2.4.6 opencv-contrib-python-headless==5.0.0.93
    reference/bin/python -m scripts.make_tvl1_reference

OpenCV 4 rounds coordinates to 1/32 px, OpenCV 5 does not; the reference is 5.
"""

from pathlib import Path

import cv2
import numpy as np

PROJECT = Path(__file__).parent.parent
FILE = PROJECT / "tests" / "data" / "tvl1_opencv5.npz"
PHOTO = PROJECT / "demo" / "examples" / "rabbit.mp4"  # Big Buck Bunny, CC BY 3.0, Blender Foundation
PHOTO_FRAME = 30
OVERSAMPLING = 4  # scenes are drawn so much larger, moved, and shrunk
SMALL, LARGE = (72, 96), (180, 320)  # height, width of the frames
LARGE_MOTION_PX = (6.2, -3.4)
SETTINGS = {
    "one_warp": {"scalesNumber": 1, "warpingsNumber": 1, "outerIterations": 1, "epsilon": 0.0},
    "fixed": {"outerIterations": 1, "epsilon": 0.0},
    "defaults": {},
}


def main() -> None:
    rng = np.random.default_rng(1)
    scenes = [
        _warped(_texture(rng, SMALL), SMALL, lambda x, y: (1.3, -0.7)),
        _turned(rng, SMALL),
        _box_moves(rng, SMALL),
    ]
    first, second = (np.stack(frames) for frames in zip(*scenes, strict=True))
    flows = {
        name: np.stack([_opencv(a, b, settings) for a, b in zip(first, second, strict=True)])
        for name, settings in SETTINGS.items()
    }
    far_first, far_second = _warped(_photo(LARGE), LARGE, lambda x, y: LARGE_MOTION_PX)
    far_error = _error(_opencv(far_first, far_second, {}), LARGE_MOTION_PX)
    FILE.parent.mkdir(exist_ok=True)
    np.savez_compressed(
        FILE,
        opencv=cv2.__version__,
        first=first,
        second=second,
        far_first=far_first,
        far_second=far_second,
        far_motion=np.float32(LARGE_MOTION_PX),
        far_error=np.float32(far_error),
        **flows,
    )
    print(f"{FILE.name}: OpenCV {cv2.__version__}; its error on a motion of {LARGE_MOTION_PX} px: {far_error:.4f} px")


def _opencv(first: np.ndarray, second: np.ndarray, settings: dict) -> np.ndarray:
    """(2, H, W) float32 px."""
    algorithm = cv2.optflow.DualTVL1OpticalFlow_create()  # a fresh one: it forgets to restore its scales
    for name, value in settings.items():
        getattr(algorithm, f"set{name[0].upper()}{name[1:]}")(value)
    return algorithm.calc(first, second, None).transpose(2, 0, 1)


def _error(flow: np.ndarray, motion: tuple[float, float]) -> float:
    """Average end-point error where what is seen stays in the frame."""
    _, height, width = flow.shape
    y, x = np.mgrid[:height, :width] + np.array(motion[::-1])[:, None, None]
    stays = (x >= 0) & (x <= width - 1) & (y >= 0) & (y <= height - 1)
    distance = np.hypot(flow[0] - motion[0], flow[1] - motion[1])
    return float(distance[stays].mean())


# --- scenes: I0(x) = I1(x + u) -----------------------------------------------------------------


def _photo(size: tuple[int, int]) -> np.ndarray:
    """A frame of a film: large motions are harder on what is drawn than on noise."""
    capture = cv2.VideoCapture(str(PHOTO))
    capture.set(cv2.CAP_PROP_POS_FRAMES, PHOTO_FRAME)
    _, picture = capture.read()
    height, width = (side * OVERSAMPLING for side in size)
    grey = cv2.cvtColor(picture, cv2.COLOR_BGR2GRAY)
    return cv2.resize(grey, (width, height), interpolation=cv2.INTER_CUBIC).astype(np.float32)


def _texture(rng: np.random.Generator, size: tuple[int, int]) -> np.ndarray:
    """Noise of all scales, as coarse structures are in natural pictures too. Float32, 0..255."""
    height, width = (side * OVERSAMPLING for side in size)
    total = np.zeros((height, width), np.float32)
    cell = 6
    while cell < max(height, width):
        noise = rng.standard_normal((height // cell + 4, width // cell + 4)).astype(np.float32)
        total += cell**0.8 * cv2.resize(noise, (width, height), interpolation=cv2.INTER_CUBIC)
        cell *= 2
    low, high = np.percentile(total, (1, 99))
    return np.clip((total - low) / (high - low) * 255, 0, 255)


def _shrunk(picture: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    shrunk = cv2.resize(picture, size[::-1], interpolation=cv2.INTER_AREA)
    return np.clip(np.rint(shrunk), 0, 255).astype(np.uint8)


def _warped(second: np.ndarray, size: tuple[int, int], motion) -> tuple[np.ndarray, np.ndarray]:
    """A picture, and how it was where it comes from. motion(x, y): px of the small frames."""
    height, width = second.shape
    y, x = (axis.astype(np.float32) for axis in np.mgrid[:height, :width])
    u, v = motion(x / OVERSAMPLING - size[1] / 2, y / OVERSAMPLING - size[0] / 2)
    to_x, to_y = (np.float32(a + b * OVERSAMPLING) for a, b in ((x, u), (y, v)))
    first = cv2.remap(second, to_x, to_y, cv2.INTER_CUBIC, borderMode=cv2.BORDER_REFLECT_101)
    return _shrunk(first, size), _shrunk(second, size)


def _turned(rng: np.random.Generator, size: tuple[int, int]):
    """1.5 degrees and 2 % larger, about the middle."""
    angle, zoom = np.deg2rad(1.5), 1.02
    cos, sin = zoom * np.cos(angle), zoom * np.sin(angle)
    return _warped(_texture(rng, size), size, lambda x, y: ((cos - 1) * x - sin * y, sin * x + (cos - 1) * y))


def _box_moves(rng: np.random.Generator, size: tuple[int, int]):
    """A textured box goes 2 px right and 1 px down before a background that stays."""
    background, box = _texture(rng, size), _texture(rng, (size[0] // 3, size[1] // 3))
    height, width = box.shape
    frames = []
    for x, y in ((24, 20), (26, 21)):
        frame = background.copy()
        frame[y * OVERSAMPLING :, x * OVERSAMPLING :][:height, :width] = box
        frames.append(_shrunk(frame, size))
    return tuple(frames)


if __name__ == "__main__":
    main()
