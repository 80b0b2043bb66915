"""Which inputs of an operator are weights, and along which axis their output channels lie."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import Literal, NamedTuple

from edgesqueeze.graph.records import NO_TENSOR, Graph, Operator, Tensor

Role = Literal["weights", "bias", "constant"]


class Slots(NamedTuple):
    """Input slots of one kind of operator.

    Attributes:
        weights: slots that hold weights.
        bias: slots that hold biases.
        axis: the output channels' axis in the weights; may be negative.
    """

    weights: tuple[int, ...]
    bias: tuple[int, ...] = ()
    axis: int = 0


class WeightUse(NamedTuple):
    """A constant tensor and the operator that it serves.

    Attributes:
        tensor: the constant in its stored form, even where it is dequantized before its use.
        role: part that the constant plays in the operator.
        subgraph: the operator's graph, by its position in the model.
        operator: the operator.
        slot: the operator's input slot.
    """

    tensor: Tensor
    role: Role
    subgraph: int
    operator: Operator
    slot: int


WEIGHT_SLOTS: Mapping[str, Slots] = MappingProxyType(
    {
        "CONV_2D": Slots((1,), (2,)),
        "DEPTHWISE_CONV_2D": Slots((1,), (2,), axis=3),
        "TRANSPOSE_CONV": Slots((1,), (3,)),
        "CONV_3D": Slots((1,), (2,), axis=4),
        "CONV_3D_TRANSPOSE": Slots((1,), (3,), axis=3),
        "FULLY_CONNECTED": Slots((1,), (2,)),
        "BATCH_MATMUL": Slots((0, 1), axis=-1),
        "UNIDIRECTIONAL_SEQUENCE_LSTM": Slots((*range(1, 9), 16), (*range(12, 16), 17)),
        "LSTM": Slots((*range(1, 9), 16), (*range(12, 16), 17)),
        "BIDIRECTIONAL_SEQUENCE_LSTM": Slots(
            (*range(1, 9), 16, *range(18, 26), 33, *range(40, 48)),
            (*range(12, 16), 17, *range(29, 33), 34),
        ),
        "RNN": Slots((1, 2), (3,)),
        "UNIDIRECTIONAL_SEQUENCE_RNN": Slots((1, 2), (3,)),
        "BIDIRECTIONAL_SEQUENCE_RNN": Slots((1, 2, 5, 6, 10, 11), (3, 7)),
        "SVDF": Slots((1, 2), (3,)),
        "EMBEDDING_LOOKUP": Slots((1,)),
        "GATHER": Slots((0,), axis=-1),
    }
)
"""By builtin operator name. Other float or quantized constants have the role ``constant``."""

# The LSTM of old files takes five inputs: data, last output, all weights in one matrix, biases, state.
SHORT_LSTM = Slots((2,), (3,))
# Tables and matrices that are weights only if they hold real numbers: a GATHER may look up integers.
LOOKUPS = {"GATHER", "EMBEDDING_LOOKUP"}
# What hands a constant on, with the same values.
PASSES_ON = {"DEQUANTIZE", "DENSIFY"}
REAL_TYPES = {"float64", "float32", "float16", "bfloat16", "float8_e4m3fn", "float8_e5m2"}


def slots_of(operator: Operator) -> Slots | None:
    """The operator's weight slots, or None for a kind that has no weights."""
    if operator.opcode == "LSTM" and len(operator.inputs) <= 5:
        return SHORT_LSTM
    return WEIGHT_SLOTS.get(operator.opcode)


def weight_uses(graph: Graph, subgraph: int = 0) -> Iterator[WeightUse]:
    """Every use of a constant that is a weight, a bias or another real-valued constant.

    Shapes, axes, indices and other integer parameters are left out.
    """
    makers = makers_of(graph)
    readers = Counter(index for operator in graph.operators for index in set(operator.inputs))
    for operator in graph.operators:
        slots = slots_of(operator)
        # The operator that reads what is handed on accounts for the constant.
        if operator.opcode in PASSES_ON and _is_read(operator, readers):
            continue
        for slot in range(len(operator.inputs)):
            tensor = stored_constant(graph, operator, slot, makers)
            if tensor is None:
                continue
            role = _role(operator, slot, slots, tensor)
            if role is not None:
                yield WeightUse(tensor, role, subgraph, operator, slot)


def makers_of(graph: Graph) -> Mapping[int, Operator]:
    """Tensor index -> the DEQUANTIZE or DENSIFY that writes it."""
    return {
        index: operator
        for operator in graph.operators
        if operator.opcode in PASSES_ON
        for index in operator.outputs
    }


def stored_constant(
    graph: Graph, operator: Operator, slot: int, makers: Mapping[int, Operator]
) -> Tensor | None:
    """The constant behind an input slot, also behind DEQUANTIZE and DENSIFY; None if it is computed.

    Args:
        graph: the operator's graph.
        operator: any operator.
        slot: one of its input slots; may be one that it does not have.
        makers: the result of ``makers_of`` for the graph.
    """
    index = operator.inputs[slot] if slot < len(operator.inputs) else NO_TENSOR
    for _ in range(4):
        tensor = graph.tensor(index)
        if tensor is None or tensor.is_constant:
            return tensor
        maker = makers.get(index)
        if maker is None or not maker.inputs:
            return None
        index = maker.inputs[0]
    return None


def _is_read(operator: Operator, readers: Mapping[int, int]) -> bool:
    """Whether another operator reads an output; ``readers`` is how many operators read each tensor."""
    return any(readers[index] > (index in operator.inputs) for index in operator.outputs)


def _role(operator: Operator, slot: int, slots: Slots | None, tensor: Tensor) -> Role | None:
    real = tensor.dtype in REAL_TYPES or tensor.quantization is not None
    if slots and slot in slots.weights and (real or operator.opcode not in LOOKUPS):
        return "weights"
    if slots and slot in slots.bias:
        return "bias"
    return "constant" if real else None
