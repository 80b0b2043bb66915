"""Shapes that contradict an operator that moves bytes: refused, since copies would leave their memory."""

import numpy as np
import pytest

from edgesqueeze.emit.native.lower.table import LOWERINGS
from edgesqueeze.emit.native.records import Operation, UnsupportedOperationError
from edgesqueeze.graph import parse_tflite
from edgesqueeze.graph.builder import GraphBuilder


def lower(opcode, shapes, output_shapes, constants=(), *, axis_first=False, **options):
    """An operator between int8 tensors of any shapes, with more inputs that are constants."""
    graph = GraphBuilder(0)
    inputs = [graph.input(shape, "int8", 0.1) for shape in shapes]
    extra = [graph.constant(np.array(values, np.int32)) for values in constants]
    outputs = [graph.tensor(shape, "int8", 0.1, 0) for shape in output_shapes]
    graph.op(opcode, [*extra, *inputs] if axis_first else [*inputs, *extra], outputs, **options)
    main = parse_tflite(graph.build(outputs)).main
    return LOWERINGS[opcode](Operation(main, main.operators[0], "reference"))


@pytest.mark.parametrize(
    ("opcode", "shapes", "output_shape", "reason"),
    [
        ("CONCATENATION", [(1, 8), (1, 8)], (1, 4), r"\[1, 4\], expected \[1, 16\]"),
        ("CONCATENATION", [(1, 8), (1, 8)], (1, 160), r"\[1, 160\], expected \[1, 16\]"),
        ("CONCATENATION", [(2, 8), (1, 16)], (2, 16), r"\[1, 16\], expected \[2, 16\]"),
        ("CONCATENATION", [(1, 8), (1,)], (1, 8), r"\[1\], expected \[1, 8\]"),
        ("PACK", [(2, 8), (2, 8)], (2, 3, 8), r"\[2, 3, 8\], expected \[2, 2, 8\]"),
        ("PACK", [(2, 8), (2, 4)], (2, 2, 8), r"\[2, 4\], expected \[2, 8\]"),
    ],
)
def test_parts_that_do_not_make_the_whole_are_refused(opcode, shapes, output_shape, reason):
    options = {"fusedActivationFunction": "NONE"} if opcode == "CONCATENATION" else {"valuesCount": 2}
    with pytest.raises(UnsupportedOperationError, match=reason):
        lower(opcode, shapes, [output_shape], axis=1, **options)


@pytest.mark.parametrize(
    ("shape", "parts", "reason"),
    [
        ((1, 8), [(1, 64), (1, 64)], r"\[1, 8\], expected \[1, 128\]"),
        ((1, 8), [(1, 2), (1, 2)], r"\[1, 8\], expected \[1, 4\]"),
        ((2, 8), [(2, 4), (4, 4)], r"\[4, 4\], expected \[2, 4\]"),
        ((2, 8), [(2, 4), (4,)], r"\[4\], expected \[2, 4\]"),
    ],
)
def test_wholes_that_do_not_make_the_parts_are_refused(shape, parts, reason):
    with pytest.raises(UnsupportedOperationError, match=reason):
        lower("SPLIT", [shape], parts, [1], axis_first=True, numSplits=2)
    with pytest.raises(UnsupportedOperationError, match=reason):
        lower("SPLIT_V", [shape], parts, [[4, 4], 1], numSplits=2)


@pytest.mark.parametrize(
    ("shape", "parts", "reason"),
    [
        ((1, 3, 4), [(1, 4), (1, 4)], r"\[1, 3, 4\], expected \[1, 2, 4\]"),
        ((1, 2, 4), [(1, 4), (1, 40)], r"\[1, 40\], expected \[1, 4\]"),
    ],
)
def test_unpacking_to_other_parts_is_refused(shape, parts, reason):
    with pytest.raises(UnsupportedOperationError, match=reason):
        lower("UNPACK", [shape], parts, num=2, axis=1)


@pytest.mark.parametrize(
    ("order", "output_shape", "reason"),
    [
        ([0, 2, 1], (1, 4, 80), r"\[1, 4, 80\], expected \[1, 8, 4\]"),
        ([0, 2, 1], (1, 4, 8), r"\[1, 4, 8\], expected \[1, 8, 4\]"),
        ([1, 1, 1], (4, 4, 4), r"the order is \[1, 1, 1\], expected every dimension from 0 to 2 once"),
        ([0, 1], (1, 4, 8), r"the order is \[0, 1\], expected"),
        ([0, 1, 3], (1, 4, 8), "axis 3, expected -3 to 2"),
    ],
)
def test_transposing_to_another_shape_is_refused(order, output_shape, reason):
    with pytest.raises(UnsupportedOperationError, match=reason):
        lower("TRANSPOSE", [(1, 4, 8)], [output_shape], [order])


@pytest.mark.parametrize(
    ("begins", "sizes", "output_shape", "reason"),
    [
        ([0, 2, 0], [1, 4, 8], (1, 4, 8), "expected some of 0 to 3"),
        ([0, -3, 0], [1, 2, 8], (1, 2, 8), "expected some of 0 to 3"),
        ([0, 5, 0], [1, -1, 8], (1, 1, 8), r"expected \[1, 0, 8\]"),
        ([0, 0, 0], [1, -2, 8], (1, 4, 8), r"expected \[1, 0, 8\]"),
        ([0, 0, 0], [1, 2, 8], (1, 4, 8), r"\[1, 4, 8\], expected \[1, 2, 8\]"),
        ([0, 0], [1, 2], (1, 2, 8), "2 begins and 2 sizes, expected 3 of each"),
    ],
)
def test_slices_beyond_the_input_or_of_another_shape_are_refused(begins, sizes, output_shape, reason):
    with pytest.raises(UnsupportedOperationError, match=reason):
        lower("SLICE", [(1, 4, 8)], [output_shape], [begins, sizes])


@pytest.mark.parametrize(
    ("begins", "steps", "shrink", "output_shape", "reason"),
    [
        ([0, 0], [1, 1], 0, (4, 4), r"\[4, 4\], expected \[4, 8\]"),
        ([0, 0], [1, 1], 0, (8, 4), r"\[8, 4\], expected \[4, 8\]"),
        ([0, 0], [1, 1], 1, (1, 8), r"\[1, 8\], expected \[8\]"),
        ([4, 0], [1, 1], 1, (8,), "expected some of 0 to 3"),
        ([-9, 0], [-1, 1], 1, (8,), "expected some of 0 to 3"),
    ],
)
def test_strided_slices_beyond_the_input_or_of_another_shape_are_refused(
    begins, steps, shrink, output_shape, reason
):
    with pytest.raises(UnsupportedOperationError, match=reason):
        lower("STRIDED_SLICE", [(4, 8)], [output_shape], [begins, [4, 8], steps], shrinkAxisMask=shrink)


@pytest.mark.parametrize(
    ("paddings", "output_shape", "reason"),
    [
        ([[0, 0], [-1, -1], [0, 0]], (1, 2, 8), "expected 0 or more for each"),
        ([[0, 0], [-1, 1], [0, 0]], (1, 4, 8), "expected 0 or more for each"),
        ([[0, 0], [1, 1]], (1, 6, 8), "expected 0 or more for each"),
        ([[0, 0], [1, 1], [0, 0]], (1, 60, 8), r"\[1, 60, 8\], expected \[1, 6, 8\]"),
    ],
)
@pytest.mark.parametrize("opcode", ["PAD", "PADV2"])
def test_paddings_that_do_not_give_the_output_are_refused(opcode, paddings, output_shape, reason):
    constants = [paddings] if opcode == "PAD" else [paddings, [0]]
    with pytest.raises(UnsupportedOperationError, match=reason):
        lower(opcode, [(1, 4, 8)], [output_shape], constants)


@pytest.mark.parametrize("opcode", ["RESHAPE", "SQUEEZE", "EXPAND_DIMS"])
def test_reshaping_to_another_number_of_elements_is_refused(opcode):
    with pytest.raises(UnsupportedOperationError, match="has 320 elements, expected 32 "):
        lower(opcode, [(1, 4, 8)], [(4, 80)])
