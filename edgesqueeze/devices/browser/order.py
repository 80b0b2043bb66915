"""In which order LiteRT.js takes and gives tensors: that of the model's first signature."""

from __future__ import annotations

from typing import Any, NamedTuple

from ai_edge_litert import schema_py_generated as schema

from edgesqueeze.graph import TfliteModel


class Order(NamedTuple):
    """Positions in the graph's inputs and outputs, in the order of the signature.

    Attributes:
        inputs: for each input of the signature, which input of the graph it is.
        outputs: for each output of the graph, which output of the signature it is.
    """

    inputs: tuple[int, ...]
    outputs: tuple[int, ...]


def signature_order(model: TfliteModel) -> Order:
    """The order of a model; that of the graph where it has no signature, or one that leaves tensors out."""
    graph = model.main
    plain = Order(tuple(range(len(graph.inputs))), tuple(range(len(graph.outputs))))
    root = schema.Model.GetRootAsModel(model.content, 0)
    if not root.SignatureDefsLength() or root.SignatureDefs(0).SubgraphIndex() != 0:
        return plain
    signature = root.SignatureDefs(0)
    inputs, outputs = _tensors(signature, "Inputs"), _tensors(signature, "Outputs")
    if sorted(inputs) != sorted(graph.inputs) or sorted(outputs) != sorted(graph.outputs):
        return plain
    return Order(
        tuple(graph.inputs.index(tensor) for tensor in inputs),
        tuple(outputs.index(tensor) for tensor in graph.outputs),
    )


def _tensors(signature: Any, side: str) -> list[int]:
    count = getattr(signature, f"{side}Length")()
    return [getattr(signature, side)(index).TensorIndex() for index in range(count)]
