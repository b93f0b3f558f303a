"""Writes `.caffemodel` files as Caffe does: the other direction of `s2vt_model/caffemodel.py`, without its code."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

Layers = Mapping[str, Sequence[np.ndarray]]


def varint(value: int) -> bytes:
    sevens = []
    while value > 0x7F:
        sevens.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*sevens, value])


def whole(number: int, value: int) -> bytes:
    """A field that is a whole number."""
    return varint(number << 3) + varint(value)


def embedded(number: int, *content: bytes) -> bytes:
    """A field that is a string, a message or packed numbers."""
    return varint(number << 3 | 2) + varint(sum(map(len, content))) + b"".join(content)


def blob(array: np.ndarray, legacy: bool = False) -> bytes:
    """A BlobProto; as Caffe wrote them first, with four sizes."""
    if legacy:
        sizes = (1,) * (4 - array.ndim) + array.shape
        shape = b"".join(whole(number, size) for number, size in enumerate(sizes, 1))
    else:
        shape = embedded(7, embedded(1, *(varint(size) for size in array.shape)))
    return shape + embedded(5, array.astype("<f4").tobytes())


def layer(name: str, blobs: Sequence[np.ndarray], v1: bool = False) -> bytes:
    """A field `layer` or `layers` of a NetParameter, with some fields that are not weights."""
    if v1:
        kind = whole(5, 14)  # an enumeration
        parts = (embedded(2, b"below"), embedded(4, name.encode()), kind, *(embedded(6, blob(b, True)) for b in blobs))
        return embedded(2, *parts)
    rate = varint(1 << 3 | 5) + np.float32(2).tobytes()  # ParamSpec.lr_mult would be 3; a four-byte field it is
    parts = (embedded(1, name.encode()), embedded(2, b"InnerProduct"), embedded(6, rate))
    return embedded(100, *parts, *(embedded(7, blob(b)) for b in blobs))


def write_caffemodel(file: Path, layers: Layers, v1: bool = False) -> Path:
    """A trained network: a name, a layer without weights, and `layers`."""
    with file.open("wb") as out:
        out.write(embedded(1, b"a network") + layer("data", [], v1))
        for name, blobs in layers.items():
            out.write(layer(name, blobs, v1))
    return file


def s2vt_layers(
    rng: np.random.Generator, features: int, embedding: int, word: int, hidden: int, vocabulary: int, spread: float
) -> dict[str, list[np.ndarray]]:
    """The layers of `s2vt.prototxt`, uniform in ±spread; `predict` 25 times as much, so that some words are likely."""

    def uniform(*shape: int, times: float = 1) -> np.ndarray:
        values = rng.random(shape, dtype=np.float32)
        values -= 0.5
        values *= 2 * spread * times
        return values

    return {
        "embed_encoder": [uniform(embedding, features), uniform(embedding)],
        "embedding": [uniform(vocabulary, word)],
        "lstm1": [uniform(4 * hidden, embedding), uniform(4 * hidden), uniform(4 * hidden, hidden)],
        "lstm2": [uniform(4 * hidden, hidden + word + 1), uniform(4 * hidden), uniform(4 * hidden, hidden)],
        "predict": [uniform(vocabulary, hidden, times=25), uniform(vocabulary, times=25)],
    }


def vgg16_layers(rng: np.random.Generator, fc6: int = 4096) -> dict[str, list[np.ndarray]]:
    """The layers of `VGG_ILSVRC_16_layers`, fc6 of `fc6` numbers, with He's deviations."""
    layers, inputs = {}, 3
    for stage, (count, outputs) in enumerate([(2, 64), (2, 128), (3, 256), (3, 512), (3, 512)], 1):
        for k in range(1, count + 1):
            layers[f"conv{stage}_{k}"] = _he(rng, outputs, inputs, 3, 3)
            inputs = outputs
    return layers | {"fc6": _he(rng, fc6, 512 * 7 * 7), "fc7": _he(rng, 4096, fc6), "fc8": _he(rng, 1000, 4096)}


def flow_layers(rng: np.random.Generator) -> dict[str, list[np.ndarray]]:
    """The layers of LRCN's `train_test_singleFrame_flow.prototxt`; a kernel of a group sees half the channels."""
    return {
        "conv1": _he(rng, 96, 3, 7, 7),
        "conv2": _he(rng, 384, 48, 5, 5),
        "conv3": _he(rng, 512, 384, 3, 3),
        "conv4": _he(rng, 512, 256, 3, 3),
        "conv5": _he(rng, 384, 256, 3, 3),
        "fc6": _he(rng, 4096, 13824),
        "fc7": _he(rng, 4096, 4096),
        "fc8-ucf": _he(rng, 101, 4096),
    }


def _he(rng: np.random.Generator, outputs: int, *inputs: int) -> list[np.ndarray]:
    weights = rng.standard_normal((outputs, *inputs), dtype=np.float32)
    weights *= (2 / np.prod(inputs)) ** 0.5
    return [weights, 0.1 * rng.standard_normal(outputs, dtype=np.float32)]
