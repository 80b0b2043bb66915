"""``edgesqueeze emit``: firmware sources from a .tflite."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import click
from pydantic import BaseModel, ConfigDict

from edgesqueeze.emit.arena import Arena
from edgesqueeze.emit.tflm import TflmSource, emit_tflm
from edgesqueeze.errors import UsageError
from edgesqueeze.graph import read_tflite
from edgesqueeze.output import write_files
from edgesqueeze.target import Target, load_target


class Emission(BaseModel):
    """What ``emit`` wrote.

    Attributes:
        schema_version: of this record as JSON.
        model: path of the .tflite.
        target: name of the profile.
        format: ``tflm``: C++ for TensorFlow Lite Micro.
        name: the model's name in C.
        files: paths of what was written.
        arena: the memory that the model needs for tensors.
        operators: the methods of TFLM's resolver that the firmware links.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    schema_version: Literal[1] = 1
    model: str
    target: str
    format: Literal["tflm"] = "tflm"
    name: str
    files: tuple[str, ...]
    arena: Arena
    operators: tuple[str, ...]


@click.command("emit")
@click.argument("model", metavar="MODEL.tflite", type=click.Path(path_type=Path))
@click.option(
    "--target", "target_name", metavar="NAME", required=True, help="The device, as in `targets list`."
)
@click.option(
    "--format",
    "output_format",
    type=click.Choice(["tflm", "c"]),
    required=True,
    help="tflm: C++ for TensorFlow Lite Micro. c: C without a runtime.",
)
@click.option(
    "--out", metavar="DIR", type=click.Path(path_type=Path), required=True, help="Where the files go."
)
@click.option("--name", metavar="C_NAME", help="The model's name in C; otherwise made from the file's name.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document instead of a summary.")
def emit(
    model: Path, target_name: str, output_format: str, out: Path, name: str | None, as_json: bool
) -> None:
    """Write MODEL.tflite as firmware sources, with the memory that it needs."""
    if output_format == "c":
        raise UsageError(
            "native C is not available in this version", expected="--format tflm", hint="use --format tflm"
        )
    target = load_target(target_name)
    _check_microcontroller(target)
    source = emit_tflm(read_tflite(model), core=target.cpu.core, name=name)
    write_files(out, source.files)
    click.echo(_document(source, target, model, out) if as_json else _summary(source, target, model, out))


def _check_microcontroller(target: Target) -> None:
    if not target.is_mcu:
        raise UsageError(
            f"{target.name} is not a microcontroller",
            expected="a target with a Cortex-M core",
            got=target.cpu.core,
            hint="copy the .tflite to the device and run it in LiteRT there",
        )


def _document(source: TflmSource, target: Target, model: Path, out: Path) -> str:
    return Emission(
        model=str(model),
        target=target.name,
        name=source.name,
        files=tuple(str(out / name) for name in source.files),
        arena=source.arena,
        operators=source.operators,
    ).model_dump_json(indent=2)


def _summary(source: TflmSource, target: Target, model: Path, out: Path) -> str:
    arena = source.arena
    return "\n".join(
        [
            f"{model.name} for TensorFlow Lite Micro on {target.name}; its name in C is {source.name}",
            *(f"  {out / name}" for name in source.files),
            f"arena: {arena.bytes} bytes ({arena.measured_bytes} measured, "
            f"{arena.scratch_bytes} for CMSIS-NN, {arena.margin_bytes} for safety)",
            f"operators: {', '.join(method.removeprefix('Add') for method in source.operators)}",
        ]
    )
