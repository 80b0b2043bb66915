"""Models whose inputs have open dimensions beside the batch: what they do, and cost, depends on the shape."""

from __future__ import annotations

from collections.abc import Sequence

from ai_edge_litert import schema_py_generated as schema

from edgesqueeze.errors import UnsupportedModelError
from edgesqueeze.graph.read import parse_tflite
from edgesqueeze.graph.records import Tensor, TfliteModel
from edgesqueeze.graph.repack import repacked

Shape = tuple[int, ...]


def open_inputs(model: TfliteModel) -> tuple[Tensor, ...]:
    """The inputs with an open dimension; an open batch, as most models have it, is one sample."""
    return tuple(tensor for tensor in model.main.input_tensors if -1 in tensor.signature[1:])


def has_open_inside(model: TfliteModel) -> bool:
    """Whether shapes inside are not those of an inference, since they were left to the runtime.

    A converter writes 1 for every size that it does not know. Where the batch is open that may be rows too,
    as of a dense layer on a sequence, and a RESHAPE then has more values than its output.
    """
    tensors = model.main.tensors
    return any(
        tensors[one.inputs[0]].elements != tensors[one.outputs[0]].elements
        for one in model.main.operators
        if one.opcode == "RESHAPE" and one.inputs and one.outputs
    )


def refuse_open(model: TfliteModel, what: str) -> None:
    """Raise ``UnsupportedModelError`` for a model with open dimensions.

    Args:
        model: any model.
        what: what cannot be done with it, as the start of a sentence.
    """
    found = open_inputs(model)
    if found:
        shape = ",".join(str(size) if size > 0 else "224" for size in (1, *found[0].signature[1:]))
        raise UnsupportedModelError(
            f"{what}: the shape of {model.name}'s input is open",
            expected="one shape, since time and memory depend on it",
            got=", ".join(f"{tensor.name} {shape_text(tensor.signature)}" for tensor in found),
            hint=f"say which, for example --input-shape {shape}, or export the model with a fixed shape",
        )


def shape_text(shape: Sequence[int]) -> str:
    """A shape for a person: ``?x224x224x3``."""
    return "x".join("?" if size < 0 else str(size) for size in shape) or "scalar"


def with_shapes(model: TfliteModel, shapes: Sequence[Shape]) -> TfliteModel:
    """The same model with fixed shapes.

    Args:
        model: stays as it is.
        shapes: for each tensor of the main graph, in order; those of constants are not changed.
    """
    record = schema.ModelT.InitFromPackedBuf(model.content, 0)
    for tensor, known, shape in zip(record.subgraphs[0].tensors, model.main.tensors, shapes, strict=True):
        tensor.shapeSignature = None
        if not known.is_constant:
            tensor.shape = list(shape)
    return parse_tflite(repacked(record, model.content), model.name)
