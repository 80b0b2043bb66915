"""Transposed convolution: equal to TFLite Micro byte for byte, wherever the output lies."""

from dataclasses import dataclass, replace

import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as schema
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from edgesqueeze.emit.native.emit import emit_native
from edgesqueeze.emit.native.kernels import FOLDER
from edgesqueeze.emit.native.lower.table import LOWERINGS
from edgesqueeze.emit.native.lower.transpose_conv import scratch_values
from edgesqueeze.emit.native.pack.dsp_test import compile_checks
from edgesqueeze.emit.native.records import Operation, UnsupportedOperationError
from edgesqueeze.graph import parse_tflite
from edgesqueeze.graph.builder import GraphBuilder
from edgesqueeze.runners import tflm
from runtime_tests.support.native_calls import run_graph

LAYERS = 10
small = st.integers(1, 5)


@dataclass(frozen=True)
class Layer:
    """One TRANSPOSE_CONV; the output is ``extra`` pixels larger than the last tap reaches."""

    shape: tuple[int, int, int]
    channels: int
    kernel: tuple[int, int]
    stride: tuple[int, int]
    padding: str
    extra: int
    per_channel: bool
    bias: bool
    zero_points: tuple[int, int]
    scale: float
    activation: str = "NONE"

    def add(self, graph):
        x = graph.input((1, *self.shape), "int8", 0.03, self.zero_points[0])
        same = self.padding == "SAME"
        size = [
            n * step if same else (n - 1) * step + extent + self.extra
            for n, extent, step in zip(self.shape[:2], self.kernel, self.stride, strict=True)
        ]
        count = self.channels if self.per_channel else 1
        scales = graph.rng.uniform(0.004, 0.04, count)
        weights = graph.rng.integers(-127, 128, (self.channels, *self.kernel, self.shape[2])).astype(np.int8)
        w = graph.tensor(weights.shape, "int8", scales, [0] * count, data=weights)
        y = graph.tensor((1, *size, self.channels), "int8", self.scale, self.zero_points[1])
        inputs = [graph.constant(np.array([1, *size, self.channels], np.int32)), w, x]
        if self.bias:
            values = graph.rng.integers(-5000, 5000, self.channels).astype(np.int32)
            inputs.append(graph.tensor(values.shape, "int32", scales * 0.03, [0] * count, data=values))
        options = {"strideH": self.stride[0], "strideW": self.stride[1], "padding": self.padding}
        options["fusedActivationFunction"] = self.activation
        graph.op("TRANSPOSE_CONV", inputs, [y], version=4, **options)
        return y


@st.composite
def layers(draw):
    zero_points = st.integers(-128, 127)
    return Layer(
        (draw(small), draw(small), draw(st.integers(1, 9))),
        draw(small),
        (draw(small), draw(small)),
        (draw(st.integers(1, 3)), draw(st.integers(1, 3))),
        draw(st.sampled_from(["SAME", "VALID"])),
        draw(st.integers(0, 2)),
        draw(st.booleans()),
        draw(st.booleans()),
        (draw(zero_points), draw(zero_points)),
        draw(st.sampled_from([0.0002, 0.02, 0.1, 0.7])),
        draw(st.sampled_from(["NONE", "NONE", "RELU", "RELU6"])),
    )


@settings(derandomize=True, deadline=None, max_examples=10, phases=[Phase.explicit, Phase.generate])
@given(st.lists(layers(), min_size=LAYERS, max_size=LAYERS), st.integers(0, 99))
def test_transposed_convolution_equals_tflm(chosen, seed):
    graph = GraphBuilder(seed)
    model = parse_tflite(graph.build([layer.add(graph) for layer in chosen]))
    rng = np.random.default_rng(seed)
    samples = [
        [rng.integers(-128, 128, tensor.shape).astype(np.int8) for tensor in model.main.input_tensors]
        for _ in range(3)
    ]
    for sample, expected in zip(samples, tflm.run(model, samples), strict=True):
        got, _ = run_graph(model.main, LOWERINGS, sample)
        for layer, one, other in zip(chosen, got, expected, strict=True):
            np.testing.assert_array_equal(one, other, err_msg=repr(layer))


def test_scratch_memory_is_what_the_kernels_say(tmp_path):
    for kernel, kind, size in (("s8", "es_transpose_conv2d", 1), ("s16", "es_conv2d_wide", 2)):
        checks = []
        for extent, stride, depth in ((3, 2, 5), (2, 3, 1), (4, 1, 8), (5, 3, 2)):
            layer = {"kernel_height": extent, "kernel_width": 2, "in_channels": depth}
            layer |= {"stride_height": stride, "stride_width": 2}
            expected = size * scratch_values([extent, 2], (stride, 2), depth)
            checks.append((layer, expected))
        compile_checks(tmp_path, f"es_transpose_conv2d_{kernel}", kind, checks)


LAYER = Layer((4, 4, 2), 3, (3, 3), (2, 2), "SAME", 0, True, True, (0, 0), 0.1)


@pytest.mark.parametrize(("extent", "file"), [(3, "es_conv2d_s8.c"), (1, "es_dot_4_s8.c")])
def test_sums_of_products_are_the_kernel_sets_own(extent, file):
    """Also where the window is smaller than the stride, so that outputs meet no input."""
    graph = GraphBuilder(0)
    layer = replace(LAYER, kernel=(extent, extent))
    files = emit_native(parse_tflite(graph.build([layer.add(graph)])), core="cortex-m4").files
    assert files[f"kernels/{file}"] == (FOLDER / "dsp" / file).read_text(encoding="utf-8")


def test_an_activation_that_is_no_clamp_is_refused():
    graph = GraphBuilder(0)
    y = LAYER.add(graph)
    graph.operators[0].builtinOptions.fusedActivationFunction = schema.ActivationFunctionType.TANH
    main = parse_tflite(graph.build([y])).main
    with pytest.raises(UnsupportedOperationError, match="fused activation TANH"):
        LOWERINGS["TRANSPOSE_CONV"](Operation(main, main.operators[0], "reference"))


def test_weights_with_a_zero_point_are_refused():
    graph = GraphBuilder(0)
    y = LAYER.add(graph)
    graph.tensors[1].quantization.zeroPoint[0] = 1
    main = parse_tflite(graph.build([y])).main
    with pytest.raises(UnsupportedOperationError, match="zero point"):
        LOWERINGS["TRANSPOSE_CONV"](Operation(main, main.operators[0], "reference"))


@pytest.mark.parametrize(
    ("position", "shape", "reason"),
    [
        ("output", (1, 8, 8, 30), r"expected \[1, 8, 8, 3\]"),
        ("output", (1, 80, 8, 3), r"expected \[1, 8, 8, 3\]"),
        ("output", (2, 8, 8, 3), r"expected \[1, 8, 8, 3\]"),
        ("output", (8, 8, 3), "expected 4 dimensions"),
        ("input", (1, 4, 4, 1), "1 input channels, expected 2 as the weights have"),
        ("input", (2, 4, 4, 2), "batch 2"),
        ("bias", (1,), "1 biases, expected 3"),
    ],
)
def test_shapes_that_do_not_agree_are_refused(position, shape, reason):
    graph = GraphBuilder(0)
    y = LAYER.add(graph)
    _, _, x, bias = graph.operators[0].inputs
    tensor = graph.tensors[{"output": y, "input": x, "bias": bias}[position]]
    tensor.shape = list(shape)
    if position == "bias":
        tensor.quantization = None
        tensor.buffer = graph.tensors[graph.constant(np.zeros(shape, np.int32))].buffer
    main = parse_tflite(graph.build([y])).main
    with pytest.raises(UnsupportedOperationError, match=reason):
        LOWERINGS["TRANSPOSE_CONV"](Operation(main, main.operators[0], "reference"))


def test_a_constant_input_is_refused():
    graph = GraphBuilder(0)
    y = LAYER.add(graph)
    x = graph.operators[0].inputs[2]
    graph.tensors[x].buffer = graph.tensors[graph.constant(np.zeros((1, 4, 4, 2), np.int8))].buffer
    main = parse_tflite(graph.build([y])).main
    with pytest.raises(UnsupportedOperationError, match="the input is a constant"):
        LOWERINGS["TRANSPOSE_CONV"](Operation(main, main.operators[0], "reference"))
