"""Operators that are put into a float .tflite in place of another, by the objects of its schema."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from ai_edge_litert import schema_py_generated as schema

from edgesqueeze.base.arrays import Array
from edgesqueeze.graph.builder_parts import operator_code, options_of
from edgesqueeze.graph.objects import drop_unused_codes, kind_of, kind_of_code, listed
from edgesqueeze.graph.ranges import Range
from edgesqueeze.graph.repack import pack


class Draft:
    """What one operator becomes: others before it, and itself the last of them.

    Args:
        model: the file, which is changed.
        graph: the graph that the operator is in.
        operator: the operator.
    """

    def __init__(self, model: Any, graph: Any, operator: Any) -> None:
        self._model, self._graph, self._operator = model, graph, operator
        self.inputs = [int(one) for one in listed(operator.inputs)]
        self.options = operator.builtinOptions
        self.before: list[Any] = []

    def tensor(self, index: int) -> Any:
        """A tensor of the graph."""
        return self._graph.tensors[index]

    def value(self, place: int) -> Array | None:
        """A constant input, float32 or int32; None if it is computed."""
        tensor = self.tensor(self.inputs[place])
        data = self._model.buffers[tensor.buffer].data
        types = {schema.TensorType.FLOAT32: np.float32, schema.TensorType.INT32: np.int32}
        if data is None or not len(data) or tensor.type not in types:
            return None
        return np.frombuffer(bytes(data), types[tensor.type]).reshape(listed(tensor.shape))

    def span(self, index: int) -> Range | None:
        """What calibration, or a draft, says that a tensor spans; None if nobody does."""
        found = self.tensor(index).quantization
        if found is None or found.min is None or not len(found.min):
            return None
        return Range(float(found.min[0]), float(found.max[0]))

    def constant(self, values: Any) -> int:
        """A new constant; its number. Real numbers are float32, whole ones int32."""
        array = np.asarray(values)
        real = array.dtype.kind == "f"
        buffer = schema.BufferT()
        buffer.data = np.frombuffer(array.astype(np.float32 if real else np.int32).tobytes(), np.uint8)
        self._model.buffers.append(buffer)
        kind = schema.TensorType.FLOAT32 if real else schema.TensorType.INT32
        return self._tensor(list(array.shape), kind, len(self._model.buffers) - 1)

    def add(
        self, kind: str, *inputs: int, shape: Any = None, span: Range | None = None, **options: Any
    ) -> int:
        """An operator before the last; the number of its output.

        Args:
            kind: the operator.
            inputs: the numbers of its inputs.
            shape: its output's; that of the last operator if none is given.
            span: what its output spans, after calibration.
            options: of the operator, by their names in the schema.
        """
        last = self.tensor(self._operator.outputs[0])
        made = schema.OperatorT()
        made.outputs = [self._tensor(last.shape if shape is None else shape, last.type, 0)]
        if span is not None:
            found = self.tensor(made.outputs[0]).quantization = schema.QuantizationParametersT()
            found.min, found.max = np.array([span.low], np.float32), np.array([span.high], np.float32)
        self._set(made, kind, inputs, options)
        self.before.append(made)
        return int(made.outputs[0])

    def reduce(self, kind: str, source: int, axes: Any, *, keep: bool = True) -> int:
        """A reduction before the last operator; the number of its output.

        Args:
            kind: the reduction.
            source: what is reduced.
            axes: constant axes.
            keep: whether the axes stay, with one value each.
        """
        before = listed(self.tensor(source).shape)
        gone = {int(one) % len(before) for one in np.ravel(axes)}
        shape = [1 if axis in gone else size for axis, size in enumerate(before)]
        if not keep:
            shape = [size for axis, size in enumerate(before) if axis not in gone]
        return self.add(kind, source, self.constant(sorted(gone)), shape=shape, keepDims=keep)

    def become(self, kind: str, *inputs: int, **options: Any) -> None:
        """Make the operator itself the last of those that are drafted."""
        self._set(self._operator, kind, inputs, options)

    def _tensor(self, shape: Any, kind: int, buffer: int) -> int:
        new = schema.TensorT()
        new.shape, new.type, new.buffer = shape, kind, buffer
        named = self.tensor(self._operator.outputs[0]).name or b""
        new.name = named + f";{len(self._graph.tensors)}".encode()
        self._graph.tensors.append(new)
        return len(self._graph.tensors) - 1

    def _set(self, operator: Any, kind: str, inputs: Any, options: dict[str, Any]) -> None:
        operator.inputs, operator.opcodeIndex = list(inputs), code_of(self._model, kind)
        name = options_of(kind)
        operator.builtinOptionsType = getattr(schema.BuiltinOptions, name, schema.BuiltinOptions.NONE)
        operator.builtinOptions = getattr(schema, f"{name}T")() if operator.builtinOptionsType else None
        for key, value in options.items():
            setattr(operator.builtinOptions, key, value)


def with_forms(content: bytes, forms: Mapping[int, Callable[[Draft], bool]]) -> bytes:
    """A float .tflite in which some operators are written in others.

    Args:
        content: a .tflite before quantization.
        forms: by the operator's number, what writes one that gives float32; it says whether it did.

    Returns:
        ``content`` itself where nothing is written in other operators.
    """
    model = schema.ModelT.InitFromPackedBuf(content, 0)
    changed = False
    for graph in model.subgraphs:
        operators = []
        for operator in listed(graph.operators):
            form = forms.get(kind_of(model, operator))
            draft = Draft(model, graph, operator)
            if form is not None and draft.tensor(operator.outputs[0]).type == schema.TensorType.FLOAT32:
                changed |= form(draft)
            operators += [*draft.before, operator]
        graph.operators = operators
    if changed:
        drop_unused_codes(model)
    return pack(model, len(content)) if changed else content


def code_of(model: Any, kind: str, version: int = 1) -> int:
    """The number of an operator's code in a file, which gets it if it has none."""
    number = getattr(schema.BuiltinOperator, kind)
    for index, one in enumerate(model.operatorCodes):
        if kind_of_code(one) == number:
            one.version = max(one.version, version)
            return index
    model.operatorCodes.append(operator_code(kind, "", version))
    return len(model.operatorCodes) - 1
