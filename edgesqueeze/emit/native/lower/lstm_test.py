"""LSTMs in native C, compared with TensorFlow Lite Micro; what is refused."""

import numpy as np
import pytest

from edgesqueeze.emit.native.emit import emit_native
from edgesqueeze.emit.native.lower.graph import lower
from edgesqueeze.emit.native.records import Refused
from edgesqueeze.graph import NO_TENSOR, parse_tflite
from edgesqueeze.graph.builder import GraphBuilder
from edgesqueeze.runners import host_c, qemu, tflm
from runtime_tests.support.native_figures import PROCESSORS
from runtime_tests.support.tools import require_tool

SHAPES = [  # steps, inputs, units
    (1, 1, 1),
    (7, 3, 5),
    (5, 16, 16),
    (12, 40, 21),
    (3, 33, 64),
]


def add_lstm(
    graph,
    steps,
    inputs,
    units,
    *,
    time_major=False,
    activation="TANH",
    cell_clip=0.0,
    cell_scale=2.0**-11,
    weights=None,
    batch=1,
    output_scale=1 / 128,
    missing=(),
):
    """An LSTM with an input of its own; returns its output."""
    shape = (steps, batch, inputs) if time_major else (batch, steps, inputs)
    zero_point = int(graph.rng.integers(-128, 128))
    x = graph.input(shape, "int8", float(graph.rng.uniform(0.005, 0.05)), zero_point)

    def kernel(columns):
        values = graph.rng.integers(-127, 128, (units, columns)) if weights is None else weights
        data = np.broadcast_to(values, (units, columns)).astype(np.int8)
        return graph.tensor((units, columns), "int8", float(graph.rng.uniform(0.002, 0.02)), 0, data=data)

    def bias():
        values = graph.rng.normal(0, 4000, units).astype(np.int32)
        return graph.tensor((units,), "int32", 1e-4, 0, data=values)

    hidden_zero = int(graph.rng.integers(-20, 20))
    hidden = graph.tensor((batch, units), "int8", output_scale, hidden_zero, variable=True)
    cell = graph.tensor((batch, units), "int16", cell_scale, 0, variable=True)
    y = graph.tensor((*shape[:2], units), "int8", output_scale, hidden_zero)
    operands = [x, *[kernel(inputs) for _ in range(4)], *[kernel(units) for _ in range(4)]]
    operands += [NO_TENSOR] * 3 + [bias() for _ in range(4)] + [NO_TENSOR] * 2
    operands += [hidden, cell, *[NO_TENSOR] * 4]
    for place in missing:
        operands[place] = NO_TENSOR
    graph.op(
        "UNIDIRECTIONAL_SEQUENCE_LSTM",
        operands,
        [y],
        fusedActivationFunction=activation,
        cellClip=cell_clip,
        projClip=0.0,
        timeMajor=time_major,
    )
    return y


def random_lstms(seed):
    """Independent LSTMs: sizes, order, cell scales, clips and output scales differ; two saturate."""
    graph = GraphBuilder(seed)
    outputs = [
        add_lstm(
            graph,
            *shape,
            time_major=bool(number % 2),
            cell_clip=(0.0, 0.5, 10.0)[number % 3],
            cell_scale=2.0 ** -(9, 11, 12, 15, 13)[number],
            output_scale=float(graph.rng.uniform(0.004, 0.009)),
        )
        for number, shape in enumerate(SHAPES)
    ]
    outputs += [add_lstm(graph, 4, 20, 6, weights=value, cell_scale=2.0**-10) for value in (-128, 127)]
    outputs.append(add_lstm(graph, 3, 5, 7, batch=3))
    return graph.build(outputs)


def samples_of(model, count, seed=0):
    rng = np.random.default_rng(seed)
    shapes = [tensor.shape for tensor in model.main.input_tensors]
    samples = [[rng.integers(-128, 128, shape).astype(np.int8) for shape in shapes] for _ in range(count)]
    return samples + [[np.full(shape, value, np.int8) for shape in shapes] for value in (-128, 127)]


def assert_equal(got, expected):
    for number, (one, other) in enumerate(zip(got, expected, strict=True)):
        for layer, (a, b) in enumerate(zip(one, other, strict=True)):
            np.testing.assert_array_equal(a, b, err_msg=f"inference {number}, layer {layer}")


@pytest.mark.parametrize("sequence", [True, False])
@pytest.mark.parametrize("seed", range(4))
def test_lstms_equal_tflm_under_sanitizers(seed, sequence):
    model = parse_tflite(random_lstms(seed))
    samples = samples_of(model, 100 if sequence else 10, seed)
    expected = tflm.run(model, samples, carry_state=sequence)
    assert len({row[2].tobytes() for row in expected}) > len(samples) - 3
    assert_equal(
        host_c.host_program(emit_native(model), sanitize=True).run(samples, sequence=sequence), expected
    )


@pytest.mark.parametrize("core", PROCESSORS)
def test_lstms_on_each_core_equal_tflm(core):
    require_tool("arm-none-eabi-gcc", "gcc-arm-none-eabi")
    require_tool("qemu-system-arm", "qemu-system-arm")
    model = parse_tflite(random_lstms(7))
    samples = samples_of(model, 100, 7)
    got = qemu.runner(PROCESSORS[core], True)(model, samples)
    assert_equal(got, tflm.run(model, samples, carry_state=True))


def test_samples_are_independent_unless_told_otherwise():
    model = parse_tflite(random_lstms(1))
    samples = samples_of(model, 3)
    assert_equal(host_c.run(model, samples), tflm.run(model, samples))
    assert_equal(host_c.run(model, samples), [host_c.run(model, [one])[0] for one in samples])


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"activation": "RELU"}, "the activation is RELU, expected TANH"),
        ({"batch": 2, "time_major": True}, "batch 2 behind the time, expected it in front, or 1"),
        (
            {"cell_scale": 0.0005},
            "the cell state has the scale 0.0005, expected a power of two from 2^-15 to 1",
        ),
        ({"missing": (1, 5, 12)}, "gates share weights, expected four gates with weights and biases"),
    ],
)
def test_what_tflm_does_not_have_is_refused(changes, reason):
    graph = GraphBuilder()
    result = lower(parse_tflite(graph.build([add_lstm(graph, 3, 4, 5, **changes)])), "reference")
    assert isinstance(result, Refused)
    assert [one.reason for one in result.refusals] == [reason]
