"""I3D: Inception-v1 with every kernel inflated into time (Carreira & Zisserman 2017, arXiv 1705.07750).

    frames (B, 3, T, S, S)
      stem       7×7×7 convolution, poolings over space        T/2, S/8     192 channels
      Mixed_3    two inception modules, pooling                T/4, S/16    480
      Mixed_4    five, pooling                                 T/8, S/32    832
      Mixed_5    two                                           T/8, S/32   1024
      mean over space                                     (B, T/8, 1024)

A module looks at the same place in four ways and lays the answers side by side. Time is strided
three times, so one vector comes for every eight frames; it has also seen some before and after.

Layers are named as in the authors' release, and pad as its TensorFlow "SAME" does: an odd total
goes after the picture, where PyTorch pads both sides alike. Batch normalisation, an affine map once
trained, is folded into the convolutions' weights and biases (scripts/convert_i3d.py).
"""

from collections import OrderedDict

import torch
from torch import Tensor, nn
from torch.nn import functional as F

FRAMES_PER_VECTOR = 8
FEATURE_SIZE = 1024
KINETICS_CLASSES = 400

Size = tuple[int, int, int]  # time, height, width
ONE: Size = (1, 1, 1)


def same_padding(x: Tensor, kernel: Size, stride: Size) -> tuple[list[int], list[int]]:
    """Paddings before and after T, H and W of x (…, T, H, W), so that ⌈size / stride⌉ windows fit in."""
    sizes = zip(x.shape[-3:], kernel, stride, strict=True)
    totals = [max((-(-size // s) - 1) * s + k - size, 0) for size, k, s in sizes]
    return [total // 2 for total in totals], [total - total // 2 for total in totals]


class Unit(nn.Module):
    """Convolution (with the batch normalisation folded in) and ReLU."""

    def __init__(self, inputs: int, outputs: int, kernel: Size = ONE, stride: Size = ONE):
        super().__init__()
        self.conv = nn.Conv3d(inputs, outputs, kernel, stride)

    def forward(self, x: Tensor) -> Tensor:
        """(B, inputs, T, H, W) -> (B, outputs, ⌈T / stride⌉, ⌈H / stride⌉, ⌈W / stride⌉)"""
        conv = self.conv
        before, after = same_padding(x, conv.kernel_size, conv.stride)
        if before != after:  # what exceeds the same padding on both sides, which is the convolution's own
            x = F.pad(x, [0, after[2] - before[2], 0, after[1] - before[1], 0, after[0] - before[0]])
        return F.relu(F.conv3d(x, conv.weight, conv.bias, conv.stride, before), inplace=True)


class MaxPool(nn.Module):
    """Maximum over windows. The padding never wins; `ceil_mode` lets windows stick out at the end."""

    def __init__(self, kernel: Size, stride: Size):
        super().__init__()
        self.kernel, self.stride = kernel, stride

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, T, H, W) -> (B, C, ⌈T / stride⌉, ⌈H / stride⌉, ⌈W / stride⌉)"""
        before, _ = same_padding(x, self.kernel, self.stride)
        x = x.contiguous(memory_format=torch.channels_last_3d)  # several times faster on a CPU
        return F.max_pool3d(x, self.kernel, self.stride, before, ceil_mode=True).contiguous()


def named(**layers: nn.Module) -> nn.Sequential:
    """One layer after the other, each under its name."""
    return nn.Sequential(OrderedDict(layers))


class Inception(nn.Module):
    """Four branches over one input, their channels concatenated."""

    def __init__(self, inputs: int, b0: int, b1: tuple[int, int], b2: tuple[int, int], b3: int):
        super().__init__()
        self.Branch_0 = named(Conv3d_0a_1x1=Unit(inputs, b0))
        self.Branch_1 = named(Conv3d_0a_1x1=Unit(inputs, b1[0]), Conv3d_0b_3x3=Unit(*b1, kernel=(3, 3, 3)))
        self.Branch_2 = named(Conv3d_0a_1x1=Unit(inputs, b2[0]), Conv3d_0b_3x3=Unit(*b2, kernel=(3, 3, 3)))
        self.Branch_3 = named(MaxPool3d_0a_3x3=MaxPool((3, 3, 3), ONE), Conv3d_0b_1x1=Unit(inputs, b3))

    def forward(self, x: Tensor) -> Tensor:
        """(B, inputs, T, H, W) -> (B, b0 + b1[1] + b2[1] + b3, T, H, W)"""
        return torch.cat([self.Branch_0(x), self.Branch_1(x), self.Branch_2(x), self.Branch_3(x)], dim=1)


class I3D(nn.Module):
    """RGB in -1..1 -> a vector for every eight frames."""

    def __init__(self):
        super().__init__()
        self.layers = named(
            Conv3d_1a_7x7=Unit(3, 64, (7, 7, 7), (2, 2, 2)),
            MaxPool3d_2a_3x3=MaxPool((1, 3, 3), (1, 2, 2)),
            Conv3d_2b_1x1=Unit(64, 64),
            Conv3d_2c_3x3=Unit(64, 192, (3, 3, 3)),
            MaxPool3d_3a_3x3=MaxPool((1, 3, 3), (1, 2, 2)),
            Mixed_3b=Inception(192, 64, (96, 128), (16, 32), 32),
            Mixed_3c=Inception(256, 128, (128, 192), (32, 96), 64),
            MaxPool3d_4a_3x3=MaxPool((3, 3, 3), (2, 2, 2)),
            Mixed_4b=Inception(480, 192, (96, 208), (16, 48), 64),
            Mixed_4c=Inception(512, 160, (112, 224), (24, 64), 64),
            Mixed_4d=Inception(512, 128, (128, 256), (24, 64), 64),
            Mixed_4e=Inception(512, 112, (144, 288), (32, 64), 64),
            Mixed_4f=Inception(528, 256, (160, 320), (32, 128), 128),
            MaxPool3d_5a_2x2=MaxPool((2, 2, 2), (2, 2, 2)),
            Mixed_5b=Inception(832, 256, (160, 320), (32, 128), 128),
            Mixed_5c=Inception(832, 384, (192, 384), (48, 128), 128),
        )
        self.Logits = named(Conv3d_0c_1x1=nn.Linear(FEATURE_SIZE, KINETICS_CLASSES))

    def forward(self, x: Tensor) -> Tensor:
        """(B, 3, T, H, W) in -1..1 -> (B, ⌈T/8⌉, 1024)"""
        return self.layers(x).mean(dim=(3, 4)).transpose(1, 2)

    def classify(self, features: Tensor) -> Tensor:
        """(B, N, 1024) -> (B, 400) logits of Kinetics' actions, in alphabetical order."""
        return self.Logits(features.mean(dim=1))
