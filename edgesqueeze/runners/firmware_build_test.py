import dataclasses
from pathlib import Path

import pytest

from edgesqueeze.errors import RequirementError
from edgesqueeze.latency.builds import BUILDS
from edgesqueeze.runners import build, firmware_build, toolchain
from edgesqueeze.runners.firmware_build import build_firmware, describe_flags
from edgesqueeze.runners.machines import AN386, AN547
from edgesqueeze.target.load import list_targets
from edgesqueeze.target.processor import Processor, processor_of
from runtime_tests.support.native_stub import stub_source
from runtime_tests.support.tools import require_tool

M4 = Processor("cortex-m4", "single", dsp=True, mve="none")
M55 = Processor("cortex-m55", "double", dsp=True, mve="float")


@pytest.fixture
def built(monkeypatch):
    """What would be compiled: sources, flags and options of the linker."""
    calls = []
    monkeypatch.setattr(toolchain, "find", lambda program: toolchain.Tool(program.names[0], "1.0"))
    monkeypatch.setattr(toolchain, "require_arm_library", lambda compiler: None)

    def build_(sources, compiler, flags, link_flags):
        calls.append((sources, flags, link_flags))
        return Path("firmware.elf")

    monkeypatch.setattr(build, "build", build_)
    return calls


def test_what_is_compiled_and_how(built):
    firmware = build_firmware(stub_source(), M4, "Os")
    ((sources, flags, link_flags),) = built
    assert (firmware.elf, firmware.compiler.path, firmware.machine) == (
        Path("firmware.elf"),
        "arm-none-eabi-gcc",
        AN386,
    )
    assert {"-mcpu=cortex-m4", "-Os", "-std=c99"} <= set(flags)
    # The marks are for counting alone: reports do not name them.
    assert flags[-2:] == ("-include", "es_bench/es_bench_marks.h")
    assert firmware.flags == flags[:-2]
    assert "-Tes_bench/link.ld" in link_flags
    assert "-nostartfiles" in link_flags
    assert {"es_bench/start.c", "es_bench/port_semihosting.c", "es_bench/harness.c"} <= set(sources.compiled)


@pytest.mark.parametrize(("processor", "machine"), [(M4, AN386), (M55, AN547)])
def test_the_linker_script_has_the_boards_memories(built, processor, machine):
    build_firmware(stub_source(), processor)
    script = built[0][0].files["es_bench/link.ld"]
    for region in (machine.code, machine.data, machine.large):
        assert f"{region.origin:#x}" in script.lower() or f"{region.origin:#010x}" in script.lower()
    assert "stub_weights.c.o" in script
    # The harness's own objects are kept out of the model's sections.
    assert "es_bench/harness.c.o" in script


@pytest.mark.parametrize(("spare", "fits"), [(0, True), (-1, False)])
def test_weights_arena_and_converted_values_must_fit_the_board(built, spare, fits):
    source = stub_source()
    converted = sum(4 * io.elements for io in (*source.inputs, *source.outputs) if io.converts)
    assert converted > 0
    weights = AN386.large.bytes - source.arena_bytes - converted - spare
    source = dataclasses.replace(source, weights_bytes=weights)
    if fits:
        build_firmware(source, M4)
    else:
        with pytest.raises(RequirementError, match="too large for the emulated board mps2-an386"):
            build_firmware(source, M4)
        assert built == []


def test_flags_for_a_reader():
    assert describe_flags(("-mcpu=cortex-m4", "-O3", "-Wall", "-Wextra")) == "-mcpu=cortex-m4 -O3"


def test_the_levels_are_those_that_builds_have():
    assert {rule.level for rule in BUILDS.values()} == set(firmware_build.LEVELS)


def test_the_builds_are_those_that_bench_offers():
    from edgesqueeze.cli.bench import bench

    (option,) = [one for one in bench.params if one.name == "build"]
    assert list(option.type.choices) == list(BUILDS)


def test_every_shipped_microcontroller_is_compiled_for():
    """Boards with the same core and extensions are compiled for once."""
    require_tool("arm-none-eabi-gcc", "gcc-arm-none-eabi")
    processors = {processor_of(target.cpu): target.name for target in list_targets() if target.is_mcu}
    assert len(processors) >= 7
    for processor, name in processors.items():
        assert build_firmware(stub_source(), processor).elf.stat().st_size > 0, name
