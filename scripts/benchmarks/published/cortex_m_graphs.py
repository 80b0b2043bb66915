"""The graphs of ``cortex_m.csv`` and of the counted models, rebuilt from the text in their column ``graph``.

Weights are random: latency does not depend on them. The texts are those of five families:

- ``layers(...): 28x28x1 | conv4k3s2 max2s2 gap flatten | dense10``: EdgeMark's CNN_n;
- ``dense: in784 60 32 16 out10 relu``: EdgeMark's FC_n;
- ``mlperf-tiny NAME: ...``: MLPerf Tiny's anomaly detection, keyword spotting, image classification and
  visual wake words;
- ``person detection: ...``: the example of TFLM, a MobileNet v1;
- ``mcunet: 64x64x3 | c16k3s2 | 1k3s1c8 6k3s2c8 | dense1000``: networks of inverted bottlenecks, as MCUNet's
  and MobileNet v2. ``6k3s2c8`` is a block: six times its input channels, a depthwise convolution of 3x3 with
  stride 2, 8 channels. ``c16k3s2`` is a convolution.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from types import MappingProxyType

from edgesqueeze.graph.builder import GraphBuilder

PERSON_BLOCKS = (
    *((16, 1), (32, 2), (32, 1), (64, 2), (64, 1), (128, 2)),
    *((128, 1),) * 5,
    *((256, 2), (256, 1)),
)
"""Channels and stride of the separable convolutions of TFLM's person detection."""

DTYPES: Mapping[str, str] = MappingProxyType({"int8": "int8", "fp32": "float32", "float32": "float32"})


def build(text: str, arithmetic: str) -> bytes:
    """A .tflite with random weights.

    Args:
        text: of the column ``graph``.
        arithmetic: ``int8`` or ``float32``, of inputs, outputs and everything between.

    Raises:
        ValueError: the text is of no family above, or the arithmetic of neither kind.
    """
    if arithmetic not in DTYPES:
        raise ValueError(f"arithmetic: expected int8 or float32, got {arithmetic!r}")
    family, _, rest = text.partition(":")
    rule = next((rule for pattern, rule in _FAMILIES.items() if re.fullmatch(pattern, family)), None)
    if rule is None:
        raise ValueError(f"graph: expected one of {', '.join(_FAMILIES)}, got {family!r}")
    return rule(rest.strip(), DTYPES[arithmetic])


def _layers(text: str, dtype: str) -> bytes:
    shape, convolutions, dense = (part.strip() for part in text.split("|"))
    graph = GraphBuilder(name="layers")
    x = graph.input((1, *(int(size) for size in shape.split("x"))), dtype)
    for word in convolutions.split():
        x = _layer(graph, x, word)
    units = [int(word.removeprefix("dense")) for word in dense.split()]
    for count in units[:-1]:
        x = graph.fully_connected(x, count, "RELU")
    return graph.build([graph.softmax(graph.fully_connected(x, units[-1]))])


def _layer(graph: GraphBuilder, x: int, word: str) -> int:
    if word == "gap":
        return graph.mean(x)
    if word == "flatten":
        return graph.reshape(x, (1, math.prod(graph.shapes[x])))
    if pool := re.fullmatch(r"max(\d+)s\1", word):
        return graph.max_pool(x, int(pool[1]))
    conv = re.fullmatch(r"conv(\d+)k(\d+)s(\d+)", word)
    if conv is None:
        raise ValueError(f"graph: expected convNkNsN, maxNsN, gap or flatten, got {word!r}")
    channels, kernel, stride = (int(number) for number in conv.groups())
    return graph.conv2d(x, channels, kernel, stride, activation="RELU")


def _dense(text: str, dtype: str) -> bytes:
    first, *units = [int(number) for number in re.findall(r"\d+", text)]
    graph = GraphBuilder(name="dense")
    x = graph.input((1, first), dtype)
    for count in units[:-1]:
        x = graph.fully_connected(x, count, "RELU")
    return graph.build([graph.softmax(graph.fully_connected(x, units[-1]))])


def _anomaly_detection(_: str, dtype: str) -> bytes:
    graph = GraphBuilder(name="anomaly_detection")
    x = graph.input((1, 640), dtype)
    for count in (128, 128, 128, 128, 8, 128, 128, 128, 128):
        x = graph.fully_connected(x, count, "RELU")
    return graph.build([graph.fully_connected(x, 640)])


def _keyword_spotting(_: str, dtype: str) -> bytes:
    graph = GraphBuilder(name="keyword_spotting")
    x = graph.input((1, 49, 10, 1), dtype)
    x = graph.conv2d(x, 64, (10, 4), stride=2, activation="RELU")
    for _block in range(4):
        x = graph.depthwise_conv2d(x, activation="RELU")
        x = graph.conv2d(x, 64, 1, activation="RELU")
    x = graph.reshape(_pool_all(graph, x), (1, 64))
    return graph.build([graph.softmax(graph.fully_connected(x, 12))])


def _image_classification(_: str, dtype: str) -> bytes:
    graph = GraphBuilder(name="image_classification")
    x = graph.conv2d(graph.input((1, 32, 32, 3), dtype), 16, activation="RELU")
    for channels, stride in ((16, 1), (32, 2), (64, 2)):
        y = graph.conv2d(graph.conv2d(x, channels, stride=stride, activation="RELU"), channels)
        shortcut = x if stride == 1 else graph.conv2d(x, channels, 1, stride)
        x = graph.add(shortcut, y, "RELU")
    x = graph.reshape(_pool_all(graph, x), (1, 64))
    return graph.build([graph.softmax(graph.fully_connected(x, 10))])


def _person_detection(_: str, dtype: str) -> bytes:
    graph = GraphBuilder(name="person_detection")
    x = graph.depthwise_conv2d(graph.input((1, 96, 96, 1), dtype), stride=2, activation="RELU", multiplier=8)
    x = _separable(graph, x)
    x = graph.reshape(graph.conv2d(_pool_all(graph, x), 2, 1), (1, 2))
    return graph.build([graph.softmax(x)])


def _visual_wake_words(_: str, dtype: str) -> bytes:
    graph = GraphBuilder(name="visual_wake_words")
    x = graph.conv2d(graph.input((1, 96, 96, 3), dtype), 8, stride=2, activation="RELU")
    x = graph.reshape(_pool_all(graph, _separable(graph, x)), (1, 256))
    return graph.build([graph.softmax(graph.fully_connected(x, 2))])


def _separable(graph: GraphBuilder, x: int) -> int:
    for channels, stride in PERSON_BLOCKS:
        x = graph.depthwise_conv2d(x, stride=stride, activation="RELU")
        x = graph.conv2d(x, channels, 1, activation="RELU")
    return x


def _mcunet(text: str, dtype: str) -> bytes:
    shape, first, blocks, dense = (part.strip() for part in text.split("|"))
    graph = GraphBuilder(name="mcunet")
    x = graph.input((1, *(int(size) for size in shape.split("x"))), dtype)
    for word in (first, *blocks.split()):
        x = _bottleneck(graph, x, word)
    channels = graph.shapes[x][-1]
    x = graph.reshape(_pool_all(graph, x), (1, channels))
    return graph.build([graph.fully_connected(x, int(dense.removeprefix("dense")))])


def _bottleneck(graph: GraphBuilder, x: int, word: str) -> int:
    if conv := re.fullmatch(r"c(\d+)k(\d+)s(\d+)", word):
        channels, kernel, stride = (int(number) for number in conv.groups())
        return graph.conv2d(x, channels, kernel, stride, activation="RELU6")
    block = re.fullmatch(r"(\d+)k(\d+)s(\d+)c(\d+)", word)
    if block is None:
        raise ValueError(f"graph: expected cNkNsN or NkNsNcN, got {word!r}")
    widening, kernel, stride, channels = (int(number) for number in block.groups())
    inside = graph.shapes[x][-1] * widening
    y = graph.conv2d(x, inside, 1, activation="RELU6") if widening > 1 else x
    y = graph.depthwise_conv2d(y, kernel, stride, activation="RELU6")
    y = graph.conv2d(y, channels, 1)
    return graph.add(x, y) if graph.shapes[x] == graph.shapes[y] else y


def _pool_all(graph: GraphBuilder, x: int) -> int:
    """AVERAGE_POOL_2D over a whole map, which need not be square."""
    _, height, width, channels = graph.shapes[x]
    y = graph.activation((1, 1, 1, channels), graph.dtypes[x])
    graph.op(
        "AVERAGE_POOL_2D",
        [x],
        [y],
        padding="VALID",
        strideH=height,
        strideW=width,
        filterHeight=height,
        filterWidth=width,
        fusedActivationFunction="NONE",
    )
    return y


_FAMILIES: Mapping[str, Callable[[str, str], bytes]] = MappingProxyType(
    {
        r"layers\(.*\)": _layers,
        "dense": _dense,
        "mlperf-tiny anomaly detection": _anomaly_detection,
        "mlperf-tiny keyword spotting": _keyword_spotting,
        "mlperf-tiny image classification": _image_classification,
        "mlperf-tiny visual wake words": _visual_wake_words,
        "person detection": _person_detection,
        "mcunet": _mcunet,
    }
)
"""By what stands before the colon."""
