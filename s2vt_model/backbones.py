"""Frames -> feature vectors. A backbone is a folder that knows its own preprocessing.

    weights/backbones/NAME/
        config.json            architecture (a timm name), sizes, preprocessing, licence
        model.safetensors      its weights, float16
        golden.safetensors     a few synthetic frames and the features they must give
        README.md              where the weights come from

A wrong preprocessing or wrong weights of the right shape raise no error by themselves; they only
make fluent nonsense out of every video. The golden sample, checked at loading, turns that into an
error.
"""

import json
import math
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import timm
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn
from torch.nn import functional as F

from s2vt_model.errors import CheckpointError, first_line
from s2vt_model.progress import Progress, Work, finish

FILES = ("config.json", "model.safetensors", "golden.safetensors")
# On a CPU few at a time: the activations of four frames stay in its cache, those of 32 do not.
FRAMES_PER_BATCH = {"cpu": 4, "cuda": 64}


@dataclass(frozen=True)
class BackboneConfig:
    """What it takes to rebuild a backbone. The words are timm's."""

    name: str
    architecture: str  # timm's model name
    feature_size: int  # length of a feature vector, after global pooling
    input_size: int  # height and width of the network's input, px
    crop_pct: float  # share of each side that is kept, about the centre
    mean: tuple[float, float, float]  # of RGB in 0..1
    std: tuple[float, float, float]
    golden_tolerance: float  # relative L2 distance that float16 storage and other hardware may cause
    license: str
    source: str

    def to_json(self) -> str:
        return json.dumps(asdict(self), indent=2) + "\n"


class Backbone(nn.Module):
    """A timm image network without its classifier, and its preprocessing.

    The preprocessing is timm's `crop_mode="squash"`: the frame's whole width counts, at the price
    of its aspect ratio. (timm's default crops to a square: a third of a 16:9 frame would be lost.)
    """

    def __init__(self, config: BackboneConfig):
        super().__init__()
        if not timm.is_model(config.architecture):  # timm would take "hf-hub:…" as an order to download
            raise ValueError(f"timm has no network “{config.architecture}”")
        self.config = config
        self.network = timm.create_model(config.architecture, pretrained=False, num_classes=0)
        self.register_buffer("mean", torch.tensor(config.mean).view(3, 1, 1), persistent=False)
        self.register_buffer("std", torch.tensor(config.std).view(3, 1, 1), persistent=False)
        self.eval()

    @property
    def device(self) -> torch.device:
        return self.mean.device

    def preprocess(self, frames: np.ndarray) -> Tensor:
        """(N, H, W, 3) uint8 RGB -> (N, 3, S, S) float32, normalised, on the backbone's device."""
        height, width = frames.shape[1:3]
        top = round(height * (1 - self.config.crop_pct) / 2)
        left = round(width * (1 - self.config.crop_pct) / 2)
        cropped = frames[:, top : height - top, left : width - left]
        x = torch.from_numpy(np.ascontiguousarray(cropped)).to(self.device)
        x = x.permute(0, 3, 1, 2).float()  # (N, 3, h, w)
        size = (self.config.input_size, self.config.input_size)
        x = F.interpolate(x, size, mode="bicubic", antialias=True).clamp(0, 255) / 255
        return ((x - self.mean) / self.std).contiguous(memory_format=torch.channels_last)

    @torch.inference_mode()
    def forward(self, frames: np.ndarray) -> Tensor:
        """(N, H, W, 3) uint8 RGB -> (N, feature_size) float32 on the CPU."""
        return self.network(self.preprocess(frames)).float().cpu()

    def extract(self, frames: np.ndarray) -> Work[Tensor]:
        """`forward` batch by batch, with progress. Returns (N, feature_size) on the CPU."""
        batch = FRAMES_PER_BATCH.get(self.device.type, FRAMES_PER_BATCH["cpu"])
        features = []
        for at in range(0, len(frames), batch):
            yield Progress("features", at / len(frames), f"Looking at frame {at + 1} of {len(frames)}")
            features.append(self(frames[at : at + batch]))
        return torch.cat(features)


def load_backbone(folder: str | Path, device: str | torch.device = "cpu") -> Backbone:
    """The backbone in `folder`, checked against its golden sample. Raises `CheckpointError`."""
    folder = Path(folder)
    missing = [name for name in FILES if not (folder / name).is_file()]
    if missing:
        raise CheckpointError(f"The backbone folder “{folder}” lacks “{missing[0]}”. Restore the folder.")
    try:
        fields = json.loads((folder / "config.json").read_text(encoding="utf-8"))
        backbone = Backbone(BackboneConfig(**fields))
        weights = load_file(folder / "model.safetensors")
        golden = load_file(folder / "golden.safetensors")
        backbone.network.load_state_dict(
            {name: t.float() if t.is_floating_point() else t for name, t in weights.items()}
        )
    except (OSError, ValueError, TypeError, KeyError, RuntimeError, SafetensorError) as error:
        raise CheckpointError(
            f"The backbone in “{folder}” is damaged ({first_line(error)}). Restore the folder."
        ) from error
    backbone = backbone.to(device).to(memory_format=torch.channels_last)
    _check_golden(backbone, golden, folder)
    return backbone


def golden_distance(backbone: Backbone, golden: dict[str, Tensor]) -> float:
    """Relative L2 distance between the features of the golden frames and those on record."""
    found = finish(backbone.extract(golden["frames"].numpy()))
    return ((found - golden["features"]).norm() / golden["features"].norm()).item()


def _check_golden(backbone: Backbone, golden: dict[str, Tensor], folder: Path) -> None:
    try:
        distance = golden_distance(backbone, golden)
    except (KeyError, ValueError, TypeError, RuntimeError):  # a sample, or a preprocessing, that cannot be
        distance = math.inf
    if not distance <= backbone.config.golden_tolerance:  # also catches NaN
        raise CheckpointError(
            f"The backbone in “{folder}” does not reproduce its golden sample (relative distance "
            f"{distance:.2g}, allowed {backbone.config.golden_tolerance:g}): its weights or its "
            "preprocessing are not the ones it was stored with. Restore the folder."
        )
