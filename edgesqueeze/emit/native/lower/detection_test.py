"""TFLite_Detection_PostProcess: the boxes of LiteRT and TensorFlow Lite Micro, on every core too."""

import ctypes

import numpy as np
import pytest
from flatbuffers import flexbuffers

from edgesqueeze.emit.native.emit import emit_native
from edgesqueeze.emit.native.lower.graph import lower
from edgesqueeze.emit.native.records import Refused
from edgesqueeze.graph import parse_tflite
from edgesqueeze.graph.builder import GraphBuilder
from edgesqueeze.graph.custom import DETECTION, custom_options
from edgesqueeze.runners import host_c, litert, qemu, tflm
from runtime_tests.support.native_calls import _fill, _library
from runtime_tests.support.native_figures import PROCESSORS
from runtime_tests.support.tools import require_tool

CLOSE = 2e-6
BOXES, DETECTIONS = 60, 10
OPTIONS = {
    "max_detections": DETECTIONS,
    "max_classes_per_detection": 1,
    "detections_per_class": 4,
    "use_regular_nms": False,
    "nms_score_threshold": 0.3,
    "nms_iou_threshold": 0.5,
    "num_classes": 3,
    "y_scale": 10.0,
    "x_scale": 10.0,
    "h_scale": 5.0,
    "w_scale": 5.0,
}


def flexbuffer(options):
    builder = flexbuffers.Builder()
    with builder.Map():
        for key, value in options.items():
            add = {bool: builder.Bool, int: builder.Int, float: builder.Float}[type(value)]
            add(key, value)
    return bytes(builder.Finish())


def detector(seed, background=1, **changed):
    """Encoded boxes and scores of int8, made real, and the boxes that they stand for."""
    graph, options = GraphBuilder(seed), OPTIONS | changed
    rng, columns = graph.rng, options["num_classes"] + background
    codes = graph.dequantize(graph.input((1, BOXES, 4), "int8", 0.06, 4))
    scores = graph.dequantize(graph.input((1, BOXES, columns), "int8", 1 / 256, -128))
    centres, sizes = rng.uniform(0, 1, (BOXES, 2)), rng.uniform(0.1, 0.5, (BOXES, 2))
    anchors = graph.constant(np.concatenate([centres, sizes], 1).astype(np.float32))
    count = options["max_detections"]
    outputs = [graph.tensor(shape, "float32") for shape in ((1, count, 4), (1, count), (1, count), (1,))]
    graph.op(
        "CUSTOM",
        [codes, scores, anchors],
        outputs,
        custom_name=DETECTION,
        custom_options=flexbuffer(options),
    )
    return parse_tflite(graph.build(outputs))


def samples_of(model, seed):
    """Boxes of all sizes; of each class a score only once: runtimes do not agree on the order of equals."""
    rng = np.random.default_rng(seed)
    codes, scores = model.main.input_tensors
    rows = []
    for _ in range(4):
        drawn = np.stack([rng.permutation(256)[:BOXES] - 128 for _ in range(scores.shape[-1])], -1)
        rows.append([rng.integers(-90, 90, codes.shape).astype(np.int8), drawn[None].astype(np.int8)])
    return [*rows, [np.full(codes.shape, 3, np.int8), np.full(scores.shape, -128, np.int8)]]


def compared(run, model, seed, oracle):
    """Only what was found: the runtimes leave the rest as it was."""
    samples = samples_of(model, seed)
    found = []
    for row, expected in zip(run(samples), oracle(model, samples), strict=True):
        count = int(expected[3][0])
        assert row[3][0] == count
        order = np.lexsort((row[1][0, :count], -row[2][0, :count]))
        other = np.lexsort((expected[1][0, :count], -expected[2][0, :count]))
        for one, wanted in zip(row[:3], expected[:3], strict=True):
            np.testing.assert_allclose(one[0, :count][order], wanted[0, :count][other], CLOSE, CLOSE)
            assert not one[0, count:].any()
        found.append(count)
    assert found[-1] == 0
    assert max(found) > 3


CASES = [
    {},
    {"use_regular_nms": True},
    {"nms_iou_threshold": 0.2, "nms_score_threshold": 0.7},
    {"background": 0},
    {"use_regular_nms": True, "nms_iou_threshold": 0.9, "detections_per_class": 100},
]


@pytest.mark.parametrize("oracle", [litert.run_reference, tflm.run])
@pytest.mark.parametrize("changed", CASES)
def test_boxes_are_those_of_the_runtimes_under_sanitizers(changed, oracle):
    for seed in range(2):
        model = detector(seed, **changed)
        compared(host_c.host_program(emit_native(model), sanitize=True).run, model, seed, oracle)


@pytest.mark.parametrize("core", PROCESSORS)
def test_boxes_on_each_core_are_those_of_litert(core):
    require_tool("arm-none-eabi-gcc", "gcc-arm-none-eabi")
    require_tool("qemu-system-arm", "qemu-system-arm")
    for changed in ({}, {"use_regular_nms": True}):
        model = detector(3, **changed)
        run = lambda samples, of=model: qemu.runner(PROCESSORS[core])(of, samples)  # noqa: E731
        compared(run, model, 3, litert.run_reference)


def test_scratch_memory_is_as_large_as_the_kernel_says():
    lowered = lower(detector(0, nms_score_threshold=0.25), "reference")
    call = lowered.layers[-1].calls[0]
    library = _library("es_detection_postprocess_f32")
    parameters = _fill(call.parameters, [])
    assert call.scratch_bytes == library.es_detection_postprocess_f32_scratch_bytes(ctypes.byref(parameters))


@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        ({"max_classes_per_detection": 2}, "several classes for each box"),
        ({"nms_iou_threshold": 0.0}, "expected more than 0"),
        ({"y_scale": 0.0}, "expected positive numbers"),
        ({"num_classes": 9, "background": -3}, "scores for each of 60 boxes"),
        ({"use_regular_nms": True, "detections_per_class": 0}, "no detections of a class"),
    ],
)
def test_other_options_are_refused(changed, reason):
    result = lower(detector(0, **changed), "reference")
    assert isinstance(result, Refused)
    assert reason in result.refusals[0].reason


def test_damaged_options_are_no_options():
    whole = flexbuffer(OPTIONS)
    assert custom_options(DETECTION, whole) == pytest.approx(OPTIONS)
    assert custom_options("other", whole) == {}
    assert custom_options(DETECTION, b"") == {}
    rng = np.random.default_rng(0)
    for _ in range(2000):
        damaged = bytearray(whole)
        for place in rng.integers(0, len(damaged), 6):
            damaged[place] = rng.integers(0, 256)
        found = custom_options(DETECTION, bytes(damaged[: rng.integers(1, len(damaged))]))
        assert set(found) <= set(OPTIONS)
