"""Pooling, means and sums: equal to TFLite Micro byte for byte, wherever the output lies."""

from dataclasses import dataclass

import numpy as np
import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from edgesqueeze.emit.native.lower.table import LOWERINGS
from edgesqueeze.emit.native.records import Operation, UnsupportedOperationError
from edgesqueeze.graph import parse_tflite
from edgesqueeze.graph.builder import GraphBuilder
from edgesqueeze.graph.builder_parts import quantization
from edgesqueeze.runners import qemu, tflm
from edgesqueeze.target.processor import Processor
from runtime_tests.support.native_calls import run_graph
from runtime_tests.support.tools import require_tool

# Every example is a graph of many independent layers, since starting TFLM takes longer than running it.
LAYERS_AT_ONCE = settings(
    derandomize=True, deadline=None, max_examples=12, phases=[Phase.explicit, Phase.generate]
)
SAMPLES = 4
CASES = 12
activations = st.sampled_from(["NONE", "RELU", "RELU6", "RELU_N1_TO_1"])
zero_points = st.integers(-128, 127)


@dataclass(frozen=True)
class Pool:
    """A pooling layer."""

    opcode: str
    shape: tuple[int, int, int]
    window: tuple[int, int]
    stride: tuple[int, int]
    padding: str
    activation: str
    zero_point: int

    def add(self, graph):
        x = graph.input((1, *self.shape), "int8", 0.05, self.zero_point)
        size = [
            -(-n // step) if self.padding == "SAME" else (n - extent) // step + 1
            for n, extent, step in zip(self.shape[:2], self.window, self.stride, strict=True)
        ]
        y = graph.tensor((1, *size, self.shape[2]), "int8", 0.05, self.zero_point)
        graph.op(
            self.opcode,
            [x],
            [y],
            padding=self.padding,
            strideH=self.stride[0],
            strideW=self.stride[1],
            filterHeight=self.window[0],
            filterWidth=self.window[1],
            fusedActivationFunction=self.activation,
        )
        return y


@st.composite
def pools(draw):
    shape = (draw(st.integers(1, 12)), draw(st.integers(1, 12)), draw(st.integers(1, 19)))
    padding = draw(st.sampled_from(["SAME", "VALID"]))
    most = [n if padding == "VALID" else n + 2 for n in shape[:2]]
    return Pool(
        draw(st.sampled_from(["AVERAGE_POOL_2D", "MAX_POOL_2D"])),
        shape,
        tuple(draw(st.integers(1, n)) for n in most),
        (draw(st.integers(1, 4)), draw(st.integers(1, 4))),
        padding,
        draw(activations),
        draw(zero_points),
    )


@dataclass(frozen=True)
class Reduction:
    """A mean or a sum."""

    opcode: str
    shape: tuple[int, ...]
    axes: tuple[int, ...]
    keep_dims: bool
    scale: float
    zero_points: tuple[int, int]

    def add(self, graph):
        x = graph.input(self.shape, "int8", 0.02, self.zero_points[0])
        gone = {axis % len(self.shape) for axis in self.axes}
        kept = [1 if i in gone else n for i, n in enumerate(self.shape) if self.keep_dims or i not in gone]
        y = graph.tensor(kept, "int8", 0.02 * self.scale, self.zero_points[1])
        axes = graph.constant(np.array(self.axes, np.int32))
        options = {"keepDims": self.keep_dims} if self.opcode == "MEAN" else {}
        graph.op(self.opcode, [x, axes], [y], **options)
        return y


@st.composite
def reductions(draw):
    rank = draw(st.integers(1, 4))
    shape = tuple([1] * (rank > 2) + [draw(st.integers(1, 9)) for _ in range(rank - (rank > 2))])
    axes = draw(st.lists(st.integers(-rank, rank - 1), min_size=1, max_size=2, unique_by=lambda a: a % rank))
    return Reduction(
        draw(st.sampled_from(["MEAN", "MEAN", "SUM"])),
        shape,
        tuple(axes),
        draw(st.booleans()),
        draw(st.sampled_from([1.0, 0.013, 0.4, 0.7, 1.9, 33.0, 1e5])),
        (draw(zero_points), draw(zero_points)),
    )


def random_graph(layers, seed):
    """Independent layers as a model, and inputs for it."""
    graph = GraphBuilder(seed)
    model = parse_tflite(graph.build([layer.add(graph) for layer in layers]))
    rng = np.random.default_rng(seed)
    samples = [
        [rng.integers(-128, 128, tensor.shape).astype(np.int8) for tensor in model.main.input_tensors]
        for _ in range(SAMPLES)
    ]
    # Beside random values, the extremes.
    samples += [[np.full_like(array, value) for array in samples[0]] for value in (-128, 127)]
    return model, samples


def assert_equal_to_tflm(layers, seed):
    model, samples = random_graph(layers, seed)
    for sample, expected in zip(samples, tflm.run(model, samples), strict=True):
        got, _ = run_graph(model.main, LOWERINGS, sample)
        for layer, one, other in zip(layers, got, expected, strict=True):
            np.testing.assert_array_equal(one, other, err_msg=repr(layer))


@LAYERS_AT_ONCE
@given(st.lists(pools(), min_size=CASES, max_size=CASES), st.integers(0, 99))
def test_pooling_equals_tflm(layers, seed):
    assert_equal_to_tflm(layers, seed)


@LAYERS_AT_ONCE
@given(st.lists(reductions(), min_size=CASES, max_size=CASES), st.integers(0, 99))
def test_means_and_sums_equal_tflm(layers, seed):
    assert_equal_to_tflm(layers, seed)


def test_large_windows_equal_tflm():
    valid = ("VALID", "NONE", 4)
    assert_equal_to_tflm(
        [
            Pool("AVERAGE_POOL_2D", (25, 5, 64), (25, 5), (25, 5), *valid),
            Pool("AVERAGE_POOL_2D", (40, 31, 9), (40, 31), (1, 1), *valid),
            Pool("MAX_POOL_2D", (40, 31, 9), (20, 31), (7, 1), *valid),
            Reduction("MEAN", (1, 42, 42, 16), (1, 2), False, 0.6, (-128, -128)),
        ],
        seed=5,
    )


FIRMWARE_LAYERS = [
    Pool("AVERAGE_POOL_2D", (5, 7, 13), (3, 3), (2, 2), "SAME", "RELU6", -7),
    Pool("AVERAGE_POOL_2D", (17, 18, 9), (17, 18), (1, 1), "VALID", "NONE", 4),
    Pool("AVERAGE_POOL_2D", (4, 4, 24), (2, 2), (2, 2), "VALID", "NONE", 4),
    Pool("MAX_POOL_2D", (5, 7, 29), (3, 2), (1, 2), "SAME", "RELU_N1_TO_1", 3),
    Pool("MAX_POOL_2D", (8, 8, 16), (2, 2), (2, 2), "VALID", "NONE", 4),
    Reduction("MEAN", (1, 19, 15, 21), (1, 2), False, 0.6, (-128, 5)),
    Reduction("MEAN", (1, 6, 5, 11), (1, 3), True, 1.9, (17, -3)),
    Reduction("SUM", (1, 6, 5, 11), (2,), False, 40.0, (17, -3)),
]


@pytest.mark.parametrize(
    "processor",
    [
        Processor("cortex-m0plus", "none", dsp=False, mve="none"),
        Processor("cortex-m4", "single", dsp=True, mve="none"),
        Processor("cortex-m55", "none", dsp=True, mve="integer"),
    ],
    ids=lambda processor: processor.core,
)
def test_every_kernel_set_equals_tflm(processor):
    require_tool("arm-none-eabi-gcc", "gcc-arm-none-eabi")
    require_tool("qemu-system-arm", "qemu-system-arm")
    model, samples = random_graph(FIRMWARE_LAYERS, seed=1)
    for got, expected in zip(qemu.runner(processor)(model, samples), tflm.run(model, samples), strict=True):
        for layer, one, other in zip(FIRMWARE_LAYERS, got, expected, strict=True):
            np.testing.assert_array_equal(one, other, err_msg=repr(layer))


def lower(layer, **changes):
    graph = GraphBuilder(0)
    y = layer.add(graph)
    for name, value in changes.items():
        setattr(graph.tensors[y], name, value)
    main = parse_tflite(graph.build([y])).main
    return LOWERINGS[main.operators[0].opcode](Operation(main, main.operators[0], "dsp"))


POOL = Pool("MAX_POOL_2D", (8, 8, 3), (2, 2), (2, 2), "VALID", "NONE", 0)


def test_pooling_runs_in_place():
    (call,) = lower(POOL)
    assert call.overlap == {0: 0}


def test_differently_quantized_output_is_refused():
    with pytest.raises(UnsupportedOperationError, match="quantized differently"):
        lower(POOL, quantization=quantization(0.06, 0, 0))


def test_output_of_another_size_is_refused():
    with pytest.raises(UnsupportedOperationError, match=r"the output has the shape .* and channels"):
        lower(POOL, shape=[1, 5, 4, 3])


def test_pooling_to_other_channels_is_refused():
    with pytest.raises(UnsupportedOperationError, match="30 channels in the output, expected 3"):
        lower(POOL, shape=[1, 4, 4, 30])


@pytest.mark.parametrize(
    ("opcode", "options", "shape", "reason"),
    [
        ("MEAN", {"keepDims": False}, [1, 80], r"leave 8 elements, the output has the shape \[1, 80\]"),
        ("SUM", {}, [1, 80], r"leave 8 elements, the output has the shape \[1, 80\]"),
        ("SUM", {}, [1, 1], r"leave 8 elements, the output has the shape \[1, 1\]"),
        ("MEAN", {"keepDims": True}, [1, 8], r"\[1, 8\], expected \[1, 1, 8\]"),
        ("MEAN", {"keepDims": True}, [1, 8, 1], r"\[1, 8, 1\], expected \[1, 1, 8\]"),
    ],
)
def test_reductions_to_another_shape_are_refused(opcode, options, shape, reason):
    graph = GraphBuilder(0)
    x, y = graph.input((1, 4, 8), "int8", 0.1), graph.tensor(shape, "int8", 0.1, 0)
    graph.op(opcode, [x, graph.constant(np.array([1], np.int32))], [y], **options)
    main = parse_tflite(graph.build([y])).main
    with pytest.raises(UnsupportedOperationError, match=reason):
        LOWERINGS[opcode](Operation(main, main.operators[0], "reference"))


@pytest.mark.parametrize("layer", [POOL, Reduction("MEAN", (1, 4, 8), (1,), False, 1.0, (0, 0))])
def test_a_constant_input_is_refused(layer):
    graph = GraphBuilder(0)
    y = layer.add(graph)
    shape = graph.shapes[0]
    graph.tensors[0].buffer = graph.tensors[graph.constant(np.zeros(shape, np.int8))].buffer
    main = parse_tflite(graph.build([y])).main
    with pytest.raises(UnsupportedOperationError, match="the input is a constant"):
        LOWERINGS[layer.opcode](Operation(main, main.operators[0], "reference"))
