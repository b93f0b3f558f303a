"""A `.caffemodel` -> the blobs of its layers, as views of the file.

A caffemodel is a `NetParameter` of Caffe's `caffe.proto` in protobuf's wire format: field after field,
each a key (its number and how its value is written, in one varint) and a value. This reads the few
fields that lead to weights, and steps over all others:

    NetParameter      layer 100, or layers 2 of before August 2014 (“V1”)
    LayerParameter    name 1, blobs 7;  of V1: name 4, blobs 6
    BlobProto         data 5;  shape 7 {dim 1}, or of before October 2014: num, channels, height, width 1-4

A file may claim what it likes: no length leads beyond the message it stands in, what is allocated grows
with the number of fields alone, and that is limited. The numbers stay in the file, mapped to memory.
"""

import math
import mmap
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from s2vt_model.errors import CaffeError

VARINT, EIGHT_BYTES, LENGTH_AND_BYTES, FOUR_BYTES = 0, 1, 2, 5  # wire types
VARINT_BYTES = 10  # at most: 64 bits, seven a byte
MAX_FIELDS = 1_000_000  # the largest networks of Caffe's time have some ten thousand
MAX_AXES = 32  # Caffe's own limit
FLOAT32 = np.dtype("<f4")

Shape = tuple[int, ...]


@dataclass(frozen=True)
class Caffemodel:
    """The layers that have weights, in the order of the file."""

    path: Path
    layers: dict[str, list[np.ndarray]]  # read-only float32 views of the file, unaligned perhaps

    def tensors(self, layer: str, *shapes: Shape) -> list[Tensor]:
        """Copies of the layer's blobs, which must have these shapes. Raises `CaffeError`.

        Leading axes of length 1, which the old format fills up with, do not count.
        """
        blobs = self.layers[layer]
        if len(blobs) != len(shapes):
            raise CaffeError(
                f"The layer “{layer}” of “{self.path}” has {len(blobs)} blobs where {len(shapes)} are expected: "
                "this is a network of another kind. Give the file that the README names."
            )
        for blob, shape in zip(blobs, shapes, strict=True):
            if _without_filling(blob.shape) != _without_filling(shape):
                raise CaffeError(
                    f"The layer “{layer}” of “{self.path}” has a blob of shape {blob.shape} where {shape} is "
                    "expected: this is a network of another kind. Give the file that the README names."
                )
            if not math.isfinite(blob.sum(dtype=np.float64)):
                raise CaffeError(
                    f"The layer “{layer}” of “{self.path}” holds values that are no numbers: the file is damaged. "
                    "Download or copy it again."
                )
        return [torch.from_numpy(np.array(blob)).view(shape) for blob, shape in zip(blobs, shapes, strict=True)]


def read_caffemodel(path: str | Path) -> Caffemodel:
    """Map `path` and find its weights. Raises `CaffeError`, or `OSError` where it cannot be opened."""
    path = Path(path)
    with path.open("rb") as file:
        if path.stat().st_size == 0:
            raise CaffeError(f"“{path}” is empty (0 bytes). Download or copy it again.")
        content = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
    reader = _Reader(content)
    layers: dict[str, list[np.ndarray]] = {}
    try:
        for name, blobs in reader.layers():
            if name in layers:
                raise _Malformed(f"two layers with weights are called “{name}”")
            layers[name] = blobs
    except _Malformed as error:
        raise CaffeError(
            f"“{path}” is no whole .caffemodel ({error}). Download or copy it again; "
            "a web page or a Git LFS pointer may have been saved in its place."
        ) from error
    if not layers:
        raise CaffeError(f"“{path}” holds no layer with weights. Give a trained network, a .caffemodel.")
    return Caffemodel(path, layers)


class _Malformed(ValueError):
    """What is wrong with the bytes, in a few words."""


class _Field(NamedTuple):
    number: int
    wire_type: int
    value: int  # of a varint
    start: int  # where the value's bytes are
    end: int


class _Reader:
    """Walks through a mapped file. Spans are offsets from its start."""

    def __init__(self, content: mmap.mmap):
        self.content = content
        self.fields_left = MAX_FIELDS

    def layers(self) -> Iterator[tuple[str, list[np.ndarray]]]:
        """Names and blobs of the layers that have blobs."""
        for field in self._fields(0, len(self.content)):
            if field.wire_type == LENGTH_AND_BYTES and field.number in (100, 2):
                numbers = {"name": 1, "blobs": 7} if field.number == 100 else {"name": 4, "blobs": 6}
                name, blobs = "", []
                for part in self._fields(field.start, field.end):
                    if part.wire_type == LENGTH_AND_BYTES and part.number == numbers["name"]:
                        name = self.content[part.start : min(part.end, part.start + 200)].decode(errors="replace")
                    elif part.wire_type == LENGTH_AND_BYTES and part.number == numbers["blobs"]:
                        blobs.append(self._blob(part.start, part.end))
                if blobs:
                    yield name, blobs

    def _blob(self, start: int, end: int) -> np.ndarray:
        shape: list[int] | None = None
        legacy = dict.fromkeys((1, 2, 3, 4), 0)  # num, channels, height, width
        data: np.ndarray | None = None
        for field in self._fields(start, end):
            if field.number == 7 and field.wire_type == LENGTH_AND_BYTES:
                shape = self._shape(field.start, field.end)
            elif field.number in legacy and field.wire_type == VARINT:
                legacy[field.number] = field.value
            elif field.number == 8 or (field.number == 5 and (field.wire_type != LENGTH_AND_BYTES or data is not None)):
                raise _Malformed("its weights are not packed float32 numbers, as Caffe writes them")
            elif field.number == 5:
                if (field.end - field.start) % FLOAT32.itemsize:
                    raise _Malformed(f"at byte {field.start}, float32 numbers take {field.end - field.start} bytes")
                count = (field.end - field.start) // FLOAT32.itemsize
                data = np.frombuffer(self.content, FLOAT32, count, field.start) if count else None
        dimensions = list(legacy.values()) if shape is None else shape
        held = 0 if data is None else data.size
        if data is None or math.prod(dimensions) != held:
            raise _Malformed(f"at byte {start}, a blob of shape {tuple(dimensions)} holds {held} numbers")
        return data.reshape(dimensions)

    def _shape(self, start: int, end: int) -> list[int]:
        """The `dim`s of a BlobShape, written one by one or packed."""
        dimensions: list[int] = []
        for field in self._fields(start, end):
            if field.number == 1 and field.wire_type == VARINT:
                dimensions.append(field.value)
            elif field.number == 1 and field.wire_type == LENGTH_AND_BYTES:
                at = field.start
                while at < field.end and len(dimensions) <= MAX_AXES:
                    value, at = self._varint(at, field.end)
                    dimensions.append(value)
            if len(dimensions) > MAX_AXES:
                raise _Malformed(f"at byte {start}, a blob has more than {MAX_AXES} axes")
        return dimensions

    def _fields(self, start: int, end: int) -> Iterator[_Field]:
        """The fields of the message between two offsets."""
        at = start
        while at < end:
            self.fields_left -= 1
            if self.fields_left < 0:
                raise _Malformed(f"it has more than {MAX_FIELDS:,} fields")
            key_at = at
            key, at = self._varint(at, end)
            number, wire_type = key >> 3, key & 7
            value = 0
            if wire_type == VARINT:
                value, after = self._varint(at, end)
            elif wire_type == LENGTH_AND_BYTES:
                length, at = self._varint(at, end)
                after = at + length
            elif wire_type in (EIGHT_BYTES, FOUR_BYTES):
                after = at + (8 if wire_type == EIGHT_BYTES else 4)
            else:
                raise _Malformed(f"at byte {key_at} there is no field of protobuf")
            if number == 0:
                raise _Malformed(f"at byte {key_at} there is no field of protobuf")
            if after > end:
                raise _Malformed(
                    f"the field at byte {key_at} should take {after - at:,} bytes, and {end - at:,} are left"
                )
            yield _Field(number, wire_type, value, at, after)
            at = after

    def _varint(self, at: int, end: int) -> tuple[int, int]:
        """A whole number, seven bits a byte, the lowest first; and the offset after it."""
        value = 0
        for shift in range(0, 7 * VARINT_BYTES, 7):
            if at >= end:
                raise _Malformed(f"it breaks off at byte {at}")
            byte = self.content[at]
            at += 1
            value |= (byte & 0x7F) << shift
            if byte < 0x80:
                return value, at
        raise _Malformed(f"at byte {at - VARINT_BYTES} there is no field of protobuf")


def _without_filling(shape: Shape) -> Shape:
    """(1, 1, 4096, 25088) -> (4096, 25088)"""
    first = next((axis for axis, size in enumerate(shape) if size != 1), len(shape))
    return tuple(shape[first:])
