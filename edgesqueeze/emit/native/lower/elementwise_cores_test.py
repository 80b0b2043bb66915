"""All elementwise operators in one model: every kernel set equals TFLite Micro, on the core it is for."""

import numpy as np
import pytest

from edgesqueeze.emit.native.emit import emit_native
from edgesqueeze.graph import parse_tflite
from edgesqueeze.graph.builder import GraphBuilder
from edgesqueeze.runners import qemu, tflm
from edgesqueeze.runners.host_c import host_program
from edgesqueeze.target.processor import Processor
from runtime_tests.support.tools import require_tool

SHAPE = (1, 5, 7, 11)
"""No multiple of anything that kernels do at once."""

SAMPLES = 3

UNARY = {
    "ABS": {},
    "ELU": {},
    "HARD_SWISH": {},
    "LEAKY_RELU": {"alpha": 0.2},
    "LOGISTIC": {},
    "QUANTIZE": {},
    "RELU": {},
    "RELU6": {},
    "TANH": {},
}


def all_operators():
    """A model with float32, uint8 and int8 inputs and outputs, and every elementwise operator."""
    graph = GraphBuilder(7)
    real = graph.input(SHAPE, "float32")
    x = graph.tensor(SHAPE, "int8", 0.031, -7)
    graph.op("QUANTIZE", [real], [x])
    y = graph.quantize(graph.input(SHAPE, "uint8", 0.023, 131))
    narrow = graph.input((7, 1), "int8", 0.04, 12)
    slopes = graph.tensor((11,), "int8", 0.01, 0, data=graph.rng.integers(-128, 128, 11).astype(np.int8))
    outputs = []

    def add(opcode, inputs, scale=0.05, zero_point=3, **options):
        z = graph.tensor(SHAPE, "int8", scale, zero_point)
        graph.op(opcode, inputs, [z], **options)
        outputs.append(z)
        return z

    for activation in ("NONE", "RELU6"):
        fused = {"fusedActivationFunction": activation}
        total = add("ADD", [x, y], potScaleInt16=False, **fused)
        add("SUB", [y, x], potScaleInt16=False, **fused)
        add("ADD", [x, narrow], potScaleInt16=False, **fused)
        add("MUL", [x, y], scale=0.06, **fused)
        add("MUL", [narrow, y], scale=0.06, **fused)
    for opcode in ("MINIMUM", "MAXIMUM"):
        like = graph.tensor(
            (1, 1, 1, 11), "int8", 0.05, 3, data=graph.rng.integers(-50, 50, 11).astype(np.int8)
        )
        add(opcode, [total, like])
    add("PRELU", [x, slopes])
    for opcode, options in UNARY.items():
        zero_point = -128 if opcode == "LOGISTIC" else 5
        add(opcode, [x], scale=1 / 256 if opcode == "LOGISTIC" else 0.04, zero_point=zero_point, **options)
    add("SOFTMAX", [x], scale=1 / 256, zero_point=-128, beta=1.0)
    return parse_tflite(graph.build([*outputs, graph.dequantize(total), graph.quantize(total, "uint8")]))


@pytest.fixture(scope="module")
def case():
    model = all_operators()
    rng = np.random.default_rng(3)
    samples = []
    for _ in range(SAMPLES):
        real = rng.normal(0, 2, SHAPE).astype(np.float32)
        integers = [
            rng.integers(0, 256, SHAPE).astype(np.uint8),
            rng.integers(-128, 128, (7, 1)).astype(np.int8),
        ]
        samples.append([real, *integers])
    return model, samples, tflm.run(model, samples)


def assert_equal(model, got, expected):
    for one, other in zip(got, expected, strict=True):
        for tensor, a, b in zip(model.main.output_tensors, one, other, strict=True):
            np.testing.assert_array_equal(a, b, err_msg=tensor.name)


def test_generated_code_equals_tflm_under_sanitizers(case):
    require_tool("gcc", "gcc")
    model, samples, expected = case
    assert_equal(model, host_program(emit_native(model), sanitize=True).run(samples), expected)


@pytest.mark.parametrize(
    "processor",
    [
        Processor("cortex-m0plus", "none", dsp=False, mve="none"),
        Processor("cortex-m3", "none", dsp=False, mve="none"),
        Processor("cortex-m4", "none", dsp=True, mve="none"),
        Processor("cortex-m4", "single", dsp=True, mve="none"),
        Processor("cortex-m33", "single", dsp=True, mve="none"),
        Processor("cortex-m55", "double", dsp=True, mve="float"),
        Processor("cortex-m55", "none", dsp=True, mve="integer"),
    ],
    ids=lambda processor: f"{processor.core}-{processor.fpu}",
)
def test_emulated_cores_equal_tflm(case, processor):
    require_tool("qemu-system-arm", "qemu-system-arm")
    require_tool("arm-none-eabi-gcc", "gcc-arm-none-eabi")
    model, samples, expected = case
    assert_equal(model, qemu.runner(processor)(model, samples), expected)
