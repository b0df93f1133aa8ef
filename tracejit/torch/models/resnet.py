"""Residual networks (He et al. 2016), with the parameter names and the initialisation of torchvision, so that its weights load.

As there, the stride of a bottleneck lies in its 3 x 3 convolution ("version 1.5").
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from .. import nn
from ..tensor import Tensor
from .weights import with_weights


def _conv3x3(inputs: int, outputs: int, stride: int = 1, groups: int = 1) -> nn.Conv2d:
    return nn.Conv2d(inputs, outputs, kernel_size=3, stride=stride, padding=1, groups=groups, bias=False)


def _conv1x1(inputs: int, outputs: int, stride: int = 1) -> nn.Conv2d:
    return nn.Conv2d(inputs, outputs, kernel_size=1, stride=stride, bias=False)


class BasicBlock(nn.Module):
    """Two 3 x 3 convolutions beside a short cut."""

    expansion = 1

    def __init__(
        self, inputs: int, planes: int, stride: int, downsample: nn.Module | None, groups: int, base_width: int,
        norm_layer: Callable[[int], nn.Module],
    ):  # fmt: skip
        super().__init__()
        if groups != 1 or base_width != 64:
            raise ValueError("BasicBlock only supports groups=1 and width_per_group=64: the wide and grouped networks are made of bottlenecks")
        self.conv1 = _conv3x3(inputs, planes, stride)
        self.bn1 = norm_layer(planes)
        self.relu = nn.ReLU(inplace=True)
        self.conv2 = _conv3x3(planes, planes)
        self.bn2 = norm_layer(planes)
        self.downsample = downsample

    def forward(self, x: Tensor) -> Tensor:
        out = self.relu(self.bn1(self.conv1(x)))
        out = self.bn2(self.conv2(out))
        return self.relu(out + (x if self.downsample is None else self.downsample(x)))


class Bottleneck(nn.Module):
    """A 1 x 1, a 3 x 3 and another 1 x 1 convolution, the middle one on fewer channels, beside a short cut."""

    expansion = 4

    def __init__(
        self, inputs: int, planes: int, stride: int, downsample: nn.Module | None, groups: int, base_width: int,
        norm_layer: Callable[[int], nn.Module],
    ):  # fmt: skip
        super().__init__()
        width = int(planes * (base_width / 64.0)) * groups
        self.conv1 = _conv1x1(inputs, width)
        self.bn1 = norm_layer(width)
        self.conv2 = _conv3x3(width, width, stride, groups)
        self.bn2 = norm_layer(width)
        self.conv3 = _conv1x1(width, planes * self.expansion)
        self.bn3 = norm_layer(planes * self.expansion)
        self.relu = nn.ReLU(inplace=True)
        self.downsample = downsample

    def forward(self, x: Tensor) -> Tensor:
        out = self.relu(self.bn1(self.conv1(x)))
        out = self.relu(self.bn2(self.conv2(out)))
        out = self.bn3(self.conv3(out))
        return self.relu(out + (x if self.downsample is None else self.downsample(x)))


class ResNet(nn.Module):
    """A stem, four stages of blocks, an average over the image and a linear layer: (n, 3, h, w) -> (n, num_classes).

    block: `BasicBlock` or `Bottleneck`. layers: how many blocks each stage has. zero_init_residual: each block begins as the identity.
    """

    def __init__(
        self, block: type, layers: list[int], num_classes: int = 1000, zero_init_residual: bool = False, groups: int = 1, width_per_group: int = 64,
        norm_layer: Callable[[int], nn.Module] | None = None,
    ):  # fmt: skip
        super().__init__()
        self._norm_layer = nn.BatchNorm2d if norm_layer is None else norm_layer
        self.inplanes, self.groups, self.base_width = 64, groups, width_per_group
        self.conv1 = nn.Conv2d(3, self.inplanes, kernel_size=7, stride=2, padding=3, bias=False)
        self.bn1 = self._norm_layer(self.inplanes)
        self.relu = nn.ReLU(inplace=True)
        self.maxpool = nn.MaxPool2d(kernel_size=3, stride=2, padding=1)
        self.layer1 = self._make_layer(block, 64, layers[0], 1)
        self.layer2 = self._make_layer(block, 128, layers[1], 2)
        self.layer3 = self._make_layer(block, 256, layers[2], 2)
        self.layer4 = self._make_layer(block, 512, layers[3], 2)
        self.avgpool = nn.AdaptiveAvgPool2d((1, 1))
        self.fc = nn.Linear(512 * block.expansion, num_classes)
        for m in self.modules():
            if isinstance(m, nn.Conv2d):
                nn.init.kaiming_normal_(m.weight, mode="fan_out", nonlinearity="relu")
            elif isinstance(m, nn.BatchNorm2d | nn.GroupNorm):
                nn.init.constant_(m.weight, 1)
                nn.init.constant_(m.bias, 0)
        if zero_init_residual:
            for m in self.modules():
                if isinstance(m, Bottleneck):
                    nn.init.constant_(m.bn3.weight, 0)
                elif isinstance(m, BasicBlock):
                    nn.init.constant_(m.bn2.weight, 0)

    def _make_layer(self, block: type, planes: int, blocks: int, stride: int) -> nn.Sequential:
        downsample, outputs = None, planes * block.expansion
        if stride != 1 or self.inplanes != outputs:
            downsample = nn.Sequential(_conv1x1(self.inplanes, outputs, stride), self._norm_layer(outputs))
        made = [block(self.inplanes, planes, stride, downsample, self.groups, self.base_width, self._norm_layer)]
        self.inplanes = outputs
        made += [block(outputs, planes, 1, None, self.groups, self.base_width, self._norm_layer) for _ in range(1, blocks)]
        return nn.Sequential(*made)

    def forward(self, x: Tensor) -> Tensor:
        x = self.maxpool(self.relu(self.bn1(self.conv1(x))))
        x = self.layer4(self.layer3(self.layer2(self.layer1(x))))
        return self.fc(self.avgpool(x).flatten(1))


def resnet18(*, weights: Any = None, pretrained: bool = False, progress: bool = True, **options: Any) -> ResNet:
    """ResNet-18: 11.7 million parameters.

    weights: a path to a local file with its weights (see `load_weights`). Other options are those of `ResNet`.
    Raises `ValueError` for `pretrained=True` without a file, and for torchvision's names of weights.

    >>> from tracejit.torch import models
    >>> sum(p.numel() for p in models.resnet18().parameters())
    11689512
    """
    return with_weights(ResNet(BasicBlock, [2, 2, 2, 2], **options), weights, pretrained)


def resnet34(*, weights: Any = None, pretrained: bool = False, progress: bool = True, **options: Any) -> ResNet:
    """ResNet-34: 21.8 million parameters. Arguments and errors as of `resnet18`."""
    return with_weights(ResNet(BasicBlock, [3, 4, 6, 3], **options), weights, pretrained)


def resnet50(*, weights: Any = None, pretrained: bool = False, progress: bool = True, **options: Any) -> ResNet:
    """ResNet-50: 25.6 million parameters. Arguments and errors as of `resnet18`."""
    return with_weights(ResNet(Bottleneck, [3, 4, 6, 3], **options), weights, pretrained)
