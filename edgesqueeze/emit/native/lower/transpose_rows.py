"""Transposed convolutions as convolutions of rows, for the kernels of these.

Outputs that lie a stride apart meet the same taps (``es_phase.h``), and from one to the next the inputs that
these meet move on by one: such outputs are a convolution with stride 1. Where all columns meet as many taps,
as those of a window as wide as the stride, neighbouring outputs are the output channels of a single one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from types import MappingProxyType

import numpy as np
import numpy.typing as npt

from edgesqueeze.emit.native import channels as channel_records
from edgesqueeze.emit.native.conv_shape import ConvShape
from edgesqueeze.emit.native.lower.conv import along_rows
from edgesqueeze.emit.native.lower.pairs import clamp_after
from edgesqueeze.emit.native.lower.slow_channels import slow_channels
from edgesqueeze.emit.native.numerics import quantization_of
from edgesqueeze.emit.native.operands import computed
from edgesqueeze.emit.native.overlap import stream_distance
from edgesqueeze.emit.native.pack.table import PACKING, ConvPacker
from edgesqueeze.emit.native.records import Call, Operation, Placement, Struct, Value

HEADER = "es_transpose_conv.h"

Weights = npt.NDArray[np.int8]


@dataclass(frozen=True, eq=False)
class RowPart:
    """A convolution that makes outputs of every stride-th row.

    Attributes:
        shape: its sizes, with an output of one row: the first of these.
        weights: int8 ``[out, kernel height, kernel width, in]``.
        pixels: neighbouring outputs that its output channels are.
    """

    shape: ConvShape
    weights: Weights
    pixels: int


@dataclass(frozen=True)
class _Phase:
    """Outputs a stride apart: the taps that they meet, that of the first input first, and how many inputs the
    first output's lie before the first of all."""

    taps: tuple[int, ...]
    before: int


def row_parts(weights: Weights, whole: ConvShape) -> list[list[RowPart]] | None:
    """The parts of as many output rows as the stride is; None: there is an output that meets no input.

    Args:
        weights: int8 ``[out, kernel height, kernel width, in]``.
        whole: sizes of the transposed convolution, strides and padding those of its output.
    """
    rows = _phases(whole.kernel_height, whole.stride_height, whole.pad_top, whole.in_height, whole.out_height)
    columns = _phases(whole.kernel_width, whole.stride_width, whole.pad_left, whole.in_width, whole.out_width)
    if rows is None or columns is None:
        return None
    alike = len({(len(one.taps), one.before) for one in columns}) == 1
    together = alike and whole.out_width % len(columns) == 0
    groups = [columns] if together else [[one] for one in columns]
    return [[_part(weights, whole, row, first, group) for first, group in enumerate(groups)] for row in rows]


def _phases(kernel: int, stride: int, cut: int, size: int, outputs: int) -> list[_Phase] | None:
    found = []
    for phase in range(stride):
        last, tap = divmod(phase + cut, stride)
        taps = tuple(range(tap, kernel, stride))[::-1]
        before = len(taps) - 1 - last
        if not taps or phase >= outputs or (outputs - 1 - phase) // stride - before >= size:
            return None
        found.append(_Phase(taps, before))
    return found


def _part(weights: Weights, whole: ConvShape, row: _Phase, first: int, columns: Sequence[_Phase]) -> RowPart:
    """What makes the columns from ``first`` on of one row phase."""
    chosen = np.concatenate([weights[:, row.taps][:, :, one.taps] for one in columns])
    shape = ConvShape(
        in_height=whole.in_height,
        in_width=whole.in_width,
        in_channels=whole.in_channels,
        out_height=1,
        out_width=-(-(whole.out_width - first) // whole.stride_width),
        out_channels=len(chosen),
        kernel_height=len(row.taps),
        kernel_width=len(columns[0].taps),
        pad_top=row.before,
        pad_left=columns[0].before,
    )
    return RowPart(shape, chosen, len(columns))


def part_pitch(part: RowPart, whole: ConvShape) -> int:
    """Values from the outputs of a pixel of a part to those of its next one; 0: there are none between."""
    return whole.stride_width * whole.out_channels if part.pixels < whole.stride_width else 0


def rows_struct(kind: str, whole: ConvShape, parts: Sequence[Sequence[Struct]]) -> Struct:
    """Parameters of the kernels that run the parts; ``kind`` is the struct's name in C."""
    members: dict[str, Value] = {
        "parts": tuple(part for row in parts for part in row),
        "parts_a_row": len(parts[0]),
        "stride_height": whole.stride_height,
        "out_height": whole.out_height,
        "out_channels": whole.out_channels,
        "out_row": whole.out_width * whole.out_channels,
    }
    return Struct(kind, members)


def in_rows(
    operation: Operation, weights: Weights, whole: ConvShape, bias: npt.NDArray[np.int64]
) -> tuple[Call | Placement, ...] | None:
    """TRANSPOSE_CONV of int8 by the kernel of convolutions; None: that cannot compute it.

    Args:
        operation: the operator, checked.
        weights: int8 ``[out, kernel height, kernel width, in]``.
        whole: its sizes, strides and padding those of its output.
        bias: of every output channel.
    """
    packer = PACKING[operation.kernel_set].conv2d
    whole, weights = along_rows(whole, weights)
    parts = row_parts(weights, whole)
    if parts is None:
        return None
    structs = [[_struct(operation, part, whole, packer, bias) for part in row] for row in parts]
    known = [[one for one in row if one is not None] for row in structs]
    if known != structs:
        return None
    call = Call(
        "es_transpose_conv2d_rows_s8",
        HEADER,
        rows_struct("es_transpose_rows", whole, known),
        (computed(operation.input(2)),),
        (operation.output().index,),
        scratch_bytes=max(packer.scratch(part.shape) for row in parts for part in row),
        overlap=MappingProxyType({0: _distance(parts, whole, packer.group)}),
    )
    return (call, *clamp_after(operation))


def _struct(
    operation: Operation, part: RowPart, whole: ConvShape, packer: ConvPacker, bias: npt.NDArray[np.int64]
) -> Struct | None:
    """A part as ``es_conv2d``; None: there are channels that its kernel cannot compute."""
    quantization = operation.input(1).quantization
    assert quantization is not None
    source, output = quantization_of(operation.input(2)), quantization_of(operation.output())
    scales = np.broadcast_to(quantization.scales, (part.shape.out_channels // part.pixels,))
    folded = channel_records.fold(
        part.weights.reshape(len(part.weights), -1),
        np.tile(bias, part.pixels).astype(np.int32),
        scales=np.tile(scales, part.pixels),
        real_multipliers=[source[0] * float(scale) / output[0] for scale in scales] * part.pixels,
        input_scale=source[0],
        input_zero_point=source[1],
        output_scale=output[0],
        output_zero_point=output[1],
    )
    if slow_channels(folded, packer.takes).any():
        return None
    members: dict[str, Value] = {
        "weights": packer.pack(folded.weights.reshape(part.weights.shape)),
        "channels": channel_records.pack(folded),
        **asdict(part.shape),
        "input_zero_point": source[1],
        "out_pitch": part_pitch(part, whole),
    }
    return Struct("es_conv2d", members)


def _distance(parts: Sequence[Sequence[RowPart]], whole: ConvShape, group: int) -> int:
    """How far behind the output the input must lie: rows of the output are written in order.

    Where a row has one part, the pixels before a group are written when the group is read; else all may be.
    """
    reads, written = [], []
    for y in range(whole.out_height):
        shape = parts[y % len(parts)][0].shape
        pixel = np.arange(0, shape.out_width, group)
        row = max(0, y // len(parts) - shape.pad_top) * whole.in_width
        if len(parts[0]) == 1:
            columns, until = np.maximum(0, pixel - shape.pad_left), pixel * shape.out_channels
        else:
            columns, until = np.zeros_like(pixel), np.full_like(pixel, whole.out_width * whole.out_channels)
        reads.append((row + columns) * whole.in_channels)
        written.append(y * whole.out_width * whole.out_channels + until)
    return stream_distance(np.concatenate(reads), np.concatenate(written))
