"""Layers that can run some rows at a time, and the chains that they can form."""

from __future__ import annotations

from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass
from types import MappingProxyType

from edgesqueeze.emit.native.records import Call, Layer, Struct
from edgesqueeze.graph import Graph, Tensor

WINDOWS = frozenset(
    {
        "es_conv2d_s8",
        "es_conv2d_1x1_s8",
        "es_conv2d_channels_s8",
        "es_conv2d_general_s8",
        "es_depthwise_conv2d_s8",
        "es_depthwise_conv2d_3x3_s8",
        "es_depthwise_conv2d_general_s8",
        "es_depthwise_pixels_s8",
        "es_max_pool_s8",
        "es_average_pool_s8",
    }
)
"""Kernels that slide a window, whose parameters have ``in_height``, ``out_height`` and ``pad_top``."""

COUNTS: Mapping[str, str] = MappingProxyType(
    {"es_add_s8": "count", "es_clamp_s8": "count", "es_lookup_s8": "count"}
)
"""Kernels that work value by value -> the member of their parameters that says how many."""

PAIRS = frozenset({"es_add_s8"})
"""Those of two inputs of one shape."""

ROW_ALIGNMENT = 4
"""What rows are multiples of, in bytes: kernels are called for rows in the middle of a tensor."""


@dataclass(frozen=True)
class Stage:
    """A layer as a chain sees it.

    Attributes:
        layer: index of the layer.
        source: tensor that it reads.
        output: tensor that it writes.
        in_height: rows of ``source``.
        out_height: rows of ``output``.
        window: input rows that an output row is made from.
        stride: input rows from one output row to the next.
        pad: rows of padding above the input.
        in_row: bytes of an input row.
        out_row: bytes of an output row.
        other: a second tensor that it reads, of the same shape as ``source``, whole in memory; or None.
    """

    layer: int
    source: int
    output: int
    in_height: int
    out_height: int
    window: int
    stride: int
    pad: int
    in_row: int
    out_row: int
    other: int | None = None

    def reads(self, goal: int) -> int:
        """Input rows, from the first, that the first so many output rows are made from."""
        return min((goal - 1) * self.stride - self.pad + self.window, self.in_height)


@dataclass(frozen=True)
class Chain:
    """Layers that run by turns.

    Attributes:
        stages: neighbouring layers, each of which reads what the one before writes.
        rows: output rows of the last one that a turn makes.
    """

    stages: tuple[Stage, ...]
    rows: int = 1

    @property
    def first(self) -> int:
        """Index of the first layer."""
        return self.stages[0].layer

    @property
    def layers(self) -> range:
        """Indices of the layers."""
        return range(self.first, self.stages[-1].layer + 1)

    @property
    def between(self) -> tuple[int, ...]:
        """The tensors of which only some rows are in memory."""
        return tuple(stage.output for stage in self.stages[:-1])


def stages_of(layer: Layer, graph: Graph) -> list[Stage]:
    """A layer as a stage: one for each tensor that may come in rows; none where it cannot run by turns.

    That are layers of other kernels than those named above, with dilation, whose padding is as large as the
    window, or whose rows do not begin at multiples of four bytes.
    """
    inputs = layer.calls[0].inputs if layer.calls else ()
    tensors = [item for item in inputs if isinstance(item, int)]
    if len(tensors) != len(inputs) or len({*tensors}) != len(tensors):
        return []
    if len(tensors) == 1:
        found = [_stage(layer, graph, tensors[0], None)]
    elif len(tensors) == 2 and layer.calls[0].function in PAIRS:
        found = [_stage(layer, graph, *pair) for pair in (tensors, tensors[::-1])]
    else:
        found = []
    return [stage for stage in found if stage is not None]


def _stage(layer: Layer, graph: Graph, source: int, other: int | None) -> Stage | None:
    first = layer.calls[0]
    output = first.outputs[0]
    if not all(_runs_by_rows(call, {source, other}, output) for call in layer.calls):
        return None
    if other is not None and graph.tensors[other].shape != graph.tensors[source].shape:
        return None
    ends = graph.tensors[source], graph.tensors[output]
    in_height, out_height = map(_height, ends)
    if min(in_height, out_height) < 2:
        return None
    in_row, out_row = ends[0].nbytes // in_height, ends[1].nbytes // out_height
    sizes = (in_height, out_height, in_row)
    window = _window(first.parameters, *sizes) if first.function in WINDOWS else (1, 1, 0)
    if window is None or in_row % ROW_ALIGNMENT or out_row % ROW_ALIGNMENT:
        return None
    stage = Stage(layer.index, source, output, in_height, out_height, *window, in_row, out_row, other)
    beyond = (stage.out_height - 1) * stage.stride - stage.pad  # where the last window begins
    return stage if stage.pad < stage.window and beyond < stage.in_height else None


def chains_of(
    layers: Sequence[Layer], graph: Graph, apart: frozenset[int], barred: frozenset[int]
) -> list[tuple[Stage, ...]]:
    """The longest chains of neighbouring layers; every part of one is a chain too.

    Args:
        layers: all layers.
        graph: what they were lowered from.
        apart: tensors that must be whole in memory: those that the caller sees, parts of others, and states.
        barred: layers that convert what the caller gives or gets.
    """
    readers: dict[int, set[int]] = {}
    for layer in layers:
        for call in layer.calls:
            for item in call.inputs:
                if isinstance(item, int):
                    readers.setdefault(item, set()).add(layer.index)
    found: list[tuple[Stage, ...]] = []
    run: list[Stage] = []
    for layer in layers:
        stages = [] if layer.index in barred else stages_of(layer, graph)
        joining = [
            stage
            for stage in stages
            if run
            and run[-1].output == stage.source
            and stage.source not in apart
            and readers[stage.source] - {run[-1].layer} == {layer.index}
        ]
        if not joining:
            found += [tuple(run)] if len(run) > 1 else []
            run = []
        run += (joining or stages)[:1]
    return found + ([tuple(run)] if len(run) > 1 else [])


def _runs_by_rows(call: Call, sources: Set[int | None], output: int) -> bool:
    known = call.function in WINDOWS or call.function in COUNTS
    return known and call.outputs == (output,) and all(one in {*sources, output} for one in call.inputs)


def _height(tensor: Tensor) -> int:
    """Rows of an image of int8; 0 for anything else."""
    image = len(tensor.shape) == 4 and tensor.shape[0] == 1 and tensor.dtype == "int8"
    return tensor.shape[1] if image else 0


def _window(
    parameters: Struct | None, in_height: int, out_height: int, in_row: int
) -> tuple[int, int, int] | None:
    """Rows of the window, stride and padding; None where the kernel sees other rows than the tensors have."""
    assert parameters is not None
    members = parameters.members
    width, channels = members["in_width"], members.get("in_channels", members.get("channels"))
    assert isinstance(width, int) and isinstance(channels, int)
    if [members["in_height"], members["out_height"], width * channels] != [in_height, out_height, in_row]:
        return None
    if members.get("dilation_height", 1) != 1 or members.get("dilation_width", 1) != 1:
        return None
    height = members["window_height"] if "window_height" in members else members["kernel_height"]
    stride, pad = members["stride_height"], members["pad_top"]
    assert isinstance(height, int) and isinstance(stride, int) and isinstance(pad, int)
    return height, stride, pad
