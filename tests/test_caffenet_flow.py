"""The authors' flow CNN: its shapes, and what it computes, from a caffemodel of its full size."""

import numpy as np
import pytest
import torch
from torch import nn

from s2vt_model.backbones import Backbone, load_backbone
from s2vt_model.caffe import convert_flow, flow_config
from s2vt_model.caffenet_flow import CaffeNetFlow
from s2vt_model.flow.image import flow_image
from tests import caffe_equations
from tests.caffemodels import flow_layers, write_caffemodel


@pytest.fixture(scope="module")
def layers() -> dict[str, list[np.ndarray]]:
    return flow_layers(np.random.default_rng(0))


@pytest.fixture(scope="module")
def backbone(tmp_path_factory, layers) -> Backbone:
    """Converted and loaded again, golden sample and all."""
    folder = tmp_path_factory.mktemp("flow")
    file = write_caffemodel(folder / "single_frame_all_layers_hyb_flow_iter_50000.caffemodel", layers)
    convert_flow(file, folder / "flow")
    backbone = load_backbone(folder / "flow")
    for large in (file, folder / "flow/model.safetensors"):
        large.unlink()
    return backbone


@pytest.fixture(scope="module")
def network() -> CaffeNetFlow:
    """Shapes without numbers."""
    with torch.device("meta"):
        return CaffeNetFlow()


def test_it_has_as_many_parameters_as_the_authors_file(network, layers):
    assert sum(p.numel() for p in network.parameters()) == 78_132_965
    assert sum(b.size for blobs in layers.values() for b in blobs) == 78_132_965


def test_maps_are_as_large_as_the_authors(network):
    sides = []
    watched = [m for m in network.modules() if isinstance(m, nn.Conv2d | nn.MaxPool2d)]
    hooks = [m.register_forward_hook(lambda _, __, out: sides.append(tuple(out.shape[1:]))) for m in watched]
    features = network(torch.empty(1, 3, 227, 227, device="meta"))
    for hook in hooks:
        hook.remove()
    assert sides == [
        (96, 111, 111), (96, 55, 55), (384, 26, 26), (384, 13, 13),
        (512, 13, 13), (512, 13, 13), (384, 13, 13), (384, 6, 6),
    ]  # fmt: skip
    assert features.shape == (1, 4096)
    assert network.classify(features).shape == (1, 101)


@pytest.mark.parametrize("side", [111, 26, 13, 12, 7])
def test_pooling_is_caffes(network, side):
    x = np.random.default_rng(side).standard_normal((4, side, side)).astype(np.float32)
    found = network.pool(torch.from_numpy(x)[None])[0].numpy()
    assert np.array_equal(found, caffe_equations.max_pool(x, 3, 2))


def test_normalisation_is_caffes(network):
    """Large responses: with those of a picture the denominator is hardly more than 1."""
    x = 300 * np.random.default_rng(0).standard_normal((9, 5, 5)).astype(np.float32)
    found = network.normalise(torch.from_numpy(x)[None])[0].numpy()
    expected = caffe_equations.lrn(x)
    assert np.abs(expected / x).min() < 0.5
    np.testing.assert_allclose(found, expected, rtol=1e-5)


def moving(height: int, width: int) -> np.ndarray:
    """(2, height, width, 3) uint8: images of flow that grows to the right, and of flow that is random."""
    grows = torch.linspace(-9, 9, width).expand(1, 2, height, width) * torch.tensor([1.0, 0.3])[None, :, None, None]
    noise = torch.randn(1, 2, height, width, generator=torch.Generator().manual_seed(0))
    return flow_image(torch.cat([grows, 3 * noise])).numpy()


def test_conv1_gets_magnitude_y_and_x_less_128():
    flow = torch.zeros(1, 2, 300, 400)
    flow[:, 0], flow[:, 1] = 1.0, -2.0
    x = Backbone(flow_config("flow", ""), nn.Identity()).preprocess(flow_image(flow).numpy())
    assert x.shape == (1, 3, 227, 227)
    for channel, expected in enumerate((round(16 * 5**0.5), -32, 16)):
        torch.testing.assert_close(x[0, channel], torch.full((227, 227), float(expected)), rtol=0, atol=1e-4)


@pytest.mark.parametrize("size", [(240, 320), (256, 256)])
def test_flow_images_are_fed_without_their_margins(size):
    images = moving(*size)
    found = Backbone(flow_config("flow", ""), nn.Identity()).preprocess(images)[1].numpy()
    assert np.abs(found - caffe_equations.preprocess(images[1], 227, 227, (128, 128, 128))).max() < 0.01


def test_fc6_is_that_of_caffes_equations(backbone, layers):
    images = moving(240, 320)
    found = backbone(images).numpy()
    for image, features in zip(images, found, strict=True):
        x = caffe_equations.preprocess(image, 227, 227, (128, 128, 128)).astype(np.float32)
        expected, sides = caffe_equations.flow_fc6(x, layers)
        assert sides == [111, 55, 26, 13, 13, 6]
        assert 0.2 < (expected > 0).mean() < 0.8
        np.testing.assert_allclose(features, expected, rtol=1e-3, atol=2e-4 * expected.max())


def test_classes_are_those_of_caffes_equations(backbone, layers):
    fc6 = np.maximum(np.random.default_rng(0).standard_normal(4096), 0).astype(np.float32)
    (fc7_weight, fc7_bias), (fc8_weight, fc8_bias) = layers["fc7"], layers["fc8-ucf"]
    expected = fc8_weight @ np.maximum(fc7_weight @ fc6 + fc7_bias, 0) + fc8_bias
    found = backbone.network.classify(torch.from_numpy(fc6)[None])[0].detach().numpy()
    np.testing.assert_allclose(found, expected, rtol=1e-3, atol=1e-4 * np.abs(expected).max())


def test_the_folder_says_what_it_is(backbone):
    config = backbone.config
    assert (config.name, config.architecture, config.feature_size) == ("flow", "caffenet_flow", 4096)
    assert config.source == "single_frame_all_layers_hyb_flow_iter_50000.caffemodel"
