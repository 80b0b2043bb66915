"""Resizing: equal to TFLite Micro byte for byte, wherever the output lies."""

import numpy as np
import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from edgesqueeze.emit.native.lower.table import LOWERINGS
from edgesqueeze.emit.native.records import Operation, UnsupportedOperationError
from edgesqueeze.graph import parse_tflite
from edgesqueeze.graph.builder import GraphBuilder
from edgesqueeze.runners import tflm
from runtime_tests.support.native_calls import run_graph

LAYERS = 16
OPCODES = ["RESIZE_BILINEAR", "RESIZE_NEAREST_NEIGHBOR"]
sizes = st.one_of(st.integers(1, 9), st.sampled_from([24, 33]))
layers = st.tuples(
    st.sampled_from(OPCODES),
    st.tuples(sizes, sizes, st.integers(1, 6)),
    st.tuples(sizes, sizes),
    st.sampled_from([(False, False), (True, False), (False, True), (True, True)]),
)


def add(graph, layer):
    opcode, (height, width, channels), size, (align_corners, half_pixel_centers) = layer
    if opcode == "RESIZE_BILINEAR":
        half_pixel_centers &= not align_corners
    x = graph.input((1, height, width, channels), "int8", 0.1, 5)
    y = graph.tensor((1, *size, channels), "int8", 0.1, 5)
    graph.op(
        opcode,
        [x, graph.constant(np.array(size, np.int32))],
        [y],
        alignCorners=align_corners,
        halfPixelCenters=half_pixel_centers,
    )
    return y


@settings(derandomize=True, deadline=None, max_examples=15, phases=[Phase.explicit, Phase.generate])
@given(st.lists(layers, min_size=LAYERS, max_size=LAYERS), st.integers(0, 99))
def test_resizing_equals_tflm(chosen, seed):
    graph = GraphBuilder(seed)
    model = parse_tflite(graph.build([add(graph, layer) for layer in chosen]))
    rng = np.random.default_rng(seed)
    sample = [rng.integers(-128, 128, tensor.shape).astype(np.int8) for tensor in model.main.input_tensors]
    extremes = [rng.choice([-128, 127], tensor.shape).astype(np.int8) for tensor in model.main.input_tensors]
    for inputs, expected in zip((sample, extremes), tflm.run(model, [sample, extremes]), strict=True):
        got, _ = run_graph(model.main, LOWERINGS, inputs)
        for layer, one, other in zip(chosen, got, expected, strict=True):
            np.testing.assert_array_equal(one, other, err_msg=repr(layer))


def lower(layer, **options):
    graph = GraphBuilder(0)
    y = add(graph, layer)
    for name, value in options.items():
        setattr(graph.operators[0].builtinOptions, name, value)
    main = parse_tflite(graph.build([y])).main
    return LOWERINGS[main.operators[0].opcode](Operation(main, main.operators[0], "reference"))


def test_doubling_overlaps_its_input_almost_wholly():
    (call,) = lower(("RESIZE_NEAREST_NEIGHBOR", (8, 8, 4), (16, 16), (False, False)))
    # The last row of the input is read until the last row of the output is written.
    assert call.overlap == {0: (15 * 16 + 15) * 4 - (7 * 8 + 7) * 4}


def test_reading_beyond_the_input_is_refused():
    with pytest.raises(UnsupportedOperationError, match="beyond"):
        lower(("RESIZE_BILINEAR", (1, 1, 1), (2000, 1), (False, False)))


def test_contradicting_options_are_refused():
    with pytest.raises(UnsupportedOperationError, match="align_corners"):
        lower(("RESIZE_BILINEAR", (2, 2, 1), (4, 4), (True, False)), halfPixelCenters=True)


@pytest.mark.parametrize("opcode", OPCODES)
@pytest.mark.parametrize("shape", [(1, 8, 8, 3), (1, 9, 8, 2), (2, 8, 8, 2), (8, 8, 2)])
def test_another_output_shape_is_refused(opcode, shape):
    graph = GraphBuilder(0)
    y = add(graph, (opcode, (4, 4, 2), (8, 8), (False, False)))
    graph.tensors[y].shape = list(shape)
    main = parse_tflite(graph.build([y])).main
    with pytest.raises(UnsupportedOperationError, match=r"expected \[1, 8, 8, 2\]"):
        LOWERINGS[opcode](Operation(main, main.operators[0], "reference"))


@pytest.mark.parametrize("opcode", OPCODES)
def test_a_constant_input_is_refused(opcode):
    graph = GraphBuilder(0)
    y = add(graph, (opcode, (4, 4, 2), (8, 8), (False, False)))
    graph.tensors[0].buffer = graph.tensors[graph.constant(np.zeros((1, 4, 4, 2), np.int8))].buffer
    main = parse_tflite(graph.build([y])).main
    with pytest.raises(UnsupportedOperationError, match="the input is a constant"):
        LOWERINGS[opcode](Operation(main, main.operators[0], "reference"))
