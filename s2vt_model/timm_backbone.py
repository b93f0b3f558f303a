"""Any image network of timm's on the Hub, by its name there, as a backbone: `timm/vgg19.tv_in1k`.

Its folder is timm's: `config.json` names the architecture and the preprocessing it was trained with,
`model.safetensors` holds the weights, the classifier's included. There is no golden sample in it; what stands for
one are the hashes that were written down when it was downloaded first (hub.py).
"""

import json
from pathlib import Path
from typing import Any

import timm
import timm.data
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file

from s2vt_model.backbones import Backbone, BackboneConfig, ImageBackbone
from s2vt_model.errors import CheckpointError, first_line


def load_timm_backbone(
    name: str, folder: Path, feature_size: int, description: Path | None = None, device: str = "cpu"
) -> Backbone:
    """The network called `name`, whose files are in `folder`. Raises `CheckpointError`.

    feature_size: of what a checkpoint takes. It chooses between the vector that the classifier would see (VGG: fc7
    after its ReLU, 4096) and the mean of the last map over its pixels (VGG: the last pooling layer, 512).
    description: where this file exists, the `BackboneConfig` of a checkpoint that was trained with a preprocessing
    of its own.
    """
    try:
        card = json.loads((folder / "config.json").read_text(encoding="utf-8"))
        if description and description.is_file():
            described = BackboneConfig.from_json(description.read_text(encoding="utf-8"))
        else:
            described = _as_timm_feeds_it(name, card, feature_size)
        if described.architecture != card["architecture"]:
            raise ValueError(f"it is a “{card['architecture']}”, not a “{described.architecture}”")
        weights = load_file(folder / "model.safetensors")
        backbone = ImageBackbone(described)
        classifiers = card["pretrained_cfg"].get("classifier") or ()  # distilled ones have several, some have none
        classifiers = {classifiers} if isinstance(classifiers, str) else set(classifiers)
        kept = {k: t.float() for k, t in weights.items() if k.rpartition(".")[0] not in classifiers}
        missing, surplus = backbone.network.load_state_dict(kept, strict=False)
        missing = [k for k in missing if not k.endswith("num_batches_tracked")]  # counts that only training needs
        if missing or surplus:
            raise ValueError(f"its tensors are not the network's: see “{[*missing, *surplus][0]}”")
    except (OSError, ValueError, TypeError, KeyError, RuntimeError, SafetensorError) as error:
        raise CheckpointError(
            f"The backbone “{name}” cannot be used ({first_line(error)}). Name another image network of timm's."
        ) from error
    backbone.weights = folder / "model.safetensors"
    return backbone.to(device)


def _as_timm_feeds_it(name: str, card: dict[str, Any], feature_size: int) -> BackboneConfig:
    """Raises `ValueError` where this project has no such preprocessing, or the network no vector of that size."""
    architecture, pretrained = card["architecture"], card["pretrained_cfg"]
    if not timm.is_model(architecture):
        raise ValueError(f"timm has no network “{architecture}”")
    if card.get("model_args"):
        raise ValueError("it is a variant with arguments of its own")
    with torch.device("meta"):  # sizes without weights
        network = timm.create_model(architecture, pretrained=False, num_classes=0)
    feeding = timm.data.resolve_model_data_config(network, pretrained_cfg=pretrained)
    channels, height, width = feeding["input_size"]
    if channels != 3 or height != width:
        raise ValueError(f"it takes pictures of {channels} × {height} × {width}")
    sizes = {"pre_logits": network.head_hidden_size, "map": network.num_features}
    features = next((what for what, size in sizes.items() if size == feature_size), None)
    if features is None:
        raise ValueError(f"it makes vectors of {' or '.join(map(str, sizes.values()))}, not of {feature_size} numbers")
    return BackboneConfig(
        name=name,
        architecture=architecture,
        feature_size=feature_size,
        input_size=height,
        crop_mode=feeding["crop_mode"],
        crop_pct=feeding["crop_pct"],
        mean=tuple(feeding["mean"]),
        std=tuple(feeding["std"]),
        golden_tolerance=0.01,
        license=pretrained.get("license", ""),
        source=f"Hugging Face Hub, {name}",
        interpolation=feeding["interpolation"],
        features=features,
    )
