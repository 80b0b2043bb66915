"""``edgesqueeze targets``: list, show and check device profiles."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Literal

import click

from edgesqueeze.base.findings import Finding
from edgesqueeze.base.records import Record
from edgesqueeze.cli.options import json_option
from edgesqueeze.cli.paths import NamedPath
from edgesqueeze.cli.screen import Screen, escape, open_screen, say, say_json
from edgesqueeze.cli.tables import Table
from edgesqueeze.target import load as targets_module
from edgesqueeze.target.latency import ArithmeticLatency, InstructionLatency, Interval, OperatorLatency
from edgesqueeze.target.records import Cpu, Target


class TargetList(Record):
    """All profiles that were found.

    Attributes:
        schema_version: version of the form of this document; it rises when a field changes its meaning.
        targets: the profiles, in the order of the table: microcontrollers, then Linux, then Android, each by
            name.
    """

    schema_version: Literal[1] = 1
    targets: tuple[Target, ...]


class TargetDocument(Record):
    """One profile, with its sources.

    Attributes:
        schema_version: version of the form of this document; it rises when a field changes its meaning.
        target: the profile that was asked for.
    """

    schema_version: Literal[1] = 1
    target: Target


@click.group()
def targets() -> None:
    """List, show and check device profiles."""


@targets.command("list")
@json_option
def list_command(as_json: bool) -> None:
    """List all targets.

    They are the shipped ones, those that `calibrate` has written, and those in the folders that the
    environment variable EDGESQUEEZE_TARGETS names.
    """
    scan = targets_module.scan_targets()
    _warn(scan.problems)
    if as_json:
        say_json(TargetList(targets=scan.targets).model_dump_json(indent=2))
        return
    figures = ("MHz", "flash", "RAM")
    rows = Table("name", "device", "Cortex", *figures, "runtime", right=figures, fold=("device",))
    for target in scan.targets:
        rows.add_row(*(escape(text) for text in _list_row(target)))
    open_screen().print(rows)


@targets.command("show")
@click.argument("name")
@json_option
def show_command(name: str, as_json: bool) -> None:
    """Show the figures of a target, and where they come from.

    NAME is a name from `targets list`, or the path of a profile.
    """
    target = targets_module.load_target(name)
    if as_json:
        say_json(TargetDocument(target=target).model_dump_json(indent=2))
        return
    screen = open_screen()
    aliases = f" (also {', '.join(target.aliases)})" if target.aliases else ""
    screen.print(f"[bold]{escape(target.name)}[/bold]: {escape(target.title)}{escape(aliases)}")
    screen.print(_figure_table(target))
    screen.print(f"memory: {escape(target.memory.note)}\n", wrap=True)
    _print_latency(screen, target)
    for label, text in _origins(target):
        screen.print(f"[[{label}] {escape(text)}")


@targets.command("check")
@click.argument("file", type=NamedPath())
def check_command(file: Path) -> None:
    """Check a profile of your own.

    FILE is its .toml file. What is wrong is an error, what is only doubtful a warning.
    """
    target, findings = targets_module.check_file(file)
    _warn(findings)
    say(f"{file}: {target.title} ({target.device_class}) is a valid target named {target.name}")


def _print_latency(screen: Screen, target: Target) -> None:
    """What predictions for the target are for, how wide their bounds are, and what they rest on."""
    latency = target.latency
    if latency is None:
        screen.print("latency: cannot be predicted; see `edgesqueeze calibrate`\n")
        return
    labels = " ".join(f"[[{label}]" for label in _latency_labels(target, type(latency).model_fields))
    screen.print(f"latency: {escape(latency.runtime)}, {escape(latency.version)} {labels}")
    for name, interval in _intervals(latency):
        screen.print(f"  90 % bounds{name}: {interval.low:g} to {interval.high:g} times the estimate")
    if isinstance(latency, InstructionLatency):
        cycles = latency.cycles_per_instruction.by_rate().items()
        each = ", ".join(f"{name} {value:g}" for name, value in cycles)
        screen.print(f"  cycles per instruction: {each}")
    else:
        screen.print(f"  times faster with 1, 2, ... threads: {_text('', latency.speedup)}")
        if latency.byte_speedup:
            screen.print(f"  the same where memory is the limit: {_text('', latency.byte_speedup)}")
        for name in ("float32", "int8"):
            section: ArithmeticLatency | None = getattr(latency, name)
            if section is not None:
                screen.print(f"  {name}: {_rates(section)}")
    screen.print(f"  basis: {escape(latency.basis)}\n")


def _intervals(latency: InstructionLatency | OperatorLatency) -> Iterator[tuple[str, Interval]]:
    yield "", latency.interval
    if isinstance(latency, InstructionLatency):
        yield " of int8 models of fully connected layers", latency.dense_interval
        yield " of float32 models", latency.float32_interval
        return
    for name in ("float32", "int8"):
        section: ArithmeticLatency | None = getattr(latency, name)
        if section is not None and section.interval is not None:
            yield f" of {name} models", section.interval
    if latency.call_interval is not None:
        yield " of what calls take", latency.call_interval


def _rates(section: ArithmeticLatency) -> str:
    """Multiply-accumulates in a nanosecond, where they dominate."""
    rates = (
        f"{name} {1000 / cost.mac_ps:.3g}"
        for name, cost in section.operators.items()
        if name in ("conv", "conv_1x1", "depthwise", "gemv") and cost.mac_ps
    )
    return f"{', '.join(rates)} billion multiply-accumulates a second"


def _latency_labels(target: Target, names: Iterable[str]) -> list[str]:
    """Of the sources, then of the assumptions, without repetition."""
    fields = ["latency", *(f"latency.{name}" for name in names)]
    labels = dict.fromkeys(label for field in fields for label in _labels(target, field))
    return sorted(labels, key=lambda label: (label.startswith("A"), int(label.lstrip("A"))))


def _list_row(target: Target) -> tuple[str, ...]:
    cpu, memory = target.cpu, target.memory
    flash = _size(memory.flash_bytes) if memory.flash_bytes else "-"
    ram = _size(memory.ram_bytes)
    clock = f"{cpu.clock_mhz:g}"
    return target.name, target.title, _core(cpu), clock, flash, ram, target.runtime.name


def _core(cpu: Cpu) -> str:
    name = cpu.core.removeprefix("cortex-").upper().replace("PLUS", "+")
    large = sum(one.count for one in cpu.clusters if (one.core, one.clock_mhz) == (cpu.core, cpu.clock_mhz))
    if large and large < cpu.cores:
        return f"{name} x{large} +{cpu.cores - large}"
    return f"{name} x{cpu.cores}" if cpu.cores > 1 else name


def _figure_table(target: Target) -> Table:
    rows = Table("figure", "value", "source", fold=("value", "source"))
    for path, value in _figures(target):
        labels = " ".join(f"[[{label}]" for label in _labels(target, path))
        rows.add_row(escape(path), escape(value), labels)
    return rows


def _figures(target: Target) -> Iterator[tuple[str, str]]:
    for section in ("cpu", "memory", "runtime", "preferences"):
        record = getattr(target, section)
        for field in type(record).model_fields:
            value = getattr(record, field)
            path = f"{section}.{field}"
            if field not in record.model_fields_set or path == "memory.note":
                continue
            yield path, _text(field, value)


def _text(field: str, value: object) -> str:
    if field == "clusters" and isinstance(value, tuple):
        return ", ".join(f"{one.count} x {one.core} at {one.clock_mhz:g} MHz" for one in value)
    if isinstance(value, tuple):
        return ", ".join(str(one) for one in value)
    if isinstance(value, bool):
        return "yes" if value else "no"
    if field.endswith("_bytes") and isinstance(value, int):
        return f"{value:,} ({_size(value)})"
    return f"{value:g}" if isinstance(value, float) else str(value)


def _labels(target: Target, path: str) -> list[str]:
    section = path.split(".")[0]
    wanted = {path, section}
    labels = [f"{number}" for number, one in enumerate(target.sources, 1) if wanted & set(one.fields)]
    return labels + [
        f"A{number}" for number, one in enumerate(target.assumptions, 1) if wanted & set(one.fields)
    ]


def _origins(target: Target) -> Iterator[tuple[str, str]]:
    for number, source in enumerate(target.sources, 1):
        url = f" <{source.url}>" if source.url else ""
        yield f"{number}", f"{source.document}: {source.where}{url}"
    for number, assumption in enumerate(target.assumptions, 1):
        yield f"A{number}", f"assumed: {assumption.reason}"


def _size(count: int) -> str:
    for unit, factor in (("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10)):
        if count >= factor:
            return f"{count / factor:.4g} {unit}"
    return f"{count} B"


def _warn(findings: tuple[Finding, ...]) -> None:
    for finding in findings:
        say(f"{finding.severity}: {finding.subject}: {finding.message}", stderr=True)
