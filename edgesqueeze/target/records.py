"""The records of a device profile: what a ``targets/*.toml`` may say. ``load.py`` reads them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from types import MappingProxyType
from typing import Annotated, Literal, NamedTuple

from pydantic import BaseModel, Field, StrictBool, field_validator, model_validator

from edgesqueeze.base.records import Record
from edgesqueeze.base.suggest import nearest
from edgesqueeze.errors import UsageError
from edgesqueeze.target.latency import InstructionLatency, Latency, OperatorLatency
from edgesqueeze.target.runtimes import OPERATOR_SETS, RUNTIMES

NAME_PATTERN = r"^[a-z0-9]+(-[a-z0-9]+)*$"
MAX_NAME = 64
NAME_RULE = f"lower case letters, digits and single hyphens, at most {MAX_NAME}"
FIGURE_SECTIONS = ("cpu", "memory", "runtime", "preferences", "latency")
"""Sections whose every field needs a source or a stated assumption."""

NameText = Annotated[str, Field(pattern=NAME_PATTERN, max_length=MAX_NAME)]
Text = Annotated[str, Field(min_length=1, max_length=1000)]
Bytes = Annotated[int, Field(strict=True, gt=0, le=2**50)]
Count = Annotated[int, Field(strict=True, gt=0, le=1024)]
Megahertz = Annotated[float, Field(strict=True, gt=0, le=100_000, allow_inf_nan=False)]
DeviceClass = Literal["mcu", "linux", "android"]


class Core(NamedTuple):
    """What follows from a core's name alone.

    Attributes:
        architecture: the instruction set that it implements.
        microcontroller: whether it is a Cortex-M.
        dsp: whether it can have the DSP extension.
        vectors: whether it can have MVE.
    """

    architecture: str
    microcontroller: bool
    dsp: bool = False
    vectors: bool = False


CORES: Mapping[str, Core] = MappingProxyType(
    {
        "cortex-m0": Core("armv6-m", True),
        "cortex-m0plus": Core("armv6-m", True),
        "cortex-m3": Core("armv7-m", True),
        "cortex-m4": Core("armv7e-m", True, dsp=True),
        "cortex-m7": Core("armv7e-m", True, dsp=True),
        "cortex-m33": Core("armv8-m.main", True, dsp=True),
        "cortex-m55": Core("armv8.1-m.main", True, dsp=True, vectors=True),
        "cortex-m85": Core("armv8.1-m.main", True, dsp=True, vectors=True),
        "cortex-a7": Core("armv7-a", False),
        "cortex-a53": Core("armv8-a", False),
        "cortex-a72": Core("armv8-a", False),
        "cortex-a73": Core("armv8-a", False),
        "cortex-a55": Core("armv8.2-a", False),
        "cortex-a75": Core("armv8.2-a", False),
        "cortex-a76": Core("armv8.2-a", False),
        "cortex-a77": Core("armv8.2-a", False),
        "cortex-a78": Core("armv8.2-a", False),
        "cortex-x1": Core("armv8.2-a", False),
        "cortex-a510": Core("armv9-a", False),
        "cortex-a520": Core("armv9.2-a", False),
        "cortex-a710": Core("armv9-a", False),
        "cortex-a715": Core("armv9-a", False),
        "cortex-a720": Core("armv9.2-a", False),
        "cortex-x2": Core("armv9-a", False),
        "cortex-x3": Core("armv9-a", False),
        "cortex-x4": Core("armv9.2-a", False),
        "kryo": Core("armv8-a", False),
        # What a calibrated device can have besides.
        "arm1176": Core("armv6", False),
        **{f"cortex-a{number}": Core("armv7-a", False) for number in (5, 8, 9, 15, 17)},
        **{f"cortex-a{number}": Core("armv8-a", False) for number in (32, 35, 57)},
        "neoverse-n1": Core("armv8.2-a", False),
        "aarch64": Core("aarch64", False),
        "arm": Core("arm", False),
        "x86-64": Core("x86-64", False),
        "riscv64": Core("riscv64", False),
    }
)
"""Cores that a profile may name."""


def is_target_name(name: str) -> bool:
    """Whether a target can be called so: ``NAME_RULE``."""
    return len(name) <= MAX_NAME and re.fullmatch(NAME_PATTERN, name) is not None


def check_core(name: str | None) -> None:
    """Refuse the name of a core that is none; None stands for any.

    Raises:
        UsageError: there is no such core.
    """
    if name is not None and name not in CORES:
        raise UsageError(
            f"there is no core {str(name)!r}{nearest(str(name), CORES)}",
            expected="one of " + ", ".join(CORES),
            got=repr(name),
            hint="take the name from a target, or leave it out",
        )


def _known_core(name: str) -> str:
    if name not in CORES:
        raise ValueError(f"unknown core {name!r}{nearest(name, CORES)}")
    return name


class Cluster(Record):
    """Equal cores of a processor with several kinds of them.

    Attributes:
        core: name of the core.
        count: number of these cores.
        clock_mhz: highest clock of these cores, in megahertz.
    """

    core: str
    count: Count
    clock_mhz: Megahertz

    _core = field_validator("core")(_known_core)


class Cpu(Record):
    """The processor that runs the model.

    Attributes:
        core: name of the core; with clusters, the one that a single inference thread runs on.
        architecture: instruction set of the core.
        cores: number of cores of the device, clusters included.
        clock_mhz: clock of ``core`` that a default setup reaches, in megahertz.
        fpu: the widest floating point format in hardware.
        dsp: whether the core has the DSP extension (always false outside Cortex-M).
        mve: which vectors of the M-profile Vector Extension the core has.
        icache_bytes: size of the instruction cache, in bytes (on Cortex-M of the core or, where it has none,
            the chip's own).
        dcache_bytes: size of the data cache, in bytes.
        flash_wait_states: wait states of the flash at ``clock_mhz``, before any cache or accelerator.
        clusters: all kinds of cores, where there is more than one.
    """

    core: str
    architecture: str
    cores: Count = 1
    clock_mhz: Megahertz
    fpu: Literal["none", "single", "double"]
    dsp: StrictBool
    mve: Literal["none", "integer", "float"] = "none"
    icache_bytes: Bytes | None = None
    dcache_bytes: Bytes | None = None
    flash_wait_states: Annotated[int, Field(strict=True, ge=0, le=64)] | None = None
    clusters: Annotated[tuple[Cluster, ...], Field(max_length=8)] = ()

    _core = field_validator("core")(_known_core)

    @model_validator(mode="after")
    def _agrees_with_core(self) -> Cpu:
        known = CORES[self.core]
        if self.architecture != known.architecture:
            raise ValueError(f"architecture of {self.core} is {known.architecture}, not {self.architecture}")
        if self.dsp and not known.dsp:
            raise ValueError(f"{self.core} has no DSP extension, so dsp must be false")
        if self.mve != "none" and not known.vectors:
            raise ValueError(f'{self.core} has no MVE, so mve must be "none"')
        if self.clusters:
            self._check_clusters()
        return self

    def _check_clusters(self) -> None:
        count = sum(cluster.count for cluster in self.clusters)
        if count != self.cores:
            raise ValueError(f"cores is {self.cores}, but the clusters have {count}")
        if (self.core, self.clock_mhz) not in {(one.core, one.clock_mhz) for one in self.clusters}:
            raise ValueError(f"no cluster has {self.core} cores at {self.clock_mhz:g} MHz")


class Memory(Record):
    """What a model can be stored in and run in.

    Attributes:
        flash_bytes: size of the non-volatile memory that code runs from, in bytes; absent where files are
            loaded instead.
        ram_bytes: size of the RAM that data can be in, all blocks together, in bytes.
        contiguous_ram_bytes: size of the largest block that one array can have, in bytes.
        usable_flash_bytes: bytes of the flash that are left for the runtime and the model.
        usable_ram_bytes: bytes of one block that are left for the arena (Linux, Android: for the process).
        note: how the usable figures come about, and what the other blocks are.
    """

    flash_bytes: Bytes | None = None
    ram_bytes: Bytes
    contiguous_ram_bytes: Bytes
    usable_flash_bytes: Bytes | None = None
    usable_ram_bytes: Bytes
    note: Text

    @model_validator(mode="after")
    def _usable_is_part(self) -> Memory:
        if (self.flash_bytes is None) != (self.usable_flash_bytes is None):
            raise ValueError("flash_bytes and usable_flash_bytes go together: give both or neither")
        if self.flash_bytes and self.usable_flash_bytes and self.usable_flash_bytes > self.flash_bytes:
            raise ValueError("usable_flash_bytes is larger than flash_bytes")
        if self.usable_ram_bytes > self.contiguous_ram_bytes:
            raise ValueError("usable_ram_bytes is larger than contiguous_ram_bytes")
        if self.contiguous_ram_bytes > self.ram_bytes:
            raise ValueError("contiguous_ram_bytes is larger than ram_bytes")
        return self


class Runtime(Record):
    """What executes the model.

    Attributes:
        name: the runtime that fit, emit and bench take unless told otherwise.
        also: other runtimes that work on this target.
        operators: name of the operator set that ``name`` has; not looked at for ``c``, whose generator
            tells.
    """

    name: str
    also: tuple[str, ...] = ()
    operators: str

    @field_validator("name", "also")
    @classmethod
    def _known_runtime(cls, value: str | tuple[str, ...]) -> str | tuple[str, ...]:
        for name in (value,) if isinstance(value, str) else value:
            if name not in RUNTIMES:
                raise ValueError(f"unknown runtime {name!r}{nearest(name, RUNTIMES)}")
        return value

    @field_validator("operators")
    @classmethod
    def _known_operators(cls, value: str) -> str:
        known = (*OPERATOR_SETS, "c")
        if value not in known:
            raise ValueError(f"unknown operator set {value!r}{nearest(value, known)}")
        return value


class Preferences(Record):
    """What ``compress`` does for this target unless told otherwise.

    Attributes:
        quantization: mode of quantization, as ``--quantize`` takes it.
        io: element type of inputs and outputs, as ``--io`` takes it.
        threads: number of threads of one inference.
    """

    quantization: Literal["int8", "int16x8", "float16", "dynamic", "none"]
    io: Literal["int8", "uint8", "float32"]
    threads: Count = 1


class Source(Record):
    """Where figures come from.

    Attributes:
        fields: dotted paths (``cpu.clock_mhz``), or a section (``preferences``) for all in it.
        document: title and number of the document.
        where: section, table or file in it.
        url: address of it.
    """

    fields: Annotated[tuple[str, ...], Field(min_length=1)]
    document: Text
    where: Text
    url: Annotated[str, Field(pattern=r"^https://\S+$", max_length=500)] | None = None


class Assumption(Record):
    """Figures that no document gives, and why they were chosen.

    Attributes:
        fields: dotted paths of the figures (``cpu.clock_mhz``), or a section (``preferences``) for all in it.
        reason: why they were chosen, in a sentence.
    """

    fields: Annotated[tuple[str, ...], Field(min_length=1)]
    reason: Text


class Sections(Record):
    """What a profile says about a device, section by section.

    Attributes:
        cpu: the processor that runs the model.
        memory: what a model can be stored in and run in.
        runtime: what executes the model.
        preferences: what ``compress`` does for this target unless told otherwise.
        latency: parameters of the latency model; absent where nothing is known.
        sources: documents behind the figures.
        assumptions: figures that no document gives, and why they were chosen.
    """

    cpu: Cpu
    memory: Memory
    runtime: Runtime
    preferences: Preferences
    latency: Latency | None = None
    sources: tuple[Source, ...] = ()
    assumptions: tuple[Assumption, ...] = ()


class _Identity(Record):
    # A base of its own, so that these fields come before the sections.
    name: NameText
    title: Text
    device_class: DeviceClass
    aliases: tuple[NameText, ...] = ()


class Target(Sections, _Identity):
    """A device class that a model must fit and run on.

    Attributes:
        name: the profile's file name without ``.toml``.
        title: what people call the device.
        device_class: ``mcu``, ``linux`` or ``android`` (``class`` in the file).
        aliases: other names that find it.
    """

    @model_validator(mode="after")
    def _agrees(self) -> Target:
        if problem := contradiction(self):
            raise ValueError(problem)
        return self

    @property
    def is_mcu(self) -> bool:
        """Whether it is a microcontroller: no operating system that loads files."""
        return self.device_class == "mcu"


def contradiction(target: Target) -> str:
    """What two sections of a profile say against each other; empty if nothing."""
    if CORES[target.cpu.core].microcontroller != target.is_mcu:
        return f"class {target.device_class!r} does not go with the core {target.cpu.core}"
    if target.is_mcu and target.memory.flash_bytes is None:
        return "a microcontroller needs memory.flash_bytes and memory.usable_flash_bytes"
    if target.latency and (target.latency.runtime == "tflm") != target.is_mcu:
        return f"latency.runtime {target.latency.runtime!r} does not go with {target.device_class!r}"
    paths = figure_paths()
    entries: tuple[Source | Assumption, ...] = (*target.sources, *target.assumptions)
    for path in (path for entry in entries for path in entry.fields):
        if path not in paths:
            return f"sources: there is no field {path!r}{nearest(path, paths)}"
    return ""


SECTION_RECORDS: Mapping[str, type[Record]] = MappingProxyType(
    {"cpu": Cpu, "memory": Memory, "runtime": Runtime, "preferences": Preferences}
)


LATENCY_RECORDS: tuple[type[BaseModel], ...] = (InstructionLatency, OperatorLatency)
"""What the section ``latency`` can be; its ``runtime`` says which."""


def figure_paths() -> tuple[str, ...]:
    """All dotted paths that a source may name, sections included."""
    fields = [f"{name}.{field}" for name, kind in SECTION_RECORDS.items() for field in kind.model_fields]
    fields += [f"latency.{field}" for kind in LATENCY_RECORDS for field in kind.model_fields]
    return tuple(dict.fromkeys((*SECTION_RECORDS, "latency", *fields)))
