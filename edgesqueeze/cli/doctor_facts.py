"""What is installed, and what each missing thing would enable: the record behind ``edgesqueeze doctor``."""

from __future__ import annotations

import platform
import re
import shutil
import subprocess
import sys
from dataclasses import replace
from typing import Literal, NamedTuple

from edgesqueeze.base.records import Record
from edgesqueeze.base.sandbox.confined import in_force
from edgesqueeze.base.versions import installed_version, own_version
from edgesqueeze.devices.browser import litert_js
from edgesqueeze.devices.browser.litert_js import NPM
from edgesqueeze.devices.browser.network import OPENSSL
from edgesqueeze.runners import toolchain

Part = Literal["core", "runtime", "compress", "report", "search", "demo", "tool"]
State = Literal["ok", "missing", "too old", "too new"]

MIN_PYTHON, END_PYTHON = "3.10", "3.14"
ANSWER_SECONDS = 5
COMPRESS = "pip install 'edgesqueeze[compress]'"


class Package(NamedTuple):
    """A Python package that EdgeSqueeze uses.

    Attributes:
        name: name by which it is installed.
        part: what needs the package; without a ``core`` package nothing works.
        minimum: oldest version that is supported.
        below: first version that is not supported, or empty.
        enables: what the package is used for.
        install: command that installs the package.
    """

    name: str
    part: Part
    minimum: str
    below: str
    enables: str
    install: str


# The versions are those of pyproject.toml, which says more; a test compares the two.
PACKAGES: tuple[Package, ...] = (
    *(
        Package(name, "core", minimum, below, enables, f"pip install '{name}>={minimum},<{below}'")
        for name, minimum, below, enables in (
            ("numpy", "1.26", "3", "everything"),
            ("ai-edge-litert", "2.1", "3", "reading and running .tflite files"),
            ("click", "8.1", "9", "the command line"),
            ("rich", "13.7", "16", "compress: the progress bar"),
            ("pydantic", "2.7", "3", "profiles, recipes and reports"),
            ("jinja2", "3.1", "4", "writing firmware sources"),
            ("segno", "1.6", "2", "bench --browser: the code for a phone's camera"),
            ("tomli-w", "1", "2", "calibrate: writing profiles"),
        )
    ),
    Package(
        "tflite-micro",
        "runtime",
        "0.dev20250401",
        "",
        "arenas, bit-exact checks (x86-64 Linux)",
        "pip install tflite-micro",
    ),
    Package(
        "pyelftools",
        "runtime",
        "0.29",
        "1",
        "bench: sizes of firmware",
        "pip install 'pyelftools>=0.29,<1'",
    ),
    *(
        Package(name, "compress", minimum, below, enables, COMPRESS)
        for name, minimum, below, enables in (
            ("tensorflow", "2.19", "2.22", "compress: training and conversion"),
            ("tf-keras", "2.19", "2.22", "compress: the Keras that is pruned"),
            ("keras", "3.8", "4", "compress: Keras 3 models"),
            ("tensorflow-model-optimization", "0.8.1", "0.9", "compress: pruning and clustering"),
        )
    ),
    Package(
        "vl-convert-python",
        "report",
        "1.7",
        "2",
        "report, bench --plot: charts",
        "pip install 'edgesqueeze[report]'",
    ),
    Package("optuna", "search", "5", "6", "search: what draws recipes", "pip install 'edgesqueeze[search]'"),
    Package("ray", "search", "2.40", "3", "search --ray: a cluster", "pip install 'edgesqueeze[ray]'"),
    Package(
        "scikit-learn",
        "demo",
        "1.4",
        "2",
        "demo: the data that it trains on",
        "pip install 'edgesqueeze[demo]'",
    ),
)


TOOLS: tuple[tuple[toolchain.Program, str], ...] = (
    (toolchain.HOST_COMPILER, "verify --runtime c, bench: native C on this computer"),
    (
        replace(
            toolchain.ARM_COMPILER,
            # TensorFlow Lite Micro is C++.
            packages=(*toolchain.ARM_COMPILER.packages, "libstdc++-arm-none-eabi-newlib"),
        ),
        "bench, and compiling emitted sources for Cortex-M",
    ),
    (toolchain.QEMU, "bench, verify --runtime qemu: an emulated Cortex-M"),
    (toolchain.SSH, "bench, calibrate: measuring on a board"),
    (NPM, "bench --browser: fetching LiteRT.js, once"),
    (OPENSSL, "bench --browser --https: a certificate"),
)
"""Programs that are not Python packages, and what they are for."""


class Component(Record):
    """One thing that may be installed.

    Attributes:
        name: name of the package or program.
        part: ``core`` (nothing works without it), ``runtime``, ``compress``, ``report``, ``demo`` or
            ``tool``.
        state: ``ok``, ``missing``, ``too old`` or ``too new``.
        version: version that is installed; None if it is missing or does not tell.
        wanted: versions that are supported; empty if any is.
        enables: what the package or program is used for.
        install: command that installs the package or program.
    """

    name: str
    part: Part
    state: State
    version: str | None
    wanted: str
    enables: str
    install: str


class Diagnosis(Record):
    """What is installed, what is missing, and what that means.

    Attributes:
        schema_version: version of the form of this document; it rises when a field changes its meaning.
        edgesqueeze: version of EdgeSqueeze that is installed.
        python: version of the Python interpreter.
        platform: operating system and processor of this computer.
        components: every package and program that is used, in order of importance.
        confinement: what keeps the process that opens model files from doing harm on this system.
    """

    schema_version: Literal[1] = 1
    edgesqueeze: str
    python: str
    platform: str
    components: tuple[Component, ...]
    confinement: tuple[str, ...]

    @property
    def ok(self) -> bool:
        """Whether all that everything depends on is there."""
        return all(one.state == "ok" for one in self.components if one.part == "core")


def diagnose() -> Diagnosis:
    """Look at what is installed, without importing any of it."""
    return Diagnosis(
        edgesqueeze=own_version(),
        python=platform.python_version(),
        platform=f"{platform.system()} {platform.machine()}",
        components=(
            _python(),
            *(_package(one) for one in PACKAGES),
            _tflite_runtime(),
            *(_tool(program, enables) for program, enables in TOOLS),
            _litert_js(),
        ),
        confinement=in_force(),
    )


def state_of(installed: str | None, minimum: str, below: str) -> State:
    """How an installed version compares with what is supported."""
    if installed is None:
        return "missing"
    if _numbers(installed) < _numbers(minimum):
        return "too old"
    return "too new" if below and _numbers(installed) >= _numbers(below) else "ok"


def _python() -> Component:
    installed = ".".join(map(str, sys.version_info[:3]))
    return Component(
        name="Python",
        part="core",
        state=state_of(installed, MIN_PYTHON, END_PYTHON),
        version=installed,
        wanted=f">={MIN_PYTHON},<{END_PYTHON}",
        enables="everything",
        install="install Python 3.11 and make a new environment with it",
    )


def _package(package: Package) -> Component:
    installed = installed_version(package.name)
    return Component(
        name=package.name,
        part=package.part,
        state=state_of(installed, package.minimum, package.below),
        version=installed,
        wanted=f">={package.minimum}" + (f",<{package.below}" if package.below else ""),
        enables=package.enables,
        install=package.install,
    )


def _tflite_runtime() -> Component:
    found = _tflite_runtime_version()
    return Component(
        name="tflite-runtime",
        part="runtime",
        state="ok" if found else "missing",
        version=found,
        wanted="",
        enables="verify --runtime tflite-runtime",
        install="python -m edgesqueeze.runners.tflite_runtime --install",
    )


def _tflite_runtime_version() -> str | None:
    try:
        import edgesqueeze.runners.tflite_runtime as runner
    except ImportError:
        # A core package is missing, which its own row says.
        return None
    return None if runner.available() else runner.VERSION


def _litert_js() -> Component:
    there = litert_js.is_kept()
    return Component(
        name="LiteRT.js",
        part="tool",
        state="ok" if there else "missing",
        version=litert_js.VERSION if there else None,
        wanted="",
        enables="bench --browser",
        install="edgesqueeze bench --browser fetches it with npm; or --litert-js DIR",
    )


def _tool(program: toolchain.Program, enables: str) -> Component:
    path = next(filter(None, map(shutil.which, program.names)), None)
    return Component(
        name=program.names[0],
        part="tool",
        state="ok" if path else "missing",
        version=_tool_version(path) if path else None,
        wanted="",
        enables=enables,
        install=toolchain.install_command(program),
    )


def _tool_version(path: str) -> str | None:
    try:
        done = toolchain.run_program([path, "--version"], ANSWER_SECONDS)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return toolchain.version_number(done.stdout.partition("\n")[0]) or None


def _numbers(text: str) -> tuple[int, ...]:
    """The numbers of a version: enough to tell old from new, without telling release candidates apart."""
    return tuple(int(number) for number in re.findall(r"\d+", text)[:3])
