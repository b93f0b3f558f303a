"""Frames -> feature vectors. A backbone is a folder that knows its own preprocessing.

An *image* backbone makes a vector of every frame; a *motion* backbone makes one of every eight; a
*flow* backbone makes one of every frame's flow image: how it moves on to the next frame of the film.

    weights/backbones/NAME/
        config.json            architecture (a timm name, "i3d" or "caffenet_flow"), sizes, preprocessing, licence
        model.safetensors      its weights, float16 (float32 where they were converted from Caffe)
        golden.safetensors     a few synthetic frames and the features they must give
        README.md              where the weights come from

A backbone called OWNER/NAME is a repository of the Hugging Face Hub. Its folder may have a config.json alone;
then no video can be looked at with it (`AbsentBackbone`).

A wrong preprocessing or wrong weights of the right shape raise no error by themselves; they only
make fluent nonsense out of every video. The golden sample, checked at loading, turns that into an
error.
"""

import json
import math
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import timm
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from torch.nn import functional as F

from s2vt_model.caffenet_flow import CaffeNetFlow
from s2vt_model.clip_flow import FlowSettings, clip_flow
from s2vt_model.config import check_choice
from s2vt_model.errors import CheckpointError, VideoError, first_line
from s2vt_model.flow.image import flow_image
from s2vt_model.i3d import FRAMES_PER_VECTOR, I3D
from s2vt_model.progress import Progress, Work, finish
from s2vt_model.video import Clip

FILES = ("model.safetensors", "golden.safetensors")
FOLDER = ("config.json", *FILES)  # all that a folder with weights must have
# On a CPU few at a time: the activations of four frames stay in its cache, those of 32 do not.
FRAMES_PER_BATCH = {"cpu": 4, "cuda": 64}
TOO_SHORT = "it has a single frame, and this model looks at motion. Give it a longer part."


@dataclass(frozen=True)
class BackboneConfig:
    """What it takes to rebuild a backbone. The words are timm's."""

    name: str
    architecture: str  # timm's model name, "i3d" or "caffenet_flow"
    feature_size: int  # length of a feature vector, after global pooling
    input_size: int  # height and width of the network's input, px
    crop_mode: Literal["squash", "center"]  # the whole frame, at the price of its aspect ratio; or its central square
    crop_pct: float  # share of each side of that which is kept, about the centre
    mean: tuple[float, float, float]  # of the network's three channels, black being 0 and white `white`
    std: tuple[float, float, float]
    golden_tolerance: float  # relative L2 distance that float16 storage and other hardware may cause
    license: str
    source: str
    white: float = 1.0  # what the brightest level becomes before mean and std; 255 in Caffe's networks
    channel_order: Literal["rgb", "bgr"] = "rgb"  # in which the network takes them; Caffe's take BGR
    interpolation: Literal["bicubic", "bilinear"] = "bicubic"
    antialias: bool = True  # Caffe's images were resized without
    features: Literal["pre_logits", "map"] = "pre_logits"  # what precedes the classifier, or the last map's mean
    flow: FlowSettings | None = None  # of a flow backbone, whose pictures are flow images: how they are made

    @property
    def on_hub(self) -> bool:
        return "/" in self.name

    def to_json(self) -> str:
        fields = asdict(self)
        if self.flow is None:
            del fields["flow"]
        return json.dumps(fields, indent=2) + "\n"

    @classmethod
    def from_json(cls, text: str) -> "BackboneConfig":
        """Raises `ValueError`, `KeyError` or `TypeError` where the text is not such a config."""
        fields = json.loads(text)
        fields |= {name: tuple(fields[name]) for name in ("mean", "std")}
        if "flow" in fields:
            fields["flow"] = FlowSettings(**fields["flow"])
        return cls(**fields)


class Backbone(nn.Module):
    """A network without its classifier, and its preprocessing."""

    frames_per_vector: int

    def __init__(self, config: BackboneConfig, network: nn.Module):
        super().__init__()
        check_choice("crop mode", config.crop_mode, ("squash", "center"))
        check_choice("channel order", config.channel_order, ("rgb", "bgr"))
        check_choice("interpolation", config.interpolation, ("bicubic", "bilinear"))
        check_choice("kind of features", config.features, ("pre_logits", "map"))
        self.config = config
        self.network = network
        self.weights: Path | None = None  # the file they were loaded from
        self.register_buffer("mean", torch.tensor(config.mean).view(3, 1, 1), persistent=False)
        self.register_buffer("std", torch.tensor(config.std).view(3, 1, 1), persistent=False)
        self.eval()

    @property
    def device(self) -> torch.device:
        return self.mean.device

    def preprocess(self, frames: np.ndarray) -> Tensor:
        """(N, H, W, 3) uint8 RGB -> (N, 3, S, S) float32, as the network takes it, on the backbone's device."""
        if self.config.crop_mode == "center":
            frames = _central_square(frames)
        height, width = frames.shape[1:3]
        top, left = (math.floor(side * (1 - self.config.crop_pct) / 2 + 0.5) for side in (height, width))
        cropped = frames[:, top : height - top, left : width - left]
        x = torch.from_numpy(np.ascontiguousarray(cropped)).to(self.device)
        x = x.permute(0, 3, 1, 2).float()  # (N, 3, h, w)
        size = (self.config.input_size, self.config.input_size)
        x = F.interpolate(x, size, mode=self.config.interpolation, antialias=self.config.antialias)
        x = x.clamp(0, 255) / (255 / self.config.white)
        if self.config.channel_order == "bgr":
            x = x.flip(1)
        return ((x - self.mean) / self.std).contiguous(memory_format=torch.channels_last)

    def forward(self, frames: np.ndarray) -> Tensor:
        """(N, H, W, 3) uint8 RGB -> (M, feature_size) float32 on the CPU."""
        raise NotImplementedError

    def extract(self, frames: np.ndarray) -> Work[Tensor]:
        """`forward` with progress. Raises `VideoError`, to follow the video's name, where N is too small."""
        raise NotImplementedError

    def features_of(self, clip: Clip) -> Work[Tensor]:
        """(M, feature_size) of a clip, with progress. Raises `VideoError`, to follow the video's name."""
        return self.extract(clip.frames)


class ImageBackbone(Backbone):
    """A network that looks at every frame by itself, timm's or the authors' for images of flow: M = N."""

    frames_per_vector = 1

    def __init__(self, config: BackboneConfig):
        super().__init__(config, image_network(config.architecture).to(memory_format=torch.channels_last))

    @torch.inference_mode()
    def forward(self, frames: np.ndarray) -> Tensor:
        x = self.preprocess(frames)
        if self.config.features == "map":
            return self.network.forward_features(x).mean(dim=(2, 3)).float().cpu()
        return self.network(x).float().cpu()

    def extract(self, frames: np.ndarray) -> Work[Tensor]:
        batch = FRAMES_PER_BATCH.get(self.device.type, FRAMES_PER_BATCH["cpu"])
        features = []
        for at in range(0, len(frames), batch):
            yield Progress("features", at / len(frames), f"Looking at frame {at + 1} of {len(frames)}")
            features.append(self(frames[at : at + batch]))
        return torch.cat(features)


class FlowBackbone(ImageBackbone):
    """An image network over flow images (`flow_image`'s "s2vt"), which take the frames' place: M = N."""

    def features_of(self, clip: Clip) -> Work[Tensor]:
        if clip.source_frames < 2:
            raise VideoError(TOO_SHORT)
        flow = yield from clip_flow(clip, self.config.flow, self.device, stage="features")
        return (yield from self.extract(flow_image(flow, "s2vt").numpy()))


class MotionBackbone(Backbone):
    """I3D over all frames at once: M = ⌈N / 8⌉. The last frame is repeated until eights are full."""

    frames_per_vector = FRAMES_PER_VECTOR

    def __init__(self, config: BackboneConfig):
        super().__init__(config, I3D())

    @torch.inference_mode()
    def forward(self, frames: np.ndarray) -> Tensor:
        if len(frames) < 2:
            raise VideoError(TOO_SHORT)
        x = self.preprocess(frames)
        x = torch.cat([x, x[-1:].expand(-len(x) % FRAMES_PER_VECTOR, -1, -1, -1)])
        x = x.transpose(0, 1)[None].contiguous()  # (1, 3, 8 * M, S, S)
        return self.network(x)[0].cpu().contiguous()

    def extract(self, frames: np.ndarray) -> Work[Tensor]:
        yield Progress("features", 0.0, f"Looking at the motion in {len(frames)} frames")
        return self(frames)


class AbsentBackbone(Backbone):
    """One of the Hub that is known by its config alone: its features were made elsewhere."""

    def __init__(self, config: BackboneConfig):
        super().__init__(config, nn.Identity())

    @property
    def why(self) -> str:
        return (
            f"the backbone “{self.config.name}” is not in the repository; its weights must come from the Hugging Face "
            "Hub. Without them the model writes only about features that were made elsewhere."
        )

    def extract(self, frames: np.ndarray) -> Work[Tensor]:
        raise VideoError(self.why)


def image_network(architecture: str) -> nn.Module:
    """An untrained network for pictures, without its classifier."""
    if architecture == "caffenet_flow":
        return CaffeNetFlow()
    if not timm.is_model(architecture):  # timm would take "hf-hub:…" as an order to download
        raise ValueError(f"timm has no network “{architecture}”")
    return timm.create_model(architecture, pretrained=False, num_classes=0)


def load_backbone(folder: str | Path, device: str | torch.device = "cpu") -> Backbone:
    """The backbone in `folder`, checked against its golden sample. Raises `CheckpointError`.

    An `AbsentBackbone` where the folder leaves the weights to the Hub.
    """
    folder = Path(folder)
    config = _read_config(folder)
    if config.on_hub and not (folder / "model.safetensors").is_file():
        return AbsentBackbone(config).to(device)
    missing = [name for name in FILES if not (folder / name).is_file()]
    if missing:
        raise CheckpointError(f"The backbone folder “{folder}” lacks “{missing[0]}”. Restore the folder.")
    try:
        backbone = build_backbone(config)
        weights = load_file(folder / "model.safetensors")
        golden = load_file(folder / "golden.safetensors")
        backbone.network.load_state_dict(
            {name: t.float() if t.is_floating_point() else t for name, t in weights.items()}
        )
    except (OSError, ValueError, TypeError, KeyError, RuntimeError, SafetensorError) as error:
        raise _damaged(folder, error) from error
    backbone.weights = folder / "model.safetensors"
    backbone = backbone.to(device)
    _check_golden(backbone, golden, folder)
    return backbone


def build_backbone(config: BackboneConfig) -> Backbone:
    """A backbone without its weights. Raises `ValueError` where there is no such network."""
    if config.flow:
        return FlowBackbone(config)
    return MotionBackbone(config) if config.architecture == "i3d" else ImageBackbone(config)


def save_backbone(
    folder: str | Path, backbone: Backbone, golden_frames: np.ndarray, dtype: torch.dtype = torch.float16
) -> float:
    """Write `folder`, golden sample included. Returns how far storage as `dtype` moves the golden features, relative.

    golden_frames: (N, H, W, 3) uint8, RGB or flow images: no photographs.
    """
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    frames = torch.from_numpy(np.ascontiguousarray(golden_frames))
    golden = {"frames": frames, "features": finish(backbone.extract(golden_frames))}
    weights = backbone.network.state_dict()
    stored = {name: (t.to(dtype) if t.is_floating_point() else t).contiguous() for name, t in weights.items()}
    save_file(stored, folder / "model.safetensors")
    save_file(golden, folder / "golden.safetensors")
    (folder / "config.json").write_text(backbone.config.to_json(), encoding="utf-8")
    for file in folder.glob("*.safetensors"):
        file.chmod(0o644)  # safetensors writes files that only their owner can read
    backbone.network.load_state_dict(stored)
    return golden_distance(backbone, golden)


def golden_distance(backbone: Backbone, golden: dict[str, Tensor]) -> float:
    """Relative L2 distance between the features of the golden frames and those on record."""
    found = finish(backbone.extract(golden["frames"].numpy()))
    return ((found - golden["features"]).norm() / golden["features"].norm()).item()


def _read_config(folder: Path) -> BackboneConfig:
    file = folder / "config.json"
    if not file.is_file():
        raise CheckpointError(f"The backbone folder “{folder}” lacks “{file.name}”. Restore the folder.")
    try:
        return BackboneConfig.from_json(file.read_text(encoding="utf-8"))
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise _damaged(folder, error) from error


def _damaged(folder: Path, error: Exception) -> CheckpointError:
    return CheckpointError(f"The backbone in “{folder}” is damaged ({first_line(error)}). Restore the folder.")


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


def _central_square(frames: np.ndarray) -> np.ndarray:
    """(N, H, W, 3) -> (N, min(H, W), min(H, W), 3)"""
    height, width = frames.shape[1:3]
    side = min(height, width)
    top, left = (height - side) // 2, (width - side) // 2
    return frames[:, top : top + side, left : left + side]
