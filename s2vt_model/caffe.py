"""The authors' files -> folders of ours, with the same weights to the bit.

| file | kind | becomes |
|---|---|---|
| `s2vt_vgg_rgb.caffemodel` and its vocabulary | s2vt | a checkpoint |
| `VGG_ILSVRC_16_layers.caffemodel` (Simonyan & Zisserman 2015) | vgg16 | the backbone that checkpoint reads |
| `single_frame_all_layers_hyb_flow_iter_50000.caffemodel` (Donahue et al. 2015) | flow | their flow CNN |

What differs from PyTorch: an LSTM's blobs are W_x, b, W_h, their rows the gates i, f, o, g, where PyTorch
has i, f, g, o and a second bias, zero here; a fully connected layer is a matrix, which timm's VGG-16 holds
as a convolution over the whole map. Caffe's images are BGR in 0..255, less a mean.

Other training runs have layers of the same names and shapes, and nothing tells them apart: torchvision's
VGG-16, or LRCN's RGB network in the place of its flow network, give captions without sense, not an error.
"""

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from hashlib import file_digest
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from s2vt_model import caffenet_flow
from s2vt_model.backbones import BackboneConfig, build_backbone, image_network, save_backbone
from s2vt_model.caffemodel import Caffemodel, read_caffemodel
from s2vt_model.checkpoint import save_checkpoint
from s2vt_model.clip_flow import FlowSettings
from s2vt_model.config import CheckpointConfig, S2VTConfig
from s2vt_model.decoding import DecodingOptions
from s2vt_model.errors import CaffeError
from s2vt_model.network import S2VT
from s2vt_model.video import Sampling
from s2vt_model.vocabulary import EOS, SPECIALS, UNK, Vocabulary

VGG16_BACKBONE = "vgg16-oxford"  # the backbone's name in converted checkpoints
FLOW_SIZE_PX = 256  # of the frames between which flow is measured
UNKNOWN_WORD = "<en_unk>"  # how the authors' vocabulary writes <UNK>, if it lists it
LICENSE = "its authors': see where the file came from"

LAYERS = {  # of each kind, as Caffe calls them; a backbone's in the order in which they are run
    "s2vt": ("embed_encoder", "embedding", "lstm1", "lstm2", "predict"),
    "vgg16": (
        "conv1_1", "conv1_2", "conv2_1", "conv2_2", "conv3_1", "conv3_2", "conv3_3",
        "conv4_1", "conv4_2", "conv4_3", "conv5_1", "conv5_2", "conv5_3", "fc6", "fc7",
    ),
    "flow": ("conv1", "conv2", "conv3", "conv4", "conv5", "fc6", "fc7", "fc8-ucf"),
}  # fmt: skip


# --- S2VT ---------------------------------------------------------------------------------------


def convert_s2vt(
    model_file: str | Path, vocabulary_file: str | Path, folder: str | Path, words: Iterable[str] | None = None
) -> CheckpointConfig:
    """Write the checkpoint `folder`; returns its config. Raises `CaffeError` or `OSError`.

    Of the vocabulary only `words` are kept, if given: the others are never written, and their
    probability goes to those that are, each in proportion to its own.
    """
    model = _read(model_file, "s2vt")
    vocabulary = read_vocabulary(vocabulary_file)
    config, weights = s2vt_weights(model)
    if len(vocabulary) != config.vocabulary_size:
        raise CaffeError(
            f"The vocabulary “{vocabulary_file}” has {len(vocabulary) - len(SPECIALS):,} words, the network of "
            f"“{model_file}” {config.vocabulary_size - len(SPECIALS):,}: they are not of one training run. "
            "Give the vocabulary that came with the network."
        )
    if words is not None:
        rows = _rows_of(words, vocabulary, vocabulary_file)
        vocabulary = Vocabulary(vocabulary.words[row] for row in rows[len(SPECIALS) :])
        config = replace(config, vocabulary_size=len(vocabulary))
        for name in ("word_embedding.weight", "predict.weight", "predict.bias"):
            weights[name] = weights[name][rows]
    with torch.device("meta"):  # no numbers of its own, which would be thrown away
        network = S2VT(config)
    network.load_state_dict(weights, assign=True)
    checkpoint = CheckpointConfig(
        name=Path(folder).name,
        stream="rgb",
        backbone=VGG16_BACKBONE,
        network=config,
        no_frame="zero",
        sampling=Sampling(every=10, max_frames=80),  # section 4.2; the steps that the authors unroll
        decoding=DecodingOptions(method="greedy", max_words=50),  # as their captioner does
        trained_on=f"converted from {Path(model_file).name}",
        license=LICENSE,
    )
    save_checkpoint(folder, checkpoint, vocabulary, network.eval().requires_grad_(False), torch.float32)
    _write_card(Path(folder), model.path, f"S2VT with {len(vocabulary) - len(SPECIALS):,} words.")
    return checkpoint


def s2vt_weights(model: Caffemodel) -> tuple[S2VTConfig, dict[str, Tensor]]:
    """The network's sizes, as its layers have them, and `S2VT`'s state dict. Raises `CaffeError`."""
    frame_embedding, features = _matrix(model, "embed_encoder")
    vocabulary, word_embedding = _matrix(model, "embedding")
    hidden = _matrix(model, "lstm1")[0] // 4
    config = S2VTConfig(features, frame_embedding, word_embedding, hidden, vocabulary)
    embed_weight, embed_bias = model.tensors("embed_encoder", (frame_embedding, features), (frame_embedding,))
    (word_weight,) = model.tensors("embedding", (vocabulary, word_embedding))
    predict_weight, predict_bias = model.tensors("predict", (vocabulary, hidden), (vocabulary,))
    weights = {
        "frame_embedding.weight": embed_weight,
        "frame_embedding.bias": embed_bias,
        "word_embedding.weight": word_weight,
        "predict.weight": predict_weight,
        "predict.bias": predict_bias,
        "no_frame": torch.zeros(features),
    }
    # LSTM 2 reads [LSTM 1 | word | stage flag], as ours does.
    for name, inputs in (("lstm1", frame_embedding), ("lstm2", hidden + word_embedding + 1)):
        w_x, bias, w_h = model.tensors(name, (4 * hidden, inputs), (4 * hidden,), (4 * hidden, hidden))
        weights[f"{name}.weight_ih_l0"] = _torch_gates(w_x)
        weights[f"{name}.weight_hh_l0"] = _torch_gates(w_h)
        weights[f"{name}.bias_ih_l0"] = _torch_gates(bias)
        weights[f"{name}.bias_hh_l0"] = torch.zeros(4 * hidden)
    return config, weights


def read_vocabulary(file: str | Path) -> Vocabulary:
    """The authors' vocabulary file: the first of each line is a word. Raises `CaffeError` or `OSError`.

    The network's ids are 0 <EOS>, 1 <en_unk>, then the words in the file's order.
    """
    words = [word for word in read_word_list(file) if word != UNKNOWN_WORD]
    try:
        return Vocabulary(words)
    except ValueError as error:
        raise CaffeError(
            f"The vocabulary “{file}” lists a word twice. Give the vocabulary that came with the network."
        ) from error


def read_word_list(file: str | Path) -> list[str]:
    """The first of each line. Raises `OSError`.

    Bytes are split, not text: what Unicode takes for a space or a line's end may be part of a word here.
    """
    lines = (line.split() for line in Path(file).read_bytes().splitlines())
    return [line[0].decode("utf-8", errors="backslashreplace") for line in lines if line]


def _rows_of(words: Iterable[str], vocabulary: Vocabulary, vocabulary_file: str | Path) -> list[int]:
    """<EOS>, <UNK> and the listed words, in the order of the vocabulary."""
    listed = set(words)
    rows = [row for row, word in enumerate(vocabulary.words) if row > UNK and word in listed]
    if not rows:
        raise CaffeError(
            f"None of the {len(listed):,} listed words is in the vocabulary “{vocabulary_file}”. "
            "List words to keep in lower case, one a line."
        )
    return [EOS, UNK, *rows]


def _torch_gates(x: Tensor) -> Tensor:
    """Row blocks i, f, o, g -> i, f, g, o."""
    i, f, o, g = x.chunk(4)
    return torch.cat([i, f, g, o])


def _matrix(model: Caffemodel, layer: str) -> tuple[int, int]:
    """The two sizes of a layer's first blob."""
    *filling, rows, columns = 1, 1, *model.layers[layer][0].shape
    if math.prod(filling) != 1:
        raise CaffeError(
            f"The layer “{layer}” of “{model.path}” is {model.layers[layer][0].shape}, which is no matrix: this is "
            "a network of another kind. Give the file that the README names."
        )
    return rows, columns


# --- backbones ----------------------------------------------------------------------------------


def convert_vgg16(model_file: str | Path, folder: str | Path) -> BackboneConfig:
    """Write the backbone `folder`: fc7 after its ReLU, 4096 numbers. Raises `CaffeError` or `OSError`."""
    config = vgg16_config(Path(folder).name, Path(model_file).name)
    return _convert_backbone(model_file, "vgg16", config, Path(folder), "VGG-16 up to fc7, after its ReLU.")


def convert_flow(model_file: str | Path, folder: str | Path) -> BackboneConfig:
    """Write the backbone `folder`: fc6 after its ReLU, 4096 numbers. Raises `CaffeError` or `OSError`."""
    config = flow_config(Path(folder).name, Path(model_file).name)
    return _convert_backbone(model_file, "flow", config, Path(folder), "CaffeNet for images of flow, up to fc6.")


def vgg16_config(name: str, source: str) -> BackboneConfig:
    """Frames are fed as the authors' `extract_vgg_features.py` does: without a 16th at each side, then squashed."""
    return BackboneConfig(
        name=name,
        architecture="vgg16",
        feature_size=4096,
        input_size=224,
        crop_mode="squash",
        crop_pct=224 / 256,
        mean=(104.0, 117.0, 123.0),
        std=(1.0, 1.0, 1.0),
        golden_tolerance=0.01,
        license=LICENSE,
        source=source,
        white=255.0,
        channel_order="bgr",
        interpolation="bilinear",
        antialias=False,
    )


def flow_config(name: str, source: str) -> BackboneConfig:
    """Its frames are `s2vt_model.flow.image.flow_image`: x, y, magnitude in the places of red, green, blue.

    The crop of 227 from 256 px is CaffeNet's, about the centre; the authors drew its place at random. Their flow
    was Brox et al.'s (2004), which is not here; TV-L1 is its nearest kin, variational and coarse to fine too.
    """
    return replace(
        vgg16_config(name, source),
        architecture="caffenet_flow",
        feature_size=caffenet_flow.FEATURE_SIZE,
        input_size=caffenet_flow.INPUT_SIZE,
        crop_pct=caffenet_flow.INPUT_SIZE / FLOW_SIZE_PX,
        mean=(128.0, 128.0, 128.0),
        flow=FlowSettings("tvl1", FLOW_SIZE_PX, FLOW_SIZE_PX),
    )


def image_weights(model: Caffemodel, layers: Sequence[str], network: nn.Module) -> dict[str, Tensor]:
    """`network`'s state dict, its layers with weights being `layers` in that order. Raises `CaffeError`."""
    weights = {}
    modules = ((name, m) for name, m in network.named_modules() if isinstance(m, nn.Conv2d | nn.Linear))
    for layer, (name, module) in zip(layers, modules, strict=True):
        outputs, *inputs = shape = module.weight.shape
        stored = (outputs, math.prod(inputs)) if layer.startswith("fc") else tuple(shape)
        weight, bias = model.tensors(layer, stored, (outputs,))
        weights[f"{name}.weight"] = weight.view(shape)
        weights[f"{name}.bias"] = bias
    return weights


def golden_frames() -> np.ndarray:
    """(3, 120, 160, 3) uint8: waves of other lengths and directions in each frame and colour."""
    y, x = np.mgrid[:120, :160]
    waves = [[np.sin(0.02 * (k + 2) * x + 0.03 * (c + 1) * y * (k - 1) + c) for c in range(3)] for k in range(3)]
    return np.rint(127.5 + 127.5 * np.array(waves)).astype(np.uint8).transpose(0, 2, 3, 1).copy()


def _convert_backbone(
    model_file: str | Path, kind: str, config: BackboneConfig, folder: Path, about: str
) -> BackboneConfig:
    model = _read(model_file, kind)
    with torch.device("meta"):
        shapes = image_network(config.architecture)
    weights = image_weights(model, LAYERS[kind], shapes)
    backbone = build_backbone(config)
    backbone.network.load_state_dict(weights)
    del weights
    save_backbone(folder, backbone, golden_frames(), torch.float32)
    _write_card(folder, model.path, about)
    return config


# --- both ---------------------------------------------------------------------------------------

Converter = Callable[[str | Path, str | Path], BackboneConfig]
BACKBONES: dict[str, Converter] = {"vgg16": convert_vgg16, "flow": convert_flow}


def _read(file: str | Path, kind: str) -> Caffemodel:
    """The file, if it has the layers of its kind."""
    model = read_caffemodel(file)
    missing = [layer for layer in LAYERS[kind] if layer not in model.layers]
    if not missing:
        return model
    found = next((other for other, layers in LAYERS.items() if model.layers.keys() >= set(layers)), None)
    if found:
        advice = f"its layers are those of --kind {found}."
    else:
        held = list(model.layers)
        advice = f"it holds {', '.join(held[:8])}{', …' if len(held) > 8 else ''}. Give the file that the README names."
    raise CaffeError(f"“{file}” lacks the layer “{missing[0]}” of --kind {kind}: {advice}")


def _write_card(folder: Path, source: Path, about: str) -> None:
    with source.open("rb") as file:
        digest = file_digest(file, "sha256").hexdigest()
    (folder / "README.md").write_text(
        f"---\nlicense: other\n---\n# {folder.name}\n\n{about}\n\n"
        f"Converted by `python -m s2vt_model convert` from `{source.name}`,\nSHA-256 `{digest}`; "
        "float32, every weight as it was. Whose it is and what it may be used for,\n"
        "the place it came from says.\n",
        encoding="utf-8",
    )
