"""Known figures are of files that the TFLite converter made of ``keras.applications`` (TensorFlow 2.21)."""

import sys
from collections import Counter
from pathlib import Path

import pytest

from edgesqueeze.graph import parse_tflite
from edgesqueeze.latency.work import work_of

sys.path.insert(0, str(Path(__file__).parents[1]))

from published.litert_graphs import build
from published.litert_parts import divisible

FULL = "alpha=1.0 input=224x224x3 classes=1000"
V1 = {"CONV_2D": 15, "DEPTHWISE_CONV_2D": 13, "MEAN": 1, "RESHAPE": 1, "SOFTMAX": 1}
V2 = {"CONV_2D": 35, "DEPTHWISE_CONV_2D": 17, "ADD": 10, "MEAN": 1, "FULLY_CONNECTED": 1, "SOFTMAX": 1}
V3 = {
    "CONV_2D": 49,
    "HARD_SWISH": 21,
    "MUL": 17,
    "DEPTHWISE_CONV_2D": 15,
    "ADD": 11,
    "MEAN": 9,
    "RESHAPE": 1,
    "SOFTMAX": 1,
}
V3_MINIMALISTIC = {
    "CONV_2D": 33,
    "DEPTHWISE_CONV_2D": 15,
    "ADD": 11,
    "MUL": 1,
    "MEAN": 1,
    "RESHAPE": 1,
    "SOFTMAX": 1,
}


V3_SMALL = {
    "CONV_2D": 43,
    "HARD_SWISH": 19,
    "MUL": 19,
    "DEPTHWISE_CONV_2D": 11,
    "MEAN": 10,
    "ADD": 7,
    "RESHAPE": 1,
    "SOFTMAX": 1,
}


@pytest.mark.parametrize("arithmetic", ["float32", "int8"])
@pytest.mark.parametrize(
    ("name", "operators", "macs", "elements"),
    [
        ("mobilenet_v1", V1, 568_740_352, 10_242_952),
        ("mobilenet_v2", V2, 300_774_272, 14_161_464),
        ("mobilenet_v3_large", V3, 216_589_760, 15_672_952),
        ("mobilenet_v3_large_minimalistic", V3_MINIMALISTIC, 209_136_704, 10_831_816),
        ("mobilenet_v3_small", V3_SMALL, 56_510_400, 6_215_672),
    ],
)
def test_graphs_do_the_work_of_converted_models(name, operators, macs, elements, arithmetic):
    works = work_of(parse_tflite(build(f"{name} {FULL}", arithmetic)))
    assert Counter(work.opcode for work in works) == operators
    assert sum(work.macs for work in works) == macs
    assert sum(work.inputs + work.outputs for work in works) == elements
    assert {work.arithmetic for work in works} == {arithmetic}


ANCHORS = {320: 19_206, 384: 27_621, 448: 37_629}


@pytest.mark.parametrize(
    ("name", "alpha", "size", "megabytes", "parts"),
    [
        ("efficientdet_lite0", 1.0, 320, 13.6828, 13),
        ("efficientdet_lite1", 1.0, 384, 18.1733, 17),
        ("efficientdet_lite2", 1.1, 448, 22.7969, 21),
    ],
)
def test_detectors_are_as_large_as_the_files_that_were_measured(name, alpha, size, megabytes, parts):
    """The source's logs say how large its files are, and in how many parts resizing divides them."""
    text = f"{name} alpha={alpha} input={size}x{size}x3 classes=90"
    works = work_of(parse_tflite(build(text, "float32")))
    # The last layers of the heads are the same for all five maps, and stand in the file once.
    last = [work for work in works if work.columns in (9 * 4, 9 * 90)]
    channels = last[0].depth
    shared = 4 * sum(work.weight_bytes for work in last) // 5 + 4 * 2 * channels * (9 + 1) * 4
    weights = sum(work.weight_bytes for work in works) - shared
    assert len(last) == 10
    assert (weights + 16 * ANCHORS[size]) / 1e6 == pytest.approx(megabytes, rel=0.004)
    assert sum(work.opcode == "RESIZE_NEAREST_NEIGHBOR" for work in works) + 1 == parts
    (scores,) = (work.outputs for work in works if work.opcode == "LOGISTIC")
    assert scores == 90 * ANCHORS[size]


def test_ssdlite_does_the_work_of_the_paper():
    """Sandler et al., table 6: 0.8 billion products at 320 pixels, and 4.3 million parameters."""
    works = work_of(
        parse_tflite(build("mobilenet_v2_ssdlite alpha=1.0 input=320x320x3 classes=81", "float32"))
    )
    assert sum(work.macs for work in works) == pytest.approx(0.8e9, rel=0.02)
    assert sum(work.weight_bytes for work in works) / 4 == pytest.approx(4.3e6, rel=0.04)
    works = work_of(parse_tflite(build("mobilenet_v2_ssdlite alpha=1.0 input=300x300x3 classes=91", "int8")))
    assert [work.outputs for work in works if work.opcode == "LOGISTIC"] == [1917 * 91]


@pytest.mark.parametrize(
    ("text", "macs"),
    [
        # In the papers' millions: MobileNets table 6, MobileNetV2 table 4, MobileNetV3 table 3, and
        # tensorflow/models' tables.
        ("mobilenet_v1 alpha=0.25 input=224x224x3 classes=1000", 41),
        ("mobilenet_v1 alpha=0.5 input=224x224x3 classes=1000", 149),
        ("mobilenet_v2 alpha=1.4 input=224x224x3 classes=1001", 582),
        ("mobilenet_v2 alpha=0.75 input=160x160x3 classes=1001", 107),
        ("mobilenet_v2 alpha=0.35 input=224x224x3 classes=1001", 59),
        ("mobilenet_v3_large alpha=0.75 input=224x224x3 classes=1001", 155),
        ("mobilenet_v3_small alpha=1.0 input=224x224x3 classes=1001", 56),
    ],
)
def test_widths_and_sizes_have_the_published_operations(text, macs):
    works = work_of(parse_tflite(build(text, "float32")))
    assert sum(work.macs for work in works) / 1e6 == pytest.approx(macs, rel=0.02)


def test_a_dense_head_replaces_the_original_one():
    works = work_of(parse_tflite(build("mobilenet_v1 alpha=0.25 input=96x96x1 classes=5 head=dense", "int8")))
    assert [work.opcode for work in works[-3:]] == ["MEAN", "FULLY_CONNECTED", "SOFTMAX"]
    assert works[0].inputs == 96 * 96
    assert works[-1].outputs == 5


@pytest.mark.parametrize(
    ("channels", "expected"), [(8, 8), (11.2, 16), (12, 16), (18, 24), (1, 8), (33.6, 32)]
)
def test_channels_are_multiples_of_eight_and_lose_at_most_a_tenth(channels, expected):
    assert divisible(channels) == expected


@pytest.mark.parametrize(
    ("text", "arithmetic"),
    [
        ("mobilenet_v9 " + FULL, "int8"),
        ("mobilenet_v1 alpha=1.0", "int8"),
        ("mobilenet_v1 " + FULL, "int16"),
    ],
)
def test_what_cannot_be_built_is_refused(text, arithmetic):
    with pytest.raises(ValueError, match="expected one of mobilenet_v1"):
        build(text, arithmetic)
