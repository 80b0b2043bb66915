import dataclasses
from pathlib import Path

import numpy as np
import pytest

from edgesqueeze.errors import MissingToolError, RequirementError
from edgesqueeze.latency.cycles import layer_counts
from edgesqueeze.latency.instructions import parse_disassembly
from edgesqueeze.runners import build_cache, firmware_build, toolchain
from edgesqueeze.runners.counts import FlashCaches
from edgesqueeze.runners.elf import constant_ranges, read_marks, read_sizes
from edgesqueeze.runners.firmware_build import build_firmware
from edgesqueeze.runners.host_c import host_program
from edgesqueeze.runners.qemu import run_firmware
from edgesqueeze.target.processor import Processor
from runtime_tests.support.native_stub import stub_source
from runtime_tests.support.tools import require_tool

SAMPLES = [[np.array([[i, i + 1, 2, -3]], np.int8)] for i in range(3)]
M4 = Processor("cortex-m4", "single", dsp=True, mve="none")
PROCESSORS = [
    Processor("cortex-m0plus", "none", dsp=False, mve="none"),
    Processor("cortex-m3", "none", dsp=False, mve="none"),
    M4,
    Processor("cortex-m7", "double", dsp=True, mve="none"),
    Processor("cortex-m33", "single", dsp=True, mve="none"),
    Processor("cortex-m55", "double", dsp=True, mve="float"),
    Processor("cortex-m55", "none", dsp=True, mve="integer"),
    Processor("cortex-m85", "double", dsp=True, mve="float"),
]

# Twenty instructions a call in a loop of four, whatever the compiler: it may not look into the assembly.
COUNTED = """\
#include "es_double.h"
void es_double(const int8_t *weights, const int8_t *input, int8_t *output) {
  uint32_t n = 4;
  __asm__ volatile(
      "1: nop\\n nop\\n nop\\n"
      "   subs %0, %0, #1\\n"
      "   bne 1b\\n" : "+l"(n) : : "cc");
  output[0] = (int8_t)(input[0] + weights[0]);
}
"""
HANGS = """\
#include "es_double.h"
void es_double(const int8_t *weights, const int8_t *input, int8_t *output) {
  for (volatile int i = 0; i < 4;) { output[i] = (int8_t)(weights[i] * input[i]); }
}
"""
FAULTS = """\
#include "es_double.h"
void es_double(const int8_t *weights, const int8_t *input, int8_t *output) {
  *(volatile int8_t *)0xf0000000u = (int8_t)(weights[0] + input[0] + output[0]);
}
"""
DEEP = """\
#include "es_double.h"
void es_double(const int8_t *weights, const int8_t *input, int8_t *output) {
  volatile int8_t deep[1000];
  for (int i = 0; i < 1000; ++i) { deep[i] = input[i & 3]; }
  for (int i = 0; i < 4; ++i) { output[i] = (int8_t)(deep[i] * weights[i]); }
}
"""


@pytest.fixture(scope="module", autouse=True)
def cache(tmp_path_factory):
    for name, package in (
        ("arm-none-eabi-gcc", "gcc-arm-none-eabi"),
        ("qemu-system-arm", "qemu-system-arm"),
        ("gcc", "gcc"),
    ):
        require_tool(name, package)
    folder = tmp_path_factory.mktemp("builds")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(build_cache, "cache_folder", lambda: folder)
        yield folder


def count(firmware, caches=None):
    run = run_firmware(firmware, SAMPLES, count=caches or FlashCaches(), seconds=300)
    disassembler = toolchain.find(toolchain.ARM_DISASSEMBLER)
    instructions = parse_disassembly(toolchain.disassembly(firmware.elf, disassembler))
    return run, layer_counts(run.counts, instructions, 2)


@pytest.mark.parametrize("processor", PROCESSORS, ids=lambda one: f"{one.core}-{one.mve}")
def test_every_core_runs(processor):
    run, counts = count(build_firmware(stub_source(), processor))
    assert [row[0].tolist() for row in run.outputs] == [[[i / 2, -i - 1, 3, 6]] for i in range(3)]
    assert all(layer.instructions > 4 for layer in counts[:2])
    assert 0 <= counts[2].instructions < 8
    assert run.stack_bytes < 200


@pytest.mark.parametrize("level", ["O3", "O2", "Os"])
def test_counts_are_exact_and_repeat(level):
    firmware = build_firmware(stub_source(COUNTED), M4, level)
    (_, first), (_, second) = count(firmware), count(firmware)
    assert first == second
    kinds = first[0].kinds
    # Of the loop: three NOPs and a SUBS, and a branch that is taken three times of four.
    text = sum(one for kind, one in kinds.items() if kind not in ("alu", "branch"))
    assert kinds["alu"] >= 4 * 4
    assert kinds["branch"] >= 4
    assert first[0].instructions == 20 + text + (kinds["alu"] - 16) + (kinds["branch"] - 4)
    assert first[0].instructions < 40
    assert first[0].taken >= 3


def test_marks_are_no_instructions():
    """A mark only keeps the compiler from moving instructions across it, which can spare one or cost one."""
    firmware = build_firmware(stub_source(COUNTED), M4)
    plain = stub_source(COUNTED)
    files = {**plain.files, "stub.c": plain.files["stub.c"].replace("ES_LAYER_HOOK(0);", "")}
    unmarked = build_firmware(dataclasses.replace(plain, files=files), M4)
    assert [number for _, number in read_marks(firmware.elf)] == [0x10000, 0x10001, 0, 1]
    totals = [sum(one.instructions for one in count(each)[1]) for each in (firmware, unmarked)]
    assert abs(totals[0] - totals[1]) <= 1


def test_sizes_leave_the_harness_out():
    firmware = build_firmware(stub_source(), M4, "Os")
    sizes = read_sizes(firmware.elf)
    assert (sizes.weights, sizes.variables, sizes.constants) == (4, 0, 0)
    assert 60 < sizes.code < 200
    assert constant_ranges(firmware.elf)[0] == (0x2100_0000, 0x2100_0004)
    # Without a floating point unit, the functions that stand in for it are the model's code too.
    soft = Processor("cortex-m3", "none", dsp=False, mve="none")
    assert read_sizes(build_firmware(stub_source(), soft, "Os").elf).code > 400


@pytest.mark.parametrize(
    "name",
    [
        "harness",
        "start",
        "port",
        "marks",
        "port_semihosting",
        "port_host",
        "es_double",
        "math",
        "link",
        "kernels",
    ],
)
def test_a_model_may_have_any_name(name):
    source = renamed(name)
    firmware = build_firmware(source, M4)
    outputs = run_firmware(firmware, SAMPLES).outputs
    assert [row[0].tolist() for row in outputs] == [[[i / 2, -i - 1, 3, 6]] for i in range(3)]
    assert read_sizes(firmware.elf) == read_sizes(build_firmware(stub_source(), M4).elf)
    host = host_program(source).run(SAMPLES)
    assert [row[0].tolist() for row in host] == [row[0].tolist() for row in outputs]


def renamed(name):
    """The hand-written model under another name, with a kernel that needs a header of the C library."""
    plain = stub_source(f"#include <math.h>\n{stub_source().files['kernels/es_double.c']}")

    def changed(text):
        # As in generated code, no kernel's header is called after the kernel.
        return text.replace("es_double.h", "kernel.h").replace("stub", name).replace("STUB", name.upper())

    return dataclasses.replace(
        plain,
        name=name,
        files={changed(path): changed(text) for path, text in plain.files.items()},
        sources=tuple(map(changed, plain.sources)),
    )


@pytest.mark.parametrize("processor", [M4, PROCESSORS[5]], ids=lambda one: one.core)
def test_link_time_optimization_keeps_the_start_in_order(processor, monkeypatch):
    monkeypatch.setattr(firmware_build, "WARNINGS", ("-flto",))
    outputs = run_firmware(build_firmware(stub_source(), processor), SAMPLES).outputs
    assert [row[0].tolist() for row in outputs] == [[[i / 2, -i - 1, 3, 6]] for i in range(3)]


def test_weights_come_through_the_cache():
    _, counts = count(build_firmware(stub_source(), M4))
    assert counts[0].data_lines in (1, 2)
    assert 1 <= counts[0].code_lines <= 8


def test_the_stack_is_measured():
    run = run_firmware(build_firmware(stub_source(DEEP), M4), SAMPLES)
    assert 1000 <= run.stack_bytes < 1100
    assert run.counts is None


def test_a_firmware_that_hangs():
    firmware = build_firmware(stub_source(HANGS), M4)
    with pytest.raises(RequirementError, match=r"gave no result within 0\.5 s"):
        run_firmware(firmware, SAMPLES, seconds=0.5)


def test_a_firmware_that_faults():
    with pytest.raises(RequirementError, match="failed") as caught:
        run_firmware(build_firmware(stub_source(FAULTS), M4), SAMPLES, seconds=300)
    assert caught.value.got == "the processor raised a fault"


def test_a_model_beyond_the_board():
    huge = dataclasses.replace(stub_source(), weights_bytes=20 << 20)
    with pytest.raises(RequirementError, match="too large for the emulated board mps2-an386"):
        build_firmware(huge, M4)


def fake_qemu(folder, monkeypatch, script):
    path = folder / "qemu-system-arm"
    path.write_text(
        f'#!/bin/sh\nif [ "$1" = --version ]; then echo "QEMU emulator version 9.2.0"; exit 0; fi\n{script}\n'
    )
    path.chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}:/usr/bin:/bin")


def test_an_emulator_that_hangs(tmp_path, monkeypatch):
    firmware = build_firmware(stub_source(), M4)
    fake_qemu(tmp_path, monkeypatch, f"echo $$ >{tmp_path}/pid; exec sleep 600")
    started = tmp_path / "pid"
    # On a busy machine it may be stopped before it has said who it is.
    for seconds in (0.5, 5, 50):
        with pytest.raises(RequirementError, match="gave no result") as caught:
            run_firmware(firmware, SAMPLES, seconds=seconds)
        if started.exists() and started.read_text():
            break
    # Left alone it would have ended without having to be stopped.
    assert "it was stopped" in caught.value.got
    assert not Path("/proc", started.read_text().strip()).exists()


@pytest.mark.parametrize(
    "said",
    [
        "TCG plugin p.so requires API version 1, but this QEMU supports only a minimum version of 2",
        "qemu-system-arm: -plugin: invalid option",
    ],
)
def test_an_emulator_without_plugins(tmp_path, monkeypatch, said):
    firmware = build_firmware(stub_source(), M4)
    fake_qemu(tmp_path, monkeypatch, f'echo "{said}" >&2; exit 1')
    with pytest.raises(MissingToolError, match="does not load plugins") as caught:
        run_firmware(firmware, SAMPLES, count=FlashCaches())
    assert said in caught.value.got


def test_an_emulator_that_crashes(tmp_path, monkeypatch):
    firmware = build_firmware(stub_source(), M4)
    fake_qemu(tmp_path, monkeypatch, "kill -SEGV $$")
    with pytest.raises(RequirementError) as caught:
        run_firmware(firmware, SAMPLES)
    assert caught.value.got == "QEMU ended with signal 11"


def test_no_compiler(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(MissingToolError) as caught:
        build_firmware(stub_source(), M4)
    assert "apt-get install gcc-arm-none-eabi libnewlib-arm-none-eabi" in caught.value.hint
