"""How a model is quantized, told from the types of its operators and weights."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from edgesqueeze.graph.macs import RULES
from edgesqueeze.graph.npu import npu_of
from edgesqueeze.graph.records import Graph, Operator, Tensor, TfliteModel
from edgesqueeze.graph.weights import makers_of, slots_of, stored_constant

Scheme = Literal[
    "full-int8",
    "legacy-uint8",
    "full-int16x8",
    "dynamic-range",
    "weight-only",
    "float16",
    "float32",
    "mixed",
    "compiled",
    "unknown",
]
"""What the operators with weights compute in.

    full-int8      8-bit integers throughout; conversions at inputs and outputs aside
    legacy-uint8   unsigned 8-bit integers throughout, one scale for each tensor: TensorFlow 1's quantization
    full-int16x8   16-bit activations, 8-bit weights
    dynamic-range  float activations, 8-bit weights, multiplied as integers
    weight-only    float arithmetic, integer weights that are dequantized first
    float16        float arithmetic, weights stored as float16
    float32        nothing is quantized
    mixed          more than one of these, or float operators among integer ones
    compiled       a program for a neural processor, which does not tell
"""

INTEGERS = {"int8", "uint8", "int16"}
CONVERSIONS = {"QUANTIZE", "DEQUANTIZE"}
# The small weights of a model that is quantized in these ways often stay float32.
LEAVES_SOME_FLOAT: tuple[Scheme, ...] = ("dynamic-range", "weight-only", "float16")


def scheme_of(model: TfliteModel) -> Scheme:
    """The quantization of the whole model."""
    if npu_of(model):
        return "compiled"
    found = {scheme for graph in model.graphs for scheme in _schemes(graph)}
    if not found:
        found = {_by_type(tensor) for tensor in _computed(model.main)}
        return found.pop() if len(found) == 1 else "unknown"
    for scheme in LEAVES_SOME_FLOAT:
        if found == {scheme, "float32"}:
            return scheme
    return "mixed" if len(found) > 1 or float_operators(model) else found.pop()


def _schemes(graph: Graph) -> set[Scheme]:
    """The schemes of all operators that multiply and accumulate."""
    makers = makers_of(graph)
    return {
        scheme
        for operator in graph.operators
        if operator.opcode in RULES and (scheme := _operator_scheme(graph, operator, makers))
    }


def float_operators(model: TfliteModel) -> tuple[int, ...]:
    """Indices of the main graph's float operators, if most multiply-accumulating ones take integers.

    Conversions from and to integers do not count.
    """
    graph = model.main
    working = [operator for operator in graph.operators if operator.opcode in RULES]
    integer = [operator for operator in working if _activation(graph, operator) in INTEGERS]
    if not integer or 2 * len(integer) < len(working):
        return ()
    return tuple(
        operator.index
        for operator in graph.operators
        if operator.kind not in CONVERSIONS and _is_float(graph, operator)
    )


def _is_float(graph: Graph, operator: Operator) -> bool:
    tensors = [graph.tensor(index) for index in (*operator.inputs, *operator.outputs)]
    return any(tensor is not None and tensor.dtype in ("float32", "float16") for tensor in tensors)


def _activation(graph: Graph, operator: Operator) -> str:
    """Element type of what the operator multiplies with its weights."""
    slots = slots_of(operator)
    weights = slots.weights if slots else ()
    for slot, index in enumerate(operator.inputs):
        tensor = graph.tensor(index)
        # Integers without a scale are shapes.
        real = tensor is not None and (tensor.quantization is not None or tensor.dtype.startswith("float"))
        if tensor is not None and real and (slot not in weights or operator.opcode == "BATCH_MATMUL"):
            return tensor.dtype
    return ""


def _operator_scheme(graph: Graph, operator: Operator, makers: Mapping[int, Operator]) -> Scheme | None:
    slots = slots_of(operator)
    for slot in slots.weights if slots else ():
        stored = stored_constant(graph, operator, slot, makers)
        if stored is None:
            continue
        direct = stored.index == operator.inputs[slot]
        return _scheme(_activation(graph, operator), stored.dtype, direct)
    # Both operands are computed.
    return {"int8": "full-int8", "uint8": "legacy-uint8", "int16": "full-int16x8", "float32": "float32"}.get(  # type: ignore[return-value]
        _activation(graph, operator)
    )


def _scheme(activation: str, weights: str, direct: bool) -> Scheme:
    if activation == "int16":
        return "full-int16x8"
    if activation == "uint8":
        return "legacy-uint8"
    if activation in INTEGERS:
        return "full-int8"
    if weights in ("float16", "bfloat16"):
        return "float16"
    if weights in ("float32", "float64", ""):
        return "float32"
    return "dynamic-range" if direct else "weight-only"


def _by_type(tensor: Tensor) -> Scheme:
    types: dict[str, Scheme] = {"int8": "full-int8", "uint8": "legacy-uint8", "float32": "float32"}
    return types.get(tensor.dtype, "unknown")


def _computed(graph: Graph) -> list[Tensor]:
    return [graph.tensors[index] for operator in graph.operators for index in operator.outputs]
