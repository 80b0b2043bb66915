"""Layers that run by turns, as C: every kernel is called for some rows, with parameters that say so."""

from __future__ import annotations

from edgesqueeze.emit.native.pages import Part, RowLayers, Turns
from edgesqueeze.emit.native.program import Program
from edgesqueeze.emit.native.records import Call, Layer, Struct
from edgesqueeze.emit.native.rows.stages import COUNTS, Chain, Stage
from edgesqueeze.emit.native.symbols import address, comment_of, parameters_name, scratch_address

ROW_HEADER = "es_rows.h"
ROW_FUNCTIONS = ("es_rows_goals", "es_rows_take")
"""What the code calls between kernels."""


def row_layers(chain: Chain) -> RowLayers:
    """The constant that describes the layers of a chain."""
    return RowLayers(
        name=_chain_name(chain),
        comment=f"{_layers_in_words(chain)}: rows of input and output, the window's, stride, padding; bytes "
        "of an input and an output row",
        count=len(chain.stages),
        values=tuple(map(_initializer, chain.stages)),
    )


def turns_of(program: Program, chain: Chain) -> Turns:
    """A chain in the body of a function."""
    whole, layers = chain.stages[0], program.lowered.layers
    tensors = [f"{{{address(program, whole.source)}, 0, {whole.in_height}}}"]
    tensors += [f"{{{address(program, stage.output)}, 0, 0}}" for stage in chain.stages]
    rows = "a row" if chain.rows == 1 else f"{chain.rows} rows"
    return Turns(
        index=chain.first,
        comment=f"{_layers_in_words(chain)} by turns, {rows} of the last one's output at a time",
        name=_chain_name(chain),
        rows=chain.rows,
        tensors=tuple(tensors),
        parts=tuple(
            _part(program, layers[stage.layer], stage, position)
            for position, stage in enumerate(chain.stages)
        ),
    )


def _part(program: Program, layer: Layer, stage: Stage, position: int) -> Part:
    names = [parameters_name(layer, number) for number in range(len(layer.calls))]
    copies, changes = [], []
    for call, name in zip(layer.calls, names, strict=True):
        assert isinstance(call.parameters, Struct)
        copies.append((call.parameters.type_name, f"{name}_part", name))
        changes += [f"{name}_part.{change}" for change in _changes(call, stage)]
    return Part(
        index=stage.layer,
        comment=comment_of(layer),
        position=position,
        copies=tuple(copies),
        changes=tuple(changes),
        calls=tuple(
            _call(program, call, f"{name}_part", stage, position)
            for call, name in zip(layer.calls, names, strict=True)
        ),
    )


def _changes(call: Call, stage: Stage) -> list[str]:
    """What the parameters of a call say of the rows that it is made for."""
    if call.function in COUNTS:
        return [f"{COUNTS[call.function]} = part.out_height * {stage.out_row}"]
    return [f"{name} = part.{name}" for name in ("in_height", "out_height", "pad_top")]


def _call(program: Program, call: Call, parameters: str, stage: Stage, position: int) -> str:
    places = {stage.source: "part.input", stage.output: "part.output"}
    if stage.other is not None:
        # It is whole in memory: the row is that of the output's first.
        row = f"rows[{position + 1}].end - part.out_height"
        places[stage.other] = f"{address(program, stage.other)} + ({row}) * {stage.in_row}"
    arguments = [f"&{parameters}", *(places[item] for item in call.inputs if isinstance(item, int))]
    arguments.append("part.output")
    if call.scratch_bytes is not None:
        arguments.append(scratch_address(program, stage.layer))
    return f"{call.function}({', '.join(arguments)})"


def _initializer(stage: Stage) -> str:
    heights = (stage.in_height, stage.out_height, stage.window, stage.stride, stage.pad)
    return f"{{{', '.join(map(str, (*heights, stage.in_row, stage.out_row)))}}}"


def _chain_name(chain: Chain) -> str:
    return f"rows_{chain.first}"


def _layers_in_words(chain: Chain) -> str:
    return f"layers {chain.layers[0]} to {chain.layers[-1]}"
