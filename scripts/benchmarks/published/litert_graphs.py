"""The graphs of ``litert.csv``, rebuilt without TensorFlow from the text in its column ``graph``.

    mobilenet_v1 alpha=0.25 input=224x224x3 classes=1000
    mobilenet_v2 alpha=1.0 input=96x96x3 classes=5
    mobilenet_v3_large alpha=0.75 input=224x224x3 classes=1001
    mobilenet_v3_small alpha=1.0 input=224x224x3 classes=1000
    mobilenet_v3_large_minimalistic alpha=1.0 input=224x224x3 classes=1001 head=dense
    mobilenet_v2_ssdlite alpha=1.0 input=300x300x3 classes=91
    efficientdet_lite2 alpha=1.1 input=448x448x3 classes=90

Operators and shapes are those that the TFLite converter makes of ``keras.applications`` (MobileNet,
MobileNetV2, MobileNetV3Large, MobileNetV3Small) with batch norm folded; ``head=dense`` stands for global
pooling and one dense layer in place of the original head. Detectors are in ``litert_detectors``. Weights are
zeros: latency does not depend on them.

Sources: Howard et al., MobileNets, 2017; Sandler et al., MobileNetV2, 2018; Howard et al., Searching for
MobileNetV3, 2019.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Mapping
from types import MappingProxyType

from published.litert_detectors import EFFICIENTDETS, efficientdet_lite, ssdlite_mobilenet_v2
from published.litert_parts import V2_BLOCKS, Net, Settings, divisible

Blocks = tuple[tuple[int, int, int, int, bool, bool], ...]

V1_BLOCKS = (
    (64, 1),
    (128, 2),
    (128, 1),
    (256, 2),
    (256, 1),
    (512, 2),
    *((512, 1),) * 5,
    (1024, 2),
    (1024, 1),
)
"""Channels and stride of each separable convolution."""
V3_LARGE = (
    (16, 16, 3, 1, False, False),
    (64, 24, 3, 2, False, False),
    (72, 24, 3, 1, False, False),
    (72, 40, 5, 2, True, False),
    (120, 40, 5, 1, True, False),
    (120, 40, 5, 1, True, False),
    (240, 80, 3, 2, False, True),
    (200, 80, 3, 1, False, True),
    (184, 80, 3, 1, False, True),
    (184, 80, 3, 1, False, True),
    (480, 112, 3, 1, True, True),
    (672, 112, 3, 1, True, True),
    (672, 160, 5, 2, True, True),
    (960, 160, 5, 1, True, True),
    (960, 160, 5, 1, True, True),
)
"""Expanded channels, channels, kernel, stride, squeeze-and-excite, hard swish: table 1 of the paper."""
V3_SMALL = (
    (16, 16, 3, 2, True, False),
    (72, 24, 3, 2, False, False),
    (88, 24, 3, 1, False, False),
    (96, 40, 5, 2, True, True),
    (240, 40, 5, 1, True, True),
    (240, 40, 5, 1, True, True),
    (120, 48, 5, 1, True, True),
    (144, 48, 5, 1, True, True),
    (288, 96, 5, 2, True, True),
    (576, 96, 5, 1, True, True),
    (576, 96, 5, 1, True, True),
)
"""The same of table 2."""
LAST = {V3_LARGE: 1280, V3_SMALL: 1024}
"""Channels before the last convolution."""


def build(text: str, arithmetic: str) -> bytes:
    """A .tflite with zeros as weights.

    Args:
        text: of the column ``graph``.
        arithmetic: ``float32`` or ``int8``, of inputs, outputs and everything between.

    Raises:
        ValueError: the text names no such graph, or the arithmetic is neither of the two.
    """
    match = re.fullmatch(
        r"(\w+) alpha=([\d.]+) input=(\d+)x(\d+)x(\d+) classes=(\d+)( head=dense)?", text.strip()
    )
    if match is None or match[1] not in _GRAPHS or arithmetic not in ("float32", "int8"):
        raise ValueError(
            f"expected one of {', '.join(_GRAPHS)} with alpha, input and classes, in float32 or int8; "
            f"got {text!r} in {arithmetic!r}"
        )
    height, width, channels = (int(size) for size in match.group(3, 4, 5))
    settings = Settings(float(match[2]), (height, width, channels), int(match[6]), match[7] is not None)
    net = Net(match[1], arithmetic)
    x = net.graph.input((1, *settings.shape), arithmetic)
    return net.graph.build([_GRAPHS[match[1]](net, x, settings)])


def _mobilenet_v1(net: Net, x: int, settings: Settings) -> int:
    x = net.conv(x, int(32 * settings.alpha), 3, 2, "RELU6")
    for channels, stride in V1_BLOCKS:
        x = net.depthwise(x, 3, stride, "RELU6")
        x = net.conv(x, int(channels * settings.alpha), activation="RELU6")
    if settings.dense:
        return net.dense_head(x, settings.classes)
    x = net.conv(net.graph.mean(x, keep_dims=True), settings.classes)
    return net.graph.softmax(net.graph.reshape(x, (1, settings.classes)))


def _mobilenet_v2(net: Net, x: int, settings: Settings) -> int:
    x = net.conv(x, divisible(32 * settings.alpha), 3, 2, "RELU6")
    for expansion, channels, repeats, first_stride in V2_BLOCKS:
        for repeat in range(repeats):
            stride = 1 if repeat else first_stride
            x = net.inverted_residual(x, expansion, divisible(channels * settings.alpha), stride)
    x = net.conv(x, divisible(1280 * max(1.0, settings.alpha)), activation="RELU6")
    return net.dense_head(x, settings.classes)


def _mobilenet_v3(
    net: Net, x: int, settings: Settings, blocks: Blocks = V3_LARGE, minimalistic: bool = False
) -> int:
    def activated(y: int, hard: bool) -> int:
        return net.swish(y) if hard and not minimalistic else y

    def fused(hard: bool) -> str:
        return "NONE" if hard and not minimalistic else "RELU"

    x = net.scalar("ADD", net.scalar("MUL", x))  # the model scales its input itself
    x = activated(net.conv(x, 16, 3, 2, fused(True)), True)
    for index, (expanded, channels, kernel, stride, excite, hard) in enumerate(blocks):
        start, depth = x, net.graph.shapes[x][-1]
        # Keras multiplies by the expansion, a ratio, so a width multiplier acts on the input's channels.
        middle = divisible(depth * expanded / blocks[index - 1][1]) if index else depth
        if index:
            x = activated(net.conv(x, middle, activation=fused(hard)), hard)
        x = net.depthwise(x, 3 if minimalistic else kernel, stride, fused(hard))
        x = activated(x, hard)
        if excite and not minimalistic:
            x = _squeeze_excite(net, x, middle)
        x = net.conv(x, divisible(channels * settings.alpha))
        if stride == 1 and depth == net.graph.shapes[x][-1]:
            x = net.graph.add(start, x)
    x = activated(net.conv(x, divisible(net.graph.shapes[x][-1] * 6), activation=fused(True)), True)
    if settings.dense:
        return net.dense_head(x, settings.classes)
    last = divisible(LAST[blocks] * max(1.0, settings.alpha))
    x = net.conv(net.graph.mean(x, keep_dims=True), last, activation=fused(True))
    x = net.conv(activated(x, True), settings.classes)
    return net.graph.softmax(net.graph.reshape(x, (1, settings.classes)))


def _squeeze_excite(net: Net, x: int, channels: int) -> int:
    y = net.conv(net.graph.mean(x, keep_dims=True), divisible(channels / 4), activation="RELU")
    y = net.conv(y, channels, activation="RELU6")  # a hard sigmoid: its + 3 is in the bias
    return net.binary("MUL", x, net.scalar("MUL", y))


_GRAPHS: Mapping[str, Callable[[Net, int, Settings], int]] = MappingProxyType(
    {
        "mobilenet_v1": _mobilenet_v1,
        "mobilenet_v2": _mobilenet_v2,
        "mobilenet_v3_large": _mobilenet_v3,
        "mobilenet_v3_large_minimalistic": functools.partial(_mobilenet_v3, minimalistic=True),
        "mobilenet_v3_small": functools.partial(_mobilenet_v3, blocks=V3_SMALL),
        "mobilenet_v2_ssdlite": ssdlite_mobilenet_v2,
        **{name: functools.partial(efficientdet_lite, size=size) for name, size in EFFICIENTDETS.items()},
    }
)
"""By the first word of a graph's text."""
