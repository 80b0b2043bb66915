"""Operators that move bytes: equal to TFLite Micro byte for byte, wherever the output lies."""

import numpy as np
import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from edgesqueeze.emit.native.lower.shape import placements_of_concatenation
from edgesqueeze.emit.native.lower.table import LOWERINGS
from edgesqueeze.emit.native.records import Call, Operation, Placement, UnsupportedOperationError
from edgesqueeze.graph import parse_tflite
from edgesqueeze.graph.builder import GraphBuilder
from edgesqueeze.runners import host_c, tflm
from runtime_tests.support.native_calls import run_graph

# Every example is a graph of many independent layers, since starting TFLM takes longer than running it.
LAYERS_AT_ONCE = settings(
    derandomize=True, deadline=None, max_examples=6, phases=[Phase.explicit, Phase.generate]
)
LAYERS, SAMPLES = 12, 2
SCALE, ZERO_POINT = 0.05, 3
sizes = st.integers(1, 7)


def vector(graph, values):
    return graph.constant(np.array(values, np.int32))


def tensor(graph, shape):
    return graph.tensor(shape, "int8", SCALE, ZERO_POINT)


def joined(draw, graph):
    """CONCATENATION or PACK of inputs, a constant among them."""
    shape = draw(st.lists(sizes, min_size=1, max_size=4))
    packs = draw(st.booleans())
    axis = draw(st.integers(-len(shape) - packs, len(shape) - 1 + packs))
    parts, total = [], 0
    for number in range(draw(st.integers(1, 4))):
        part = list(shape)
        if not packs:
            part[axis] = draw(sizes)
        total += 1 if packs else part[axis]
        if number == 2:
            data = np.arange(np.prod(part), dtype=np.int8).reshape(part)
            parts.append(graph.tensor(part, "int8", SCALE, ZERO_POINT, data=data))
        else:
            parts.append(graph.input(part, "int8", SCALE, ZERO_POINT))
    whole = list(shape)
    if packs:
        whole.insert(axis % (len(shape) + 1), total)
        options = {"axis": axis, "valuesCount": len(parts)}
    else:
        whole[axis] = total
        options = {"axis": axis, "fusedActivationFunction": "NONE"}
    y = tensor(graph, whole)
    graph.op("PACK" if packs else "CONCATENATION", parts, [y], **options)
    return [y]


def parted(draw, graph):
    """SPLIT, SPLIT_V or UNPACK."""
    opcode = draw(st.sampled_from(["SPLIT", "SPLIT_V", "UNPACK"]))
    shape = draw(st.lists(sizes, min_size=2, max_size=4))
    axis = draw(st.integers(-len(shape), len(shape) - 1))
    extents = draw(st.lists(sizes, min_size=1, max_size=4))
    if opcode != "SPLIT_V":
        extents = [1 if opcode == "UNPACK" else extents[0]] * len(extents)
    part = list(shape)
    shape[axis] = sum(extents)
    x = graph.input(shape, "int8", SCALE, ZERO_POINT)
    outputs = []
    for extent in extents:
        part[axis] = extent
        kept = [n for i, n in enumerate(part) if opcode != "UNPACK" or i != axis % len(shape)]
        outputs.append(tensor(graph, kept))
    at = vector(graph, axis)
    if opcode == "SPLIT":
        graph.op(opcode, [at, x], outputs, numSplits=len(extents))
    elif opcode == "SPLIT_V":
        graph.op(opcode, [x, vector(graph, extents), at], outputs, numSplits=len(extents))
    else:
        graph.op(opcode, [x], outputs, num=len(extents), axis=axis)
    return outputs


def padded(draw, graph):
    """PAD or PADV2."""
    shape = draw(st.lists(sizes, min_size=1, max_size=3))
    pads = [(draw(st.integers(0, 3)), draw(st.integers(0, 3))) for _ in shape]
    if len(shape) == 3:
        shape, pads = [1, *shape], [(0, 0), *pads]
    x = graph.input(shape, "int8", SCALE, ZERO_POINT)
    y = tensor(graph, [n + before + after for n, (before, after) in zip(shape, pads, strict=True)])
    paddings = vector(graph, pads)
    if draw(st.booleans()):
        graph.op("PAD", [x, paddings], [y])
    else:
        value = np.array([draw(st.integers(-128, 127))], np.int8)
        graph.op("PADV2", [x, paddings, graph.tensor((1,), "int8", SCALE, ZERO_POINT, data=value)], [y])
    return [y]


def sliced(draw, graph):
    """STRIDED_SLICE with masks and negative strides, or SLICE."""
    shape = draw(st.lists(sizes, min_size=1, max_size=4))
    x = graph.input(shape, "int8", SCALE, ZERO_POINT)
    if draw(st.booleans()):
        begins = [draw(st.integers(0, n - 1)) for n in shape]
        counts = [draw(st.integers(1, n - begin)) for n, begin in zip(shape, begins, strict=True)]
        y = tensor(graph, counts)
        extents = [
            -1 if begin + count == n and draw(st.booleans()) else count
            for begin, count, n in zip(begins, counts, shape, strict=True)
        ]
        graph.op("SLICE", [x, vector(graph, begins), vector(graph, extents)], [y])
        return [y]
    begins = [draw(st.integers(-n - 1, n)) for n in shape]
    ends = [draw(st.integers(-n - 1, n + 1)) for n in shape]
    steps = [draw(st.sampled_from([1, 1, 2, 3, -1, -2])) for _ in shape]
    masks = [draw(st.integers(0, 15)) for _ in range(2)]
    out, shrink = [], 0
    for axis, n in enumerate(shape):
        step, bit = steps[axis], 1 << axis
        begin = None if masks[0] & bit else begins[axis]
        indices = range(*slice(begin, None if masks[1] & bit else ends[axis], step).indices(n))
        if not indices:
            masks = [mask | bit for mask in masks]
            indices = range(n)[::step]
        if step > 0 and indices.start < n and draw(st.integers(0, 4)) == 0:
            shrink |= bit
        else:
            out.append(len(indices))
    y = tensor(graph, out)
    graph.op(
        "STRIDED_SLICE",
        [x, *(vector(graph, values) for values in (begins, ends, steps))],
        [y],
        beginMask=masks[0],
        endMask=masks[1],
        shrinkAxisMask=shrink,
    )
    return [y]


def turned(draw, graph):
    """TRANSPOSE, and RESHAPE, SQUEEZE or EXPAND_DIMS behind it."""
    shape = draw(st.lists(sizes, min_size=1, max_size=4))
    order = draw(st.permutations(range(len(shape))))
    x = graph.input(shape, "int8", SCALE, ZERO_POINT)
    y = tensor(graph, [shape[axis] for axis in order])
    graph.op("TRANSPOSE", [x, vector(graph, order)], [y])
    flat = int(np.prod(shape))
    z, squeezed, expanded = (tensor(graph, each) for each in ([1, flat], [flat], [flat, 1]))
    graph.op("RESHAPE", [y, vector(graph, [1, flat])], [z], newShape=[1, flat])
    graph.op("SQUEEZE", [z], [squeezed], squeezeDims=[0])
    graph.op("EXPAND_DIMS", [squeezed, vector(graph, [1])], [expanded])
    return [expanded]


@LAYERS_AT_ONCE
@given(data=st.data(), seed=st.integers(0, 99))
@pytest.mark.parametrize("kind", [joined, parted, padded, sliced, turned])
def test_equal_to_tflm(kind, data, seed):
    graph = GraphBuilder(seed)
    outputs = [y for _ in range(LAYERS) for y in kind(data.draw, graph)]
    model = parse_tflite(graph.build(outputs))
    rng = np.random.default_rng(seed)
    samples = [
        [rng.integers(-128, 128, tensor.shape).astype(np.int8) for tensor in model.main.input_tensors]
        for _ in range(SAMPLES)
    ]
    for sample, expected in zip(samples, tflm.run(model, samples), strict=True):
        got, _ = run_graph(model.main, LOWERINGS, sample)
        for one, other, index in zip(got, expected, outputs, strict=True):
            np.testing.assert_array_equal(one, other, err_msg=model.main.tensors[index].name)


def tangled(graph):
    """Parts that lie in wholes, wholes that are read beside their parts, and outputs over inputs."""
    x = graph.unary("RELU", graph.input((1, 8, 8, 4), "int8", SCALE, ZERO_POINT))
    like = graph.tensors[x].quantization

    def new(shape):
        y = graph.tensor(shape, "int8")
        graph.tensors[y].quantization = like
        return y

    def relu(source):
        y = new(graph.shapes[source])
        graph.op("RELU", [source], [y])
        return y

    upper, lower = new((1, 4, 8, 4)), new((1, 4, 8, 4))
    graph.op("SPLIT", [vector(graph, 1), x], [upper, lower], numSplits=2)
    swapped = graph.concatenate([relu(lower), relu(upper)], 1)
    columns = new((1, 8, 16, 4))
    graph.op("CONCATENATION", [x, swapped], [columns], axis=2, fusedActivationFunction="NONE")
    padded = new((1, 10, 17, 5))
    pads = vector(graph, [(0, 0), (1, 1), (0, 1), (1, 0)])
    graph.op("PAD", [columns, pads], [padded])
    turned = new((1, 5, 10, 17))
    graph.op("TRANSPOSE", [padded, vector(graph, [0, 3, 1, 2])], [turned])
    flat = graph.reshape(turned, (5, 170))
    sliced = new((3, 57))
    indices = [vector(graph, values) for values in ([4, 1], [-5, 170], [-2, 3])]
    graph.op("STRIDED_SLICE", [flat, *indices], [sliced], endMask=1)
    rows = [new((57,)) for _ in range(3)]
    graph.op("UNPACK", [sliced], rows, num=3, axis=0)
    packed = new((57, 3))
    graph.op("PACK", [rows[2], rows[0], rows[1]], [packed], axis=1, valuesCount=3)
    return [packed, rows[1], swapped, graph.reshape(lower, (128,))]


def test_generated_code_equals_tflm():
    graph = GraphBuilder(0)
    model = parse_tflite(graph.build(tangled(graph)))
    rng = np.random.default_rng(0)
    samples = [[rng.integers(-128, 128, (1, 8, 8, 4)).astype(np.int8)] for _ in range(4)]
    for got, expected in zip(host_c.run(model, samples), tflm.run(model, samples), strict=True):
        for one, other in zip(got, expected, strict=True):
            np.testing.assert_array_equal(one, other)


def operation_of(graph, outputs, kernel_set="reference"):
    main = parse_tflite(graph.build(outputs)).main
    return Operation(main, main.operators[-1], kernel_set)


def concatenation(shapes, axis, kernel_set="reference", **changes):
    graph = GraphBuilder(0)
    parts = [graph.unary("RELU", graph.input(shape)) for shape in shapes]
    parts = [parts[i] for i in changes.get("order", range(len(parts)))]
    for part in parts:
        graph.tensors[part].quantization = graph.tensors[parts[0]].quantization
    return operation_of(graph, [graph.concatenate(parts, axis)], kernel_set)


def test_concatenation_along_the_first_long_axis_can_be_placed():
    operation = concatenation([(1, 4, 5, 8), (1, 3, 5, 8), (1, 1, 5, 8)], 1)
    inputs, (output,) = operation.operator.inputs, operation.operator.outputs
    assert placements_of_concatenation(operation) == tuple(
        Placement(tensor, output, offset) for tensor, offset in zip(inputs, (0, 160, 280), strict=True)
    )


@pytest.mark.parametrize(
    "operation",
    [
        concatenation([(1, 4, 8), (1, 4, 8)], 2),
        concatenation([(1, 3, 5), (1, 3, 5)], 1),
        concatenation([(1, 3, 8), (1, 3, 8)], 1, "mve"),
        concatenation([(1, 4, 8), (1, 4, 8)], 1, order=[0, 0]),
    ],
)
def test_other_concatenations_are_copied(operation):
    assert placements_of_concatenation(operation) is None
    assert all(isinstance(step, Call) for step in LOWERINGS["CONCATENATION"](operation))


def test_concatenation_of_a_graph_input_is_copied():
    graph = GraphBuilder(0)
    x = graph.input((1, 4, 4))
    joint = graph.concatenate([x, graph.unary("RELU", x)], 1)
    assert placements_of_concatenation(operation_of(graph, [joint])) is None


def test_requantizing_concatenation_is_refused():
    graph = GraphBuilder(0)
    x, y = graph.input((1, 4), "int8", 0.1), graph.input((1, 4), "int8", 0.2)
    with pytest.raises(UnsupportedOperationError, match="quantized unlike"):
        LOWERINGS["CONCATENATION"](operation_of(graph, [graph.concatenate([x, y])]))


def test_split_into_whole_rows_needs_no_copy():
    graph = GraphBuilder(0)
    x = graph.input((1, 4, 8))
    parts = [graph.tensor((1, 2, 8), "int8", SCALE, ZERO_POINT) for _ in range(2)]
    graph.op("SPLIT", [vector(graph, 1), x], parts, numSplits=2)
    assert LOWERINGS["SPLIT"](operation_of(graph, parts)) == (
        Placement(parts[0], x, 0),
        Placement(parts[1], x, 16),
    )


@pytest.mark.parametrize("mask", ["ellipsisMask", "newAxisMask"])
def test_masks_that_tflm_ignores_are_refused(mask):
    graph = GraphBuilder(0)
    x, y = graph.input((4, 4)), graph.tensor((4, 4), "int8", SCALE, ZERO_POINT)
    graph.op("STRIDED_SLICE", [x, *(vector(graph, v) for v in ([0, 0], [4, 4], [1, 1]))], [y], **{mask: 1})
    with pytest.raises(UnsupportedOperationError, match="ignores"):
        LOWERINGS["STRIDED_SLICE"](operation_of(graph, [y]))


def test_tensors_of_other_types_are_refused():
    graph = GraphBuilder(0)
    x = graph.input((1, 4), "int64", name="x")
    with pytest.raises(UnsupportedOperationError, match="x is int64"):
        LOWERINGS["RESHAPE"](operation_of(graph, [graph.reshape(x, (4,))]))
