"""Pictures of flow: what CNNs see, and the colour wheel."""

import pytest
import torch

from s2vt_model.errors import FlowError
from s2vt_model.flow.image import colour_wheel, flow_image, wheel_legend


def uniform(x: float, y: float) -> torch.Tensor:
    return torch.tensor([x, y], dtype=torch.float32).view(1, 2, 1, 1).expand(1, 2, 4, 6)


@pytest.mark.parametrize(
    ("flow", "pixel"),
    [
        ((0, 0), (128, 128, 128)),
        ((3, -4), (176, 64, 208)),  # 16 · flow + 128, 16 · 5 + 128
        ((20, -20), (255, 0, 255)),  # saturates
        ((0.1, 0.3), (130, 133, 133)),
    ],
)
def test_s2vt_presets_levels(flow, pixel):
    image = flow_image(uniform(*flow))
    assert image.shape == (1, 4, 6, 3)
    assert image.dtype == torch.uint8
    assert image[0, 2, 3].tolist() == list(pixel)


@pytest.mark.parametrize(("flow", "pixel"), [((0, 0), (128, 128)), ((20, -20), (255, 0)), ((50, -10), (255, 64))])
def test_two_stream_presets_levels(flow, pixel):
    assert flow_image(uniform(*flow), "two_stream")[0, 0, 0].tolist() == list(pixel)


@pytest.mark.parametrize(
    ("flow", "colour"),
    [
        ((0, 0), (255, 255, 255)),
        ((5, 0), (255, 0, 0)),  # right: red
        ((2.5, 0), (255, 127, 127)),  # half as fast: half as strong
        ((10, 0), (191, 0, 0)),  # beyond the radius: darker
    ],
)
def test_the_wheels_colours(flow, colour):
    assert colour_wheel(uniform(*flow), radius_px=5)[0, 0, 0].tolist() == list(colour)


def test_directions_have_the_hues_of_middlebury():
    """Down is yellow, left is blue-green, up is violet-blue (Baker et al. 2011, figure 4)."""
    down, left, up = (colour_wheel(uniform(*flow), 1.0)[0, 0, 0].tolist() for flow in ((0, 1), (-1, 0), (0, -1)))
    assert down[0] > 200
    assert down[1] > 200
    assert down[2] == 0
    assert left[0] == 0
    assert min(left[1:]) > 150
    assert up[2] == 255
    assert up[1] < 60


def test_turning_the_motion_turns_the_hue_without_a_seam():
    angles = torch.linspace(0, 2 * torch.pi, 721)
    flow = torch.stack([angles.cos(), angles.sin()])[None, :, None]
    colours = colour_wheel(flow, radius_px=1.001)[0, 0].int()
    assert (colours[1:] - colours[:-1]).abs().max() <= 8


def test_the_legend_shows_the_wheel():
    legend = wheel_legend(41)
    assert legend.shape == (41, 41, 3)
    assert legend[20, 20].tolist() == [255, 255, 255]
    assert legend[20, 40].tolist() == [255, 0, 0]


def test_what_is_refused():
    with pytest.raises(FlowError, match="presets"):
        flow_image(uniform(0, 0), "other")
    with pytest.raises(FlowError, match="radius"):
        colour_wheel(uniform(0, 0), 0.0)
    with pytest.raises(FlowError, match=r"\(N, 2, H, W\)"):
        flow_image(torch.zeros(1, 3, 4, 4))
