"""Operators that put values in other places, and the largest over axes: compared with TFLite Micro."""

import numpy as np
import pytest

from edgesqueeze.emit.native.emit import emit_native
from edgesqueeze.emit.native.lower.graph import lower
from edgesqueeze.emit.native.lower.rearrange import progressions
from edgesqueeze.emit.native.records import Refused
from edgesqueeze.graph import parse_tflite
from edgesqueeze.graph.builder import GraphBuilder
from edgesqueeze.runners import host_c, litert, qemu, tflm
from runtime_tests.support.native_figures import PROCESSORS
from runtime_tests.support.random_layers import random_inputs
from runtime_tests.support.tools import require_tool


def gather(graph, x, indices, axis):
    indices = np.array(indices, np.int32)
    shape = graph.shapes[x]
    y = graph.like(x, (*shape[:axis], *indices.shape, *shape[axis + 1 :]))
    graph.op("GATHER", [x, graph.constant(indices)], [y], axis=axis, batchDims=0)
    return y


def tile(graph, x, multiples):
    y = graph.like(x, [size * times for size, times in zip(graph.shapes[x], multiples, strict=True)])
    graph.op("TILE", [x, graph.constant(np.array(multiples, np.int32))], [y])
    return y


def mirror_pad(graph, x, pads, mode):
    y = graph.like(x, [size + sum(pad) for size, pad in zip(graph.shapes[x], pads, strict=True)])
    modes = {"REFLECT": 0, "SYMMETRIC": 1}
    graph.op("MIRROR_PAD", [x, graph.constant(np.array(pads, np.int32))], [y], mode=modes[mode])
    return y


def space(graph, x, block, to_depth):
    _, height, width, depth = graph.shapes[x]
    if to_depth:
        shape = (1, height // block, width // block, depth * block * block)
    else:
        shape = (1, height * block, width * block, depth // (block * block))
    y = graph.like(x, shape)
    graph.op("SPACE_TO_DEPTH" if to_depth else "DEPTH_TO_SPACE", [x], [y], blockSize=block)
    return y


def reduce_max(graph, x, axes, keep):
    shape = graph.shapes[x]
    reduced = [1 if i in axes else n for i, n in enumerate(shape) if keep or i not in axes]
    y = graph.like(x, reduced)
    graph.op("REDUCE_MAX", [x, graph.constant(np.array(axes, np.int32))], [y], keepDims=keep)
    return y


def all_kinds(graph):
    def image(*shape):
        return graph.input((1, *shape))

    return [
        gather(graph, image(7, 5), [0, 2, 4, 6], 1),
        gather(graph, image(7, 5), [4, 3, 3, 0, 1], 2),
        gather(graph, image(6), [[5, 1], [0, 2]], 1),
        mirror_pad(graph, image(5, 6, 3), [(0, 0), (2, 1), (1, 3), (0, 0)], "REFLECT"),
        mirror_pad(graph, image(3, 4, 2), [(0, 0), (3, 0), (1, 4), (0, 1)], "SYMMETRIC"),
        space(graph, image(6, 4, 3), 2, to_depth=True),
        space(graph, image(3, 2, 18), 3, to_depth=False),
        reduce_max(graph, image(6, 4, 5), (1, 2), keep=True),
        reduce_max(graph, image(6, 4, 5), (3,), keep=False),
        reduce_max(graph, image(6, 1, 5), (2,), keep=False),
        reduce_max(graph, image(9, 3), (1,), keep=False),
        place(graph, image(10), -1),
        place(graph, image(6, 4, 3), 1),
        place(graph, image(7, 5), 2, "ARG_MIN"),
    ]


def place(graph, x, axis, opcode="ARG_MAX"):
    """The places of the largest or smallest values, which the caller gets as int32."""
    shape = [size for i, size in enumerate(graph.shapes[x]) if i != axis % len(graph.shapes[x])]
    y = graph.tensor(shape, "int32")
    options = {"ARG_MAX": {"outputType": 2}, "ARG_MIN": {"outputType": 2}}[opcode]
    graph.op(opcode, [x, graph.constant(np.array([axis], np.int32))], [y], **options)
    return y


def tiles(graph):
    """What TensorFlow Lite Micro does not have."""
    return [
        tile(graph, graph.input((1, 3, 4)), [1, 2, 3]),
        tile(graph, graph.input((1, 2, 3, 4)), [1, 2, 1, 2]),
        tile(graph, graph.input((5, 2)), [1, 1]),
    ]


def compared(run, model, seed):
    samples = random_inputs([tensor.shape for tensor in model.main.input_tensors], seed)
    for row, expected in zip(run(samples), tflm.run(model, samples), strict=True):
        for operator, one, other in zip(model.main.operators, row, expected, strict=True):
            np.testing.assert_array_equal(one, other, err_msg=str(operator))


@pytest.mark.parametrize("seed", range(2))
def test_results_are_those_of_tflm_under_sanitizers(seed):
    graph = GraphBuilder(seed)
    model = parse_tflite(graph.build(all_kinds(graph)))
    compared(host_c.host_program(emit_native(model), sanitize=True).run, model, seed)


def test_tiles_are_those_of_litert():
    graph = GraphBuilder(1)
    model = parse_tflite(graph.build(tiles(graph)))
    samples = random_inputs([tensor.shape for tensor in model.main.input_tensors], 1)
    got = host_c.host_program(emit_native(model), sanitize=True).run(samples)
    for row, expected in zip(got, litert.run_reference(model, samples), strict=True):
        for one, other in zip(row, expected, strict=True):
            np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("core", PROCESSORS)
def test_results_on_each_core_are_those_of_tflm(core):
    require_tool("arm-none-eabi-gcc", "gcc-arm-none-eabi")
    require_tool("qemu-system-arm", "qemu-system-arm")
    graph = GraphBuilder(3)
    model = parse_tflite(graph.build(all_kinds(graph)))
    compared(lambda samples: qemu.runner(PROCESSORS[core])(model, samples), model, 3)


@pytest.mark.parametrize(
    ("indices", "pieces"),
    [
        ([0, 1, 2], [range(3)]),
        ([4, 2, 0], [range(4, -1, -2)]),
        ([3, 3], [range(3, 4), range(3, 4)]),
        ([0, 1, 5, 6, 9], [range(2), range(5, 7), range(9, 10)]),
        ([], []),
    ],
)
def test_indices_become_progressions(indices, pieces):
    found = progressions(indices)
    assert [index for piece in found for index in piece] == indices
    assert len(found) == len(pieces)


def refused(graph, y):
    result = lower(parse_tflite(graph.build([y])), "reference")
    assert isinstance(result, Refused)
    return str(result.refusals[0].reason)


def test_what_cannot_be_copied_is_refused():
    graph = GraphBuilder()
    assert "it takes 65 copies" in refused(graph, tile(graph, graph.input((1, 7)), [1, 65]))
    graph = GraphBuilder()
    assert "expected some of 0 to 6" in refused(graph, gather(graph, graph.input((1, 7)), [0, 9], 1))
    graph = GraphBuilder()
    assert "expected neighbours" in refused(
        graph, reduce_max(graph, graph.input((2, 3, 4)), (0, 2), keep=True)
    )
