"""Operators on several images at once, where kernels take one.

convolution 1x1                ->  one image with the rows of all
images of whole words          ->  the kernel image by image: ``Call.images``
images of any other size       ->  split, the operator for each image, concatenation
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import replace
from functools import wraps
from types import MappingProxyType

import numpy as np

from edgesqueeze.emit.native.operands import LARGEST_SIZE
from edgesqueeze.emit.native.records import Call, Lowering, Operation, Placement
from edgesqueeze.emit.native.rewriting import Tensors, moving
from edgesqueeze.emit.native.windows import MARGINS
from edgesqueeze.graph import Graph, Operator, Tensor

SOURCES: Mapping[str, int] = MappingProxyType(
    {
        "AVERAGE_POOL_2D": 0,
        "CONV_2D": 0,
        "DEPTHWISE_CONV_2D": 0,
        "MAX_POOL_2D": 0,
        "RESIZE_BILINEAR": 0,
        "RESIZE_NEAREST_NEIGHBOR": 0,
        "TRANSPOSE_CONV": 2,
    }
)
"""Operator on images -> the position of the input that they are in."""

WORD = 4
"""What images are multiples of, in bytes, for kernels to read the second one where it lies."""


def images_of(operation: Operation) -> int:
    """How many images an operator works on, one by one; 1 for all other operators."""
    position = SOURCES.get(operation.operator.opcode)
    if position is None or len(operation.operator.inputs) <= position or not operation.operator.outputs:
        return 1
    source, output = operation.input(position).shape, operation.output().shape
    return source[0] if len(source) == len(output) == 4 and source[0] == output[0] > 1 else 1


def one_image(operation: Operation) -> Operation:
    """The operator as it is for the first image; itself if there is one only."""
    if images_of(operation) == 1:
        return operation
    operator, tensors = operation.operator, list(operation.graph.tensors)
    ends = operator.inputs[SOURCES[operator.opcode]], operator.outputs[0]
    for index in ends:
        tensors[index] = _shaped(tensors[index], (1, *tensors[index].shape[1:]))
    size = tensors[operator.inputs[0]]
    if operator.opcode == "TRANSPOSE_CONV" and size.data is not None and size.elements == 4:
        wanted = np.concatenate([[1], size.data.reshape(-1)[1:]]).astype(size.data.dtype)
        tensors[size.index] = replace(size, data=wanted)
    return replace(operation, graph=replace(operation.graph, tensors=tuple(tensors)))


def image_by_image(lowering: Lowering) -> Lowering:
    """A lowering that takes several images, from one that takes one."""

    @wraps(lowering)
    def lower(operation: Operation) -> tuple[Call | Placement, ...]:
        images = images_of(operation)
        rows = _as_rows(operation)
        if images == 1 or rows is not None:
            return lowering(rows or operation)
        return tuple(
            replace(one, images=images) if isinstance(one, Call) else one
            for one in lowering(one_image(operation))
        )

    return lower


def with_images_apart(graph: Graph) -> Graph:
    """The graph in which the second of several images begins where kernels can read it."""
    rewriting = _Rewriting(graph)
    return rewriting.with_operators(tuple(new for one in graph.operators for new in rewriting.operators(one)))


class _Rewriting(Tensors):
    """A graph's tensors while images are taken apart."""

    def operators(self, operator: Operator) -> Iterator[Operator]:
        """What an operator becomes: itself, mostly."""
        operation = Operation(self.graph, operator, "reference")
        images = images_of(operation)
        if images == 1 or _as_rows(operation) is not None or not self._is_odd(operator, images):
            yield operator
            return
        position = SOURCES[operator.opcode]
        source, output = self.graph.tensors[operator.inputs[position]], operation.output()
        parts, results = (
            tuple(self.like(whole, (1, *whole.shape[1:])) for _ in range(images))
            for whole in (source, output)
        )
        yield moving(operator, "SPLIT", (self.axis(0), source.index), parts)
        single = one_image(operation).graph.tensors[operator.inputs[0]]
        for part, result in zip(parts, results, strict=True):
            inputs = list(operator.inputs)
            if position and single.data is not None:
                inputs[0] = self.constant(single, single.data, None)
            inputs[position] = part
            yield replace(operator, inputs=tuple(inputs), outputs=(result,))
        yield moving(operator, "CONCATENATION", results, operator.outputs, axis=0)

    def _is_odd(self, operator: Operator, images: int) -> bool:
        ends = operator.inputs[SOURCES[operator.opcode]], operator.outputs[0]
        return any(self.graph.tensors[index].nbytes // images % WORD for index in ends)


def _as_rows(operation: Operation) -> Operation | None:
    """A convolution that sees single pixels, with the rows of all images as one; None for any other."""
    operator = operation.operator
    if operator.opcode != "CONV_2D" or images_of(operation) == 1 or MARGINS in operator.options:
        return None
    ends = operation.input(0), operation.output()
    steps = [operator.options.get(f"stride_{side}") for side in "hw"]
    rows = math.prod(ends[0].shape[:2])
    alone = operation.input(1).shape[1:3] == (1, 1) and steps == [1, 1]
    if not alone or ends[0].shape[:3] != ends[1].shape[:3] or rows > LARGEST_SIZE:
        return None
    tensors = list(operation.graph.tensors)
    for tensor in ends:
        tensors[tensor.index] = _shaped(tensor, (1, rows, *tensor.shape[2:]))
    return replace(operation, graph=replace(operation.graph, tensors=tuple(tensors)))


def _shaped(tensor: Tensor, shape: tuple[int, ...]) -> Tensor:
    return replace(tensor, shape=shape, signature=shape)
