"""Detectors of ``litert.csv``: SSDLite on MobileNet v2, and EfficientDet-Lite.

What is left out is what stands behind the outputs: choosing boxes, an operator of TensorFlow Lite's own.

Sources: Sandler et al., MobileNetV2, 2018 (SSDLite), with the feature maps and anchors of TensorFlow's Object
Detection API (six maps, 3 and 6 anchors); Tan, Pang and Le, EfficientDet, 2020, in the light variant of its
repository (google/automl): RELU6, plain sums, and EfficientNet-Lite without squeeze-and-excite, whose stem
and first and last stage are not scaled.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
from published.litert_parts import V2_BLOCKS, Net, Settings, divisible

SSD_EXTRAS = ((256, 512), (128, 256), (128, 256), (64, 128))
"""Channels of the 1x1 convolution and of the strided one behind it, for each further feature map."""
SSD_ANCHORS = (3, 6, 6, 6, 6, 6)
EFFICIENTNET_BLOCKS = (
    (1, 16, 1, 1, 3),
    (6, 24, 2, 2, 3),
    (6, 40, 2, 2, 5),
    (6, 80, 3, 2, 3),
    (6, 112, 3, 1, 5),
    (6, 192, 4, 2, 5),
    (6, 320, 1, 1, 3),
)
"""Expansion, channels, repeats, stride of the first, kernel: table 1 of EfficientNet (Tan and Le, 2019)."""
TAPPED = (2, 4, 6)
"""Stages whose outputs the detector takes: strides 8, 16 and 32."""
DET_ANCHORS = 9


class Detector(NamedTuple):
    """How large an EfficientDet-Lite is.

    Attributes:
        depth: multiplier of the backbone's repeats.
        channels: of all feature maps.
        cells: how often features of all scales are mixed.
    """

    depth: float
    channels: int
    cells: int


EFFICIENTDETS = {
    "efficientdet_lite0": Detector(1.0, 64, 3),
    "efficientdet_lite1": Detector(1.1, 88, 4),
    "efficientdet_lite2": Detector(1.2, 112, 5),
}
HEAD_REPEATS = 3


def ssdlite_mobilenet_v2(net: Net, x: int, settings: Settings) -> int:
    """SSDLite: the last expanded map of stride 16, the last of the backbone, and four smaller ones."""
    maps = [*_mobilenet_v2_maps(net, x, settings.alpha)]
    for squeezed, channels in SSD_EXTRAS:
        x = net.conv(maps[-1], squeezed, activation="RELU6")
        maps.append(net.conv(net.depthwise(x, 3, 2, "RELU6"), channels, activation="RELU6"))
    heads = [
        _flat(net, net.conv(net.depthwise(one, 3, 1, "RELU6"), anchors * width), width)
        for width in (4, settings.classes)
        for one, anchors in zip(maps, SSD_ANCHORS, strict=True)
    ]
    return _joined(net, heads[: len(maps)], heads[len(maps) :])


def _mobilenet_v2_maps(net: Net, x: int, alpha: float) -> Iterator[int]:
    x = net.conv(x, divisible(32 * alpha), 3, 2, "RELU6")
    for expansion, channels, repeats, first_stride in V2_BLOCKS:
        width = divisible(channels * alpha)
        for repeat in range(repeats):
            if channels == 160 and not repeat:
                x = net.conv(x, net.graph.shapes[x][-1] * expansion, activation="RELU6")
                yield x
                x = net.conv(net.depthwise(x, 3, first_stride, "RELU6"), width)
            else:
                x = net.inverted_residual(x, expansion, width, 1 if repeat else first_stride)
    yield net.conv(x, 1280, activation="RELU6")


def efficientdet_lite(net: Net, x: int, settings: Settings, size: Detector) -> int:
    """EfficientDet-Lite: maps of strides 8 to 128, mixed several times, then boxes and classes of each."""
    maps = [*_efficientnet_maps(net, x, settings.alpha, size.depth)]
    maps.append(_halved(net, net.conv(maps[-1], size.channels)))
    maps.append(_halved(net, maps[-1]))
    for _ in range(size.cells):
        maps = _mixed(net, maps, size.channels)
    heads = [_head(net, one, width, size.channels) for width in (4, settings.classes) for one in maps]
    return _joined(net, heads[: len(maps)], heads[len(maps) :])


def _efficientnet_maps(net: Net, x: int, alpha: float, depth: float) -> Iterator[int]:
    x = net.conv(x, 32, 3, 2, "RELU6")
    for stage, (expansion, channels, repeats, first_stride, kernel) in enumerate(EFFICIENTNET_BLOCKS):
        is_fixed = stage in (0, len(EFFICIENTNET_BLOCKS) - 1)
        for repeat in range(repeats if is_fixed else math.ceil(repeats * depth)):
            stride = 1 if repeat else first_stride
            x = net.inverted_residual(x, expansion, divisible(channels * alpha), stride, kernel)
        if stage in TAPPED:
            yield x


def _mixed(net: Net, maps: Sequence[int], channels: int) -> list[int]:
    """One cell of EfficientDet's figure 3d: from coarse to fine, and back."""

    def fitting(x: int) -> int:
        return x if net.graph.shapes[x][-1] == channels else net.conv(x, channels)

    def node(parts: Sequence[int]) -> int:
        *others, last = parts
        x = others[0]
        for other in others[1:]:
            x = net.graph.add(x, other)
        x = net.graph.add(x, last, activation="RELU6")
        return net.conv(net.depthwise(x, 3, 1, "NONE"), channels)

    down = [maps[-1]]
    for one in reversed(maps[:-1]):
        down.insert(0, node([fitting(one), _doubled(net, down[0], one)]))
    up = [down[0]]
    for one, middle in zip(maps[1:-1], down[1:-1], strict=True):
        up.append(node([fitting(one), middle, _halved(net, up[-1])]))
    return [*up, node([maps[-1], _halved(net, up[-1])])]


def _head(net: Net, x: int, width: int, channels: int) -> int:
    for _ in range(HEAD_REPEATS):
        x = net.conv(net.depthwise(x, 3, 1, "NONE"), channels, activation="RELU6")
    return _flat(net, net.conv(net.depthwise(x, 3, 1, "NONE"), DET_ANCHORS * width), width)


def _flat(net: Net, x: int, width: int) -> int:
    return net.graph.reshape(x, (1, math.prod(net.graph.shapes[x]) // width, width))


def _joined(net: Net, boxes: Sequence[int], classes: Sequence[int]) -> int:
    """The classes' chances; boxes are computed too, and are read by nobody."""
    net.graph.concatenate(boxes, axis=1)
    return net.graph.unary("LOGISTIC", net.graph.concatenate(classes, axis=1))


def _halved(net: Net, x: int) -> int:
    batch, height, width, channels = net.graph.shapes[x]
    y = net.graph.like(x, (batch, -(-height // 2), -(-width // 2), channels))
    net.graph.op(
        "MAX_POOL_2D",
        [x],
        [y],
        padding="SAME",
        strideW=2,
        strideH=2,
        filterWidth=3,
        filterHeight=3,
        fusedActivationFunction="NONE",
    )
    return y


def _doubled(net: Net, x: int, like: int) -> int:
    """As large as another map, by repeating."""
    batch, height, width, _ = net.graph.shapes[like]
    y = net.graph.like(x, (batch, height, width, net.graph.shapes[x][-1]))
    size = net.graph.constant(np.array((height, width), np.int32))
    net.graph.op("RESIZE_NEAREST_NEIGHBOR", [x, size], [y])
    return y
