import dataclasses
from importlib import import_module
from importlib.util import find_spec

import numpy as np
import pytest

from edgesqueeze.emit.native import emit, for_target
from edgesqueeze.errors import FitError, MissingToolError, ParityError, UnsupportedModelError, UsageError
from edgesqueeze.graph import parse_tflite
from edgesqueeze.graph.builder import GraphBuilder
from edgesqueeze.runners import build, build_cache, qemu, tflm
from edgesqueeze.target.load import list_targets, load_target
from edgesqueeze.timing.emulate import emulate
from runtime_tests.support.native_stub import stub_source
from runtime_tests.support.tflite_builder import tiny_cnn, tiny_compiled
from runtime_tests.support.tools import require_tool

TARGET = load_target("nucleo-l4r5zi")

# A kernel with 100 bytes on the stack.
DEEP = """\
#include "es_double.h"
void es_double(const int8_t *weights, const int8_t *input, int8_t *output) {
  volatile int8_t deep[100];
  for (int i = 0; i < 100; ++i) { deep[i] = input[i & 3]; }
  for (int i = 0; i < 4; ++i) { output[i] = (int8_t)(deep[i] * weights[i]); }
}
"""


@pytest.fixture(scope="module", autouse=True)
def cache(tmp_path_factory):
    folder = tmp_path_factory.mktemp("builds")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(build_cache, "cache_folder", lambda: folder)
        yield folder


@pytest.fixture
def tools():
    for name, package in (
        ("arm-none-eabi-gcc", "gcc-arm-none-eabi"),
        ("qemu-system-arm", "qemu-system-arm"),
        ("gcc", "gcc"),
    ):
        require_tool(name, package)


@pytest.fixture
def model(monkeypatch):
    """A model with the inputs and outputs of the hand-written one that is run in its place."""
    monkeypatch.setattr(emit, "emit_native", lambda model, **options: stub_source())
    monkeypatch.setattr(for_target, "try_native", lambda model, **options: stub_source())
    # TensorFlow Lite Micro would run the model itself.
    monkeypatch.setattr(import_module("edgesqueeze.timing.emulate"), "_tflm_outputs", lambda *_: None)
    graph = GraphBuilder(0, name="stub")
    return parse_tflite(graph.build([graph.dequantize(graph.input((1, 4)))]), "stub")


def small(target, **memory):
    return target.model_copy(update={"memory": target.memory.model_copy(update=memory)})


def test_a_bench(tools, model):
    result = emulate(model, TARGET)
    assert (result.target, result.core, result.method, result.runtime) == (
        TARGET.name,
        "cortex-m4",
        "emulated",
        "c",
    )
    assert [(layer.opcode, layer.macs) for layer in result.layers] == [("MUL", 4), ("DEQUANTIZE", 0)]
    assert result.instructions >= sum(layer.instructions for layer in result.layers) > 30
    assert sum(result.layers[0].classes.values()) == result.layers[0].instructions
    for figure in (result.latency_ms, result.cycles, *(layer.cycles for layer in result.layers)):
        assert 0 <= figure.low <= figure.estimate <= figure.high
    assert result.latency_ms.estimate == pytest.approx(result.cycles.estimate / 120_000, abs=1e-4)
    memory = result.memory
    assert memory.flash_bytes == memory.flash_code_bytes + memory.flash_model_bytes
    assert (memory.flash_weights_bytes, memory.ram_arena_bytes) == (4, 32)
    assert memory.ram_bytes == 32 + memory.ram_static_bytes + memory.ram_stack_bytes
    assert (result.emulation.machine, result.emulation.checked_samples) == ("mps2-an386", 3)
    assert result.emulation.reference == "c"
    assert "-O3" in result.emulation.flags
    assert emulate(model, TARGET) == result


def test_what_a_model_is_called_changes_no_figure(tools, monkeypatch):
    content, built, module = tiny_cnn(), [], import_module("edgesqueeze.timing.emulate")
    make = module.build_firmware
    monkeypatch.setattr(
        module, "build_firmware", lambda source, *how: built.append(source.name) or make(source, *how)
    )
    one, other = (emulate(parse_tflite(content, name=name), TARGET) for name in ("model", "seg"))
    assert (one.cycles, one.memory, other.model) == (other.cycles, other.memory, "seg")
    assert len(set(built)) == 1


def test_layers_that_run_by_turns_are_counted_one_by_one(tools):
    graph = GraphBuilder(name="pooled")
    x = graph.conv2d(graph.input((1, 20, 20, 4)), 16, 3, padding="VALID")
    model = parse_tflite(graph.build([graph.max_pool(x, 2)]))
    plain, small = (emulate(model, TARGET, optimize=way) for way in ("balance", "ram"))
    assert plain.chains == ()
    assert [(one.first, one.last) for one in small.chains] == [(0, 1)]
    assert small.memory.ram_arena_bytes < plain.memory.ram_arena_bytes / 2
    for one, other in zip(small.layers, plain.layers, strict=True):
        assert other.instructions < one.instructions < 1.2 * other.instructions


def test_a_stand_in_for_the_core_is_named(tools, model):
    result = emulate(model, load_target("pico"), build="Os")
    assert (result.core, result.emulation.core) == ("cortex-m0plus", "cortex-m3")
    assert "whose cortex-m3 executes the code that was compiled for cortex-m0plus" in result.basis[0]


@pytest.mark.parametrize(
    ("build", "flags"), [("nofpu", "-mfloat-abi=soft -O3"), ("arduino", "-mfloat-abi=hard -Os")]
)
def test_a_build_is_compiled_as_it_says(tools, model, build, flags):
    result = emulate(model, TARGET, build=build)
    assert flags in result.emulation.flags
    assert (result.build, result.opt) == (build, flags[-2:])
    assert any("as Arduino builds" in sentence for sentence in result.basis) == (build == "arduino")


def test_other_outputs_break_parity(tools, model, monkeypatch):
    real = qemu.run_firmware

    def wrong(firmware, samples, **options):
        run = real(firmware, samples, **options)
        if run.counts is not None:
            run.outputs[1][0][0, 2] += 1
        return run

    monkeypatch.setattr(qemu, "run_firmware", wrong)
    with pytest.raises(ParityError, match="something else on the emulated cortex-m4") as caught:
        emulate(model, TARGET)
    assert "1 of 3 random inputs differ, the first is number 1, output 0" in caught.value.got


@pytest.mark.parametrize(
    ("opcode", "off", "right"), [("EXP", 1e-6, True), ("EXP", 1e-4, False), ("RESHAPE", 1e-6, False)]
)
def test_only_functions_of_the_c_library_may_be_off(tools, monkeypatch, opcode, off, right):
    graph, real = GraphBuilder(0), tflm.run
    x = graph.dequantize(graph.input((1, 4)))
    y = graph.tensor((1, 4), "float32")
    graph.op(opcode, [x], [y])
    model = parse_tflite(graph.build([y]), "real")
    moved = lambda *arguments: [[one * np.float32(1 + off) for one in row] for row in real(*arguments)]  # noqa: E731
    monkeypatch.setattr(tflm, "run", moved)
    if right:
        assert emulate(model, TARGET).emulation.reference == "tflm"
    else:
        with pytest.raises(ParityError, match="something else"):
            emulate(model, TARGET)


@pytest.mark.parametrize(
    ("memory", "what"),
    [
        ({"usable_flash_bytes": 3}, "flash: 4 bytes (model 4) of 3 usable"),
        ({"usable_ram_bytes": 31}, "RAM: 32 bytes"),
    ],
)
def test_what_cannot_fit_is_not_compiled(model, monkeypatch, memory, what):
    monkeypatch.setattr(build, "build", lambda *_: pytest.fail("compiled"))
    with pytest.raises(FitError) as caught:
        emulate(model, small(TARGET, **memory))
    assert what in caught.value.got


def test_code_must_fit_too(tools, model):
    with pytest.raises(FitError, match="does not fit") as caught:
        emulate(model, small(TARGET, usable_flash_bytes=100))
    assert "of 100 usable" in caught.value.got


def test_the_stack_must_fit_too(tools, model, monkeypatch):
    monkeypatch.setattr(emit, "emit_native", lambda model, **options: stub_source(DEEP))
    monkeypatch.setattr(for_target, "try_native", lambda model, **options: stub_source(DEEP))
    stack = emulate(model, TARGET).memory.ram_stack_bytes
    assert stack > 100
    with pytest.raises(FitError) as caught:
        emulate(model, small(TARGET, usable_ram_bytes=31 + stack))
    assert caught.value.got == (
        f"RAM: {32 + stack} bytes (arena 32 + program {stack}) of {31 + stack} usable"
    )
    assert emulate(model, small(TARGET, usable_ram_bytes=32 + stack)).memory.ram_stack_bytes == stack


def test_only_microcontrollers_and_native_c(model):
    linux = next(one for one in list_targets() if not one.is_mcu)
    with pytest.raises(UsageError, match="only those run native C"):
        emulate(model, linux)


def test_missing_tools(model, monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(MissingToolError, match="4 programs are missing") as caught:
        emulate(model, TARGET)
    assert caught.value.expected == "arm-none-eabi-objdump, arm-none-eabi-gcc, qemu-system-arm, gcc"
    assert caught.value.hint == (
        "apt-get install binutils-arm-none-eabi gcc-arm-none-eabi libnewlib-arm-none-eabi qemu-system-arm "
        "gcc libc6-dev (Debian, Ubuntu)"
    )


def test_a_real_model(tools):
    result = emulate(parse_tflite(tiny_cnn(), "tiny"), TARGET)
    assert {"CONV_2D", "FULLY_CONNECTED"} <= {layer.opcode for layer in result.layers}
    assert result.macs > 0
    assert all(layer.instructions for layer in result.layers if layer.macs)
    assert result.emulation.reference == ("tflm" if find_spec("tflite_micro") else "c")


def test_other_outputs_than_tflm_break_parity(tools, monkeypatch):
    pytest.importorskip("tflite_micro")
    real = tflm.run

    def wrong(model, samples):
        rows = real(model, samples)
        return [[array + 1 for array in row] for row in rows]

    monkeypatch.setattr(tflm, "run", wrong)
    with pytest.raises(ParityError) as caught:
        emulate(parse_tflite(tiny_cnn(), "tiny"), TARGET)
    assert caught.value.expected == "the outputs of TensorFlow Lite Micro, to the bit"
    assert "differs alone" in caught.value.got


def test_without_tflm(tools, monkeypatch):
    def missing(model, samples):
        raise MissingToolError("TFLite Micro's interpreter is not installed")

    monkeypatch.setattr(tflm, "run", missing)
    assert emulate(parse_tflite(tiny_cnn(), "tiny"), TARGET).emulation.reference == "c"


def test_the_operator_that_differs_is_named(tools, monkeypatch):
    tiny = parse_tflite(tiny_cnn(), "tiny")
    real = qemu.run_firmware

    def wrong(firmware, samples, **options):
        run = real(firmware, samples, **options)
        for row in run.outputs:
            row[0] = np.where(row[0] > 0, row[0] - 1, row[0] + 1).astype(row[0].dtype)
        return run

    monkeypatch.setattr(qemu, "run_firmware", wrong)
    with pytest.raises(ParityError) as caught:
        emulate(tiny, TARGET)
    assert "CONV_2D, differs alone" in caught.value.got


def test_frozen_and_complete(tools, model):
    result = emulate(model, TARGET)
    document = result.model_dump()
    assert document["schema_version"] == 1
    assert {"target", "runtime", "method", "latency_ms", "layers", "memory", "instructions", "cycles"} <= set(
        document
    )
    assert not dataclasses.is_dataclass(result)


def test_a_program_for_a_neural_processor_is_refused_before_anything_is_made():
    with pytest.raises(UnsupportedModelError, match=r"cannot be emulated: .* compiled for an Arm Ethos-U"):
        emulate(parse_tflite(tiny_compiled()), load_target("nucleo-l4r5zi"))
