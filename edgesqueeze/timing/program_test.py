"""C of a user's on an emulated core: what it writes, and what each part of it costs."""

import numpy as np
import pytest

import edgesqueeze
from edgesqueeze.errors import RequirementError, UsageError
from edgesqueeze.graph import parse_tflite
from edgesqueeze.timing.program import emulate_program
from runtime_tests.support.tflite_builder import tiny_cnn
from runtime_tests.support.tools import require_tool

BOARD = "nano33ble-sense"
DOUBLE = """\
#include "es_emulated.h"
#include "twice.h"

static volatile uint8_t zeros[1024];

void es_emulated_program(void) {
  uint8_t value;
  ES_EMULATED_PART(0);
  while (ES_EMULATED_READ(&value, 1)) {
    ES_EMULATED_PART(1);
    value = twice(value) + zeros[value];
    ES_EMULATED_PART(0);
    ES_EMULATED_WRITE(&value, 1);
  }
}
"""
TWICE_H = "#include <stdint.h>\nuint8_t twice(uint8_t value);\n"
TWICE_C = """\
#include "twice.h"
static const uint8_t table[256] = {[1] = 2, [7] = 14, [100] = 200};
uint8_t twice(uint8_t value) {
  return table[value];
}
"""
FILES = {"main.c": DOUBLE, "part/twice.c": TWICE_C, "part/twice.h": TWICE_H}


@pytest.fixture(autouse=True)
def _tools():
    require_tool("arm-none-eabi-gcc", "gcc-arm-none-eabi")
    require_tool("qemu-system-arm", "qemu-system-arm")


def test_it_reads_writes_and_counts_its_parts():
    run = emulate_program(FILES, BOARD, parts=("transfer", "doubling"), data=bytes([1, 7, 100]))
    assert run.output == bytes([2, 14, 200])
    transfer, doubling = run.parts
    assert (transfer.name, doubling.name) == ("transfer", "doubling")
    again = emulate_program(FILES, BOARD, parts=("transfer", "doubling"), data=bytes([1, 7, 100] * 2))
    assert again.parts[1].instructions == 2 * doubling.instructions > 0
    assert transfer.instructions > doubling.instructions
    assert doubling.milliseconds.low < doubling.milliseconds.estimate < doubling.milliseconds.high
    # The table in flash, the zeros in RAM; the harness is in neither.
    assert 256 <= run.flash_constants_bytes < 400
    assert 1024 <= run.ram_static_bytes < 1100
    assert 0 < run.flash_code_bytes < 1000
    assert run.flash_bytes == run.flash_code_bytes + run.flash_constants_bytes
    assert run.ram_bytes == run.ram_static_bytes + run.ram_stack_bytes


def test_a_generated_model_inside_it_computes_what_the_runtimes_do():
    model = parse_tflite(tiny_cnn())
    source = edgesqueeze.emit_native(model, core="cortex-m4", name="tiny")
    program = """\
#include "es_emulated.h"
#include "tiny.h"

static uint8_t arena[TINY_ARENA_BYTES] TINY_ARENA_ALIGNED;

void es_emulated_program(void) {
  tiny_model model;
  ES_EMULATED_PART(0);
  if (tiny_init(&model, arena, sizeof arena) != 0) {
    return;
  }
  while (ES_EMULATED_READ(tiny_input(&model), TINY_INPUT_BYTES)) {
    tiny_invoke(&model);
    ES_EMULATED_WRITE(tiny_output(&model), TINY_OUTPUT_BYTES);
  }
}
"""
    tensor, result = model.main.input_tensors[0], model.main.output_tensors[0]
    lengths = {"INPUT": np.prod(tensor.shape), "OUTPUT": np.prod(result.shape)}
    sizes = "".join(f"#define TINY_{name}_BYTES {length}\n" for name, length in lengths.items())
    files = {path: text for path, text in source.files.items() if path != "main.c"} | {"p.c": sizes + program}
    samples = np.random.default_rng(0).integers(-128, 128, (3, *tensor.shape[1:]), dtype=np.int8)
    run = emulate_program(files, BOARD, parts=("model",), data=samples.tobytes())
    ours = np.frombuffer(run.output, np.int8).reshape(3, -1)
    (right,) = edgesqueeze.run(model, samples, runtime="c")
    scale, zero = result.quantization.scales[0], result.quantization.zero_points[0]
    assert np.allclose((ours.astype(int) - zero) * scale, right.reshape(3, -1))


def test_what_does_not_compile_is_shown():
    with pytest.raises(RequirementError, match="does not compile") as caught:
        emulate_program({"main.c": "void es_emulated_program(void) { missing(); }"}, BOARD)
    assert "missing" in str(caught.value)


def test_a_program_that_faults_or_hangs_ends():
    fault = "#include <stdint.h>\nvoid es_emulated_program(void) { *(volatile uint32_t *)0xfffffff0u = 1; }"
    with pytest.raises(RequirementError, match="failed"):
        emulate_program({"main.c": fault}, BOARD)
    with pytest.raises(RequirementError, match="no result within"):
        emulate_program({"main.c": "void es_emulated_program(void) { for (;;) {} }"}, BOARD, seconds=1)


def test_only_microcontrollers_are_emulated():
    with pytest.raises(UsageError, match="not a microcontroller"):
        emulate_program(FILES, "rpi4")
    with pytest.raises(UsageError, match="one part"):
        emulate_program(FILES, BOARD, parts=())
