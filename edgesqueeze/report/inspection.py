"""What is in a .tflite, and whether it fits a target: the record behind ``edgesqueeze inspect``."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Literal

from edgesqueeze.base.findings import Finding, Severity
from edgesqueeze.base.records import Record
from edgesqueeze.emit.native.constant_channels import without_constant_channels
from edgesqueeze.errors import TfliteError
from edgesqueeze.graph.axes import misplaced_axes
from edgesqueeze.graph.macs import operator_macs
from edgesqueeze.graph.metadata import Metadata, read_metadata
from edgesqueeze.graph.npu import NPUS, npu_of
from edgesqueeze.graph.records import Graph, Operator, Tensor, TfliteModel
from edgesqueeze.graph.scheme import Scheme, float_operators, scheme_of
from edgesqueeze.graph.shapes import shape_text
from edgesqueeze.graph.state import first_graphs, state_of
from edgesqueeze.graph.stats import Sizes, WeightStats, sizes, weight_stats
from edgesqueeze.target.fit import Fit

# Quantization metadata are worth a word from this share of the file on.
LARGE_METADATA = 0.1


class TensorInfo(Record):
    """An input or output of the model.

    Attributes:
        name: the tensor's name in the file.
        shape: the tensor's shape, with -1 for a dimension that is open until the model is loaded, as the
            batch mostly is.
        dtype: NumPy name of the element type.
        scale: real size of one integer step; None for a float tensor.
        zero_point: the integer that stands for zero; None for a float tensor.
    """

    name: str
    shape: tuple[int, ...]
    dtype: str
    scale: float | None
    zero_point: int | None


class OperatorInfo(Record):
    """One operator of the model.

    Attributes:
        subgraph: position of the operator's graph, from 0; the first is the one that runs.
        index: position of the operator in its graph, from 0: the order of execution.
        kind: the operator's name as in the TFLite schema, or a custom operator's own.
        output_shape: shape of the operator's first output, an open dimension as 1; empty if there is none.
        output_dtype: NumPy name of the element type of the operator's first output; empty if there is none.
        macs: multiply-accumulates of the operator in one inference.
        weights_bytes: bytes of the operator's weights, biases and other real-valued constants; what a second
            operator shares counts for the first.
        sparsity: share of the operator's weights that are zero, 0 to 1, biases left out; None without
            weights.
        distinct_values: number of different weights, in the weight tensor that has most; None without
            weights.
        distinct_values_per_channel_max: number of different weights in one output channel, in the channel
            that has most; None without weights.
    """

    subgraph: int
    index: int
    kind: str
    output_shape: tuple[int, ...]
    output_dtype: str
    macs: int
    weights_bytes: int
    sparsity: float | None
    distinct_values: int | None
    distinct_values_per_channel_max: int | None


class Totals(Record):
    """Sums over the whole model.

    Attributes:
        operators: number of operators in the whole file.
        macs: multiply-accumulates of one inference; each subgraph counts as run once.
        weights: number of elements of all weights, biases left out.
        sparsity: share of all weights that are zero, 0 to 1; None without weights.
    """

    operators: int
    macs: int
    weights: int
    sparsity: float | None


class Inspection(Record):
    """Everything that ``edgesqueeze inspect`` tells.

    Attributes:
        schema_version: version of the form of this document; it rises when a field changes its meaning.
        model: name of the .tflite file, without its suffix.
        sha256: SHA-256 of the .tflite file, in hexadecimal.
        description: what the file says about itself.
        quantization: how the operators with weights are quantized.
        sizes: sizes of the whole file, in bytes.
        totals: counts over the whole file.
        subgraphs: number of graphs in the file; only the operators of the first always run.
        inputs: input tensors of the first graph, in its order.
        outputs: output tensors of the first graph, in its order.
        operators: the operators of all graphs, in the order of execution.
        weights: statistics of every constant of real numbers.
        metadata: what the file says to an app: names, labels, normalization; None where it says nothing, or
            nothing that can be read.
        float_operators: positions, in the first graph, of the float operators of a model that is otherwise
            integer.
        fit: whether the model fits the target; None if no target was named.
        findings: what is worth a look: operators or types that may cause trouble.
    """

    schema_version: Literal[1] = 1
    model: str
    sha256: str
    description: str
    quantization: Scheme
    sizes: Sizes
    totals: Totals
    subgraphs: int
    inputs: tuple[TensorInfo, ...]
    outputs: tuple[TensorInfo, ...]
    operators: tuple[OperatorInfo, ...]
    weights: tuple[WeightStats, ...]
    metadata: Metadata | None = None
    float_operators: tuple[int, ...]
    fit: Fit | None = None
    findings: tuple[Finding, ...] = ()

    @property
    def ok(self) -> bool:
        """False only if a target was named and the model does not fit it."""
        return self.fit is None or self.fit.ok


def inspect_model(model: TfliteModel, fit: Fit | None = None) -> Inspection:
    """Look at a model.

    Args:
        model: as ``graph.read`` gives it.
        fit: how it fits a target (``runners.memory.fit_to``), to go into the record.

    Raises:
        TfliteError: an operator or constant that contradicts the schema.
    """
    weights = weight_stats(model)
    by_operator: dict[tuple[int, int], list[WeightStats]] = {}
    for one in weights:
        by_operator.setdefault((one.subgraph, one.operator), []).append(one)
    operators = tuple(
        _operator(number, graph, operator, by_operator.get((number, operator.index), []))
        for number, graph in enumerate(model.graphs)
        for operator in graph.operators
    )
    scheme = scheme_of(model)
    all_sizes = sizes(model)
    floats = float_operators(model)
    metadata, damage = _metadata(model)
    return Inspection(
        model=model.name,
        sha256=model.sha256,
        description=model.description,
        quantization=scheme,
        sizes=all_sizes,
        totals=_totals(operators, weights),
        subgraphs=len(model.graphs),
        inputs=tuple(_tensor(tensor) for tensor in model.main.input_tensors),
        outputs=tuple(_tensor(tensor) for tensor in model.main.output_tensors),
        operators=operators,
        weights=weights,
        metadata=metadata,
        float_operators=floats,
        fit=fit,
        findings=(*damage, *_findings(model, all_sizes, floats)),
    )


def _metadata(model: TfliteModel) -> tuple[Metadata | None, tuple[Finding, ...]]:
    """The metadata, or what is wrong with them: runtimes run the file all the same."""
    try:
        return read_metadata(model), ()
    except TfliteError as error:
        return None, (_finding("damaged-metadata", model.name, error.problem, "warning"),)


def _tensor(tensor: Tensor) -> TensorInfo:
    quantization = tensor.quantization
    single = quantization is not None and not quantization.per_channel
    return TensorInfo(
        name=tensor.name,
        shape=tensor.signature,
        dtype=tensor.dtype,
        scale=quantization.scale if quantization is not None and single else None,
        zero_point=quantization.zero_point if quantization is not None and single else None,
    )


def _operator(subgraph: int, graph: Graph, operator: Operator, own: Sequence[WeightStats]) -> OperatorInfo:
    """What is known of an operator, given the statistics of its own weights."""
    kernels = [one for one in own if one.role == "weights"]
    output = graph.tensors[operator.outputs[0]] if operator.outputs else None
    return OperatorInfo(
        subgraph=subgraph,
        index=operator.index,
        kind=operator.kind,
        output_shape=output.shape if output else (),
        output_dtype=output.dtype if output else "",
        macs=operator_macs(graph, operator),
        weights_bytes=sum(one.bytes for one in own),
        sparsity=_sparsity(kernels),
        distinct_values=max((one.distinct_values for one in kernels), default=None),
        distinct_values_per_channel_max=max(
            (one.distinct_values_per_channel_max for one in kernels), default=None
        ),
    )


def _totals(operators: tuple[OperatorInfo, ...], weights: tuple[WeightStats, ...]) -> Totals:
    kernels = [one for one in weights if one.role == "weights"]
    return Totals(
        operators=len(operators),
        macs=sum(operator.macs for operator in operators),
        weights=sum(one.elements for one in kernels),
        sparsity=_sparsity(kernels),
    )


def _sparsity(weights: list[WeightStats]) -> float | None:
    elements = sum(one.elements for one in weights)
    return sum(one.sparsity * one.elements for one in weights) / elements if elements else None


def _findings(model: TfliteModel, all_sizes: Sizes, floats: tuple[int, ...]) -> Iterable[Finding]:
    if floats:
        kinds = ", ".join(sorted({model.main.operators[index].kind for index in floats}))
        numbers = ", ".join(map(str, floats[:8])) + (", ..." if len(floats) > 8 else "")
        message = f"{len(floats)} of them (operators {numbers}) run in float32 in an otherwise integer model"
        yield _finding("float-operators", kinds, message, "warning")
    yield from _kind_findings(model)
    custom = sorted({op.kind for op in model.operators if op.opcode == "CUSTOM" and op.kind not in NPUS})
    if custom:
        message = "custom operators: a runtime must have them registered; their work is not counted in MACs"
        yield _finding("custom-operators", ", ".join(custom), message, "warning")
    share = all_sizes.metadata_bytes / all_sizes.tflite_bytes
    if share >= LARGE_METADATA:
        message = (
            f"scales and zero points take {all_sizes.metadata_bytes:,} of {all_sizes.tflite_bytes:,} bytes "
            f"({share:.0%}); per-tensor quantization, where accuracy allows it, saves most of that"
        )
        yield _finding("large-metadata", "quantization", message, "note")
    yield from _constant_findings(model)
    yield from _shape_findings(model)


def _constant_findings(model: TfliteModel) -> Iterable[Finding]:
    slim = without_constant_channels(model.main)
    if slim.left_out.channels:
        before, after = (
            sum(operator_macs(graph, one) for one in graph.operators) for graph in (model.main, slim.graph)
        )
        message = (
            f"{slim.left_out.channels:,} channels of {slim.left_out.layers} layers give the same for every "
            f"input; native C leaves them out, with {before - after:,} of {before:,} MACs"
        )
        yield _finding("constant-channels", model.name, message, "note")


def _kind_findings(model: TfliteModel) -> Iterable[Finding]:
    """What kind of file it is, where that decides what can be done with it."""
    npu = npu_of(model)
    if npu:
        message = (
            f"it was compiled for {npu}: only a device with one runs it, and its work and weights are hidden "
            "in the program; for figures, inspect the .tflite that the compiler was given"
        )
        yield _finding("compiled-for-npu", model.name, message, "warning")
    if scheme_of(model) == "legacy-uint8":
        message = (
            "TensorFlow 1's quantization: LiteRT runs it, TensorFlow Lite Micro and native C have no such "
            "kernels; a model in int8 must be converted anew from the float original"
        )
        yield _finding("legacy-uint8", model.name, message, "warning")
    misplaced = misplaced_axes(model)
    if misplaced:
        message = (
            f"{len(misplaced)} vectors, the first is {misplaced[0]!r}, name a quantized dimension that they "
            "do not have: TensorFlow Lite Micro ignores it, LiteRT refuses the file; 0 was read instead"
        )
        yield _finding("misplaced-axis", model.name, message, "warning")
    state = state_of(model)
    if state:
        when = "a new sequence" if state.carries else "each sample"
        message = (
            f"it keeps state from one inference to the next ({state.describe()}): reset it before {when}"
        )
        yield _finding("keeps-state", model.name, message, "note")


def _shape_findings(model: TfliteModel) -> Iterable[Finding]:
    for tensor in model.main.input_tensors:
        # An open batch is how most models are exported, and runs as one sample everywhere.
        if -1 in tensor.signature[1:]:
            message = (
                f"its shape {shape_text(tensor.signature)} is open: the figures are for 1 there, and so is "
                "what TFLite Micro runs; --input-shape gives it one"
            )
            yield _finding("open-dimension", tensor.name, message, "warning")
        elif tensor.shape and tensor.shape[0] > 1 and len(tensor.shape) > 1:
            message = f"the first dimension is {tensor.shape[0]}: MACs are for all of them"
            yield _finding("batch", tensor.name, message, "note")
    others = len(model.graphs) - 1 - len(first_graphs(model))
    if others:
        message = f"{others + 1} subgraphs; one that runs repeatedly, or not at all, counts once in MACs"
        yield _finding("subgraphs", model.name, message, "note")


def _finding(code: str, subject: str, message: str, severity: Severity) -> Finding:
    return Finding(code=code, subject=subject, message=message, severity=severity)
