"""The reader of `.caffemodel` files: every number of a good one, a sentence about every bad one."""

import mmap
import resource
from contextlib import suppress

import numpy as np
import pytest

from s2vt_model import caffemodel
from s2vt_model.caffemodel import read_caffemodel
from s2vt_model.errors import CaffeError
from tests.caffemodels import blob, embedded, layer, varint, whole, write_caffemodel

LAYERS = {
    "ip": [np.arange(12, dtype=np.float32).reshape(3, 4), np.array([0.5, -1e30, 1e-40], np.float32)],
    "conv": [np.arange(48, dtype=np.float32).reshape(2, 2, 3, 4)],
    "größe": [np.array([7], np.float32)],
}


@pytest.fixture
def file(tmp_path):
    return tmp_path / "net.caffemodel"


def sentence_about(file, *content: bytes) -> str:
    if content:
        file.write_bytes(b"".join(content))
    with pytest.raises(CaffeError) as error:
        read_caffemodel(file)
    sentence = str(error.value)
    assert f"“{file}”" in sentence
    assert sentence.endswith(".")
    assert "\n" not in sentence
    assert len(sentence) < 500
    return sentence


# --- good files ---------------------------------------------------------------------------------


@pytest.mark.parametrize("v1", [False, True], ids=["layer", "layers"])
def test_every_number_is_read(file, v1):
    layers = read_caffemodel(write_caffemodel(file, LAYERS, v1)).layers
    assert list(layers) == list(LAYERS)  # the layer without weights is left out
    for name, blobs in LAYERS.items():
        for found, written in zip(layers[name], blobs, strict=True):
            assert found.dtype == np.float32
            assert found.shape == ((1,) * (4 - written.ndim) + written.shape if v1 else written.shape)
            assert found.tobytes() == written.tobytes()


def test_the_numbers_stay_in_the_file(file):
    for found in read_caffemodel(write_caffemodel(file, LAYERS)).layers["ip"]:
        while isinstance(found, np.ndarray):
            assert not found.flags.owndata
            assert not found.flags.writeable
            found = found.base
        assert isinstance(found.obj if isinstance(found, memoryview) else found, mmap.mmap)


@pytest.mark.parametrize("v1", [False, True], ids=["layer", "layers"])
def test_tensors_are_copies_of_the_shape_that_is_asked_for(file, v1):
    model = read_caffemodel(write_caffemodel(file, LAYERS, v1))
    weight, bias = model.tensors("ip", (3, 4), (3,))
    assert weight.numpy().tobytes() == LAYERS["ip"][0].tobytes()
    assert bias.numpy().tobytes() == LAYERS["ip"][1].tobytes()
    weight.zero_()
    assert model.layers["ip"][0].any()


def test_sizes_may_be_written_one_by_one(file):
    numbers = np.arange(6, dtype="<f4")
    shape = embedded(7, whole(1, 2), whole(1, 3))
    file.write_bytes(embedded(100, embedded(1, b"ip"), embedded(7, embedded(5, numbers.tobytes()) + shape)))
    assert read_caffemodel(file).layers["ip"][0].tolist() == [[0, 1, 2], [3, 4, 5]]


# --- bad files ----------------------------------------------------------------------------------


def test_a_file_that_is_not_there(file):
    with pytest.raises(FileNotFoundError):
        read_caffemodel(file)


def test_an_empty_file(file):
    file.touch()
    assert "is empty" in sentence_about(file)


@pytest.mark.parametrize(
    "content",
    [
        b"<!DOCTYPE html><html><body>404</body></html>",
        b"version https://git-lfs.github.com/spec/v1\noid sha256:a6196bc4\nsize 553432081\n",
        b"\x89HDF\r\n\x1a\n" + bytes(500),
        b"PK\x03\x04" + bytes(100),
        bytes(100),
        b"\xff" * 100,
        np.random.default_rng(0).bytes(10_000),
    ],
    ids=["a web page", "a Git LFS pointer", "HDF5", "a zip file", "zeros", "ones", "noise"],
)
def test_a_file_of_another_kind(file, content):
    assert "is no whole .caffemodel" in sentence_about(file, content)


def test_a_network_without_weights(file):
    assert "holds no layer with weights" in sentence_about(file, embedded(1, b"a network"), layer("data", []))


def test_a_file_that_breaks_off_anywhere(file):
    """Wherever the cut is, either whole layers are left or there is a sentence."""
    whole_file = write_caffemodel(file, LAYERS).read_bytes()
    ends = set()
    for cut in range(1, len(whole_file)):
        file.write_bytes(whole_file[:cut])
        try:
            ends.add(tuple(read_caffemodel(file).layers))
        except CaffeError as error:
            assert "is no whole .caffemodel" in str(error) or "no layer with weights" in str(error)  # noqa: PT017
    assert ends == {("ip",), ("ip", "conv")}


def test_no_changed_byte_raises_anything_else(file):
    content = write_caffemodel(file, {"ip": [np.ones((3, 4), np.float32), np.ones(3, np.float32)]}).read_bytes()
    values = np.random.default_rng(1).integers(0, 256, len(content)).tolist()
    for at, value in enumerate(values):
        file.write_bytes(content[:at] + bytes([value]) + content[at + 1 :])
        with suppress(CaffeError):
            read_caffemodel(file)


BIG = 2**62
HALF = embedded(5, bytes(8))  # data of two numbers


@pytest.mark.parametrize(
    ("blob", "reason"),
    [
        (whole(1, BIG) + whole(2, BIG) + whole(3, 1) + whole(4, 1) + HALF, "holds 2 numbers"),
        (embedded(7, embedded(1, varint(2**64 - 1))) + HALF, "holds 2 numbers"),
        (embedded(7, embedded(1, varint(0), varint(BIG))), "holds 0 numbers"),
        (embedded(7, embedded(1, varint(2))), "holds 0 numbers"),
        (embedded(7, embedded(1, varint(0))) + embedded(5), "holds 0 numbers"),
        (embedded(7, embedded(1, varint(1) * 40)) + HALF, "more than 32 axes"),
        (embedded(7, whole(1, 1) * 40) + HALF, "more than 32 axes"),
        (embedded(7, embedded(1, varint(2))) + embedded(5, bytes(7)), "float32 numbers take 7 bytes"),
        (embedded(7, embedded(1, varint(4))) + HALF + HALF, "not packed float32"),
        (varint(5 << 3 | 5) + bytes(4), "not packed float32"),
        (embedded(8, bytes(16)), "not packed float32"),
        (varint(5 << 3 | 2) + varint(BIG), "are left"),
        (varint(5 << 3 | 2) + b"\xff" * 11, "no field of protobuf"),
        (varint(0 << 3) + varint(1), "no field of protobuf"),
    ],
)
def test_a_blob_that_cannot_be(file, blob, reason):
    hostile = embedded(100, embedded(1, b"ip"), embedded(7, blob))
    assert reason in sentence_about(file, hostile)


def test_a_message_may_not_reach_beyond_the_one_it_stands_in(file):
    inner = varint(7 << 3 | 2) + varint(100) + blob(LAYERS["ip"][0])
    assert "are left" in sentence_about(file, embedded(100, inner), bytes(200))


def test_two_layers_of_one_name(file):
    assert "two layers with weights are called “ip”" in sentence_about(file, layer("ip", LAYERS["ip"]) * 2)


def test_more_fields_than_any_network_has_end_the_reading(file, monkeypatch):
    monkeypatch.setattr(caffemodel, "MAX_FIELDS", 1000)
    tiny = embedded(7, embedded(7, embedded(1, varint(1))) + embedded(5, bytes(4)))
    assert "more than 1,000 fields" in sentence_about(file, embedded(100, tiny * 1000))


def test_what_a_large_file_claims_costs_no_memory(file):
    """A gigabyte of unknown bytes, sparse on disk, before a field that is cut."""
    with file.open("wb") as out:
        out.write(varint(50 << 3 | 2) + varint(2**30))
        out.seek(2**30, 1)
        out.write(varint(100 << 3 | 2) + varint(BIG))
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    assert "are left" in sentence_about(file)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 50 * 1024  # KiB


# --- layers that do not fit ---------------------------------------------------------------------


@pytest.mark.parametrize(
    ("shapes", "reason"),
    [
        (((3, 4),), "has 2 blobs where 1 are expected"),
        (((4, 3), (3,)), "has a blob of shape (3, 4) where (4, 3) is expected"),
        (((12,), (3,)), "has a blob of shape (3, 4) where (12,) is expected"),
    ],
)
def test_a_layer_of_other_shapes(file, shapes, reason):
    model = read_caffemodel(write_caffemodel(file, LAYERS))
    with pytest.raises(CaffeError) as error:
        model.tensors("ip", *shapes)
    assert reason in str(error.value)
    assert str(file) in str(error.value)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_weights_that_are_no_numbers(file, value):
    model = read_caffemodel(write_caffemodel(file, {"ip": [np.array([1, value], np.float32)]}))
    with pytest.raises(CaffeError, match="values that are no numbers"):
        model.tensors("ip", (2,))
