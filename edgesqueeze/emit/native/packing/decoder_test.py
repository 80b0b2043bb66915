"""What the packers write, read by the C functions on this computer: random weights, with sanitizers."""

import subprocess

import numpy as np
import pytest

from edgesqueeze.emit.native.kernels import files_of
from edgesqueeze.emit.native.packing.copied import COPY
from edgesqueeze.emit.native.packing.table import ENCODINGS
from edgesqueeze.runners.host_c import SANITIZED_FLAGS
from runtime_tests.support.packed_layers import MOST_VALUES
from runtime_tests.support.tools import require_tool

ROWS = {**ENCODINGS, COPY.name: COPY}
CASES = 150

# Memory is as large as callers give, not a byte more; a case is the bytes of the table and of the stream, the
# number of parts, the stream, and the weights of every part.
PROGRAM = """
#include <stdio.h>
#include <stdlib.h>
#include "es_packed.h"

static int32_t number(void) {
  int32_t value;
  if (fread(&value, sizeof value, 1, stdin) != 1) {
    exit(0);
  }
  return value;
}

static void *memory(int32_t bytes) {
  return aligned_alloc(32, (size_t)(bytes + 31) / 32 * 32);
}

int main(void) {
  for (;;) {
    const int32_t table_bytes = number(), bytes = number(), parts = number();
    uint8_t *const first = aligned_alloc(4, (size_t)bytes);
    void *const table = memory(table_bytes);
    const uint8_t *stream = first;
    if (fread(first, 1, (size_t)bytes, stdin) != (size_t)bytes) {
      return 1;
    }
    for (int32_t i = 0; i < parts; ++i) {
      const int32_t count = number();
      int8_t *const weights = memory(count);
      stream = UNPACK(first, stream, weights, count, table);
      fwrite(weights, 1, (size_t)count, stdout);
      free(weights);
    }
    if (stream != first + bytes) {
      return 2;
    }
    free(first);
    free(table);
  }
}
"""


def unpacked(name, cases, folder):
    """The weights that the C function makes of streams: (table's bytes, stream, parts)."""
    function = ROWS[name].function
    for file, text in {"main.c": PROGRAM, **files_of("reference", [function])}.items():
        (folder / file).write_text(text)
    command = [require_tool("gcc", "gcc"), *SANITIZED_FLAGS, "-std=c11", f"-DUNPACK={function}"]
    sources = sorted(str(path) for path in folder.glob("*.c"))
    done = subprocess.run([*command, *sources, "-o", "main"], cwd=folder, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    content = b""
    for table_bytes, stream, parts in cases:
        content += np.array([table_bytes, len(stream), len(parts)], "<i4").tobytes()
        content += stream + np.array(parts, "<i4").tobytes()
    done = subprocess.run([str(folder / "main")], input=content, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    return np.frombuffer(done.stdout, np.int8)


def random_case(rng, name):
    """Weights of some kind, and sizes of parts that callers may ask for: multiples of 16, but the last."""
    size = int(rng.choice([1, 2, 15, 33, 64, 100, 257, 1000]))
    zeros = rng.choice([0, 0.5, 0.9, 1])
    kind = rng.integers(3)
    if kind == 0 or name not in ("bitmap", "huffman", "copy"):
        values = rng.choice(256, int(rng.integers(1, MOST_VALUES.get(name, 16))), replace=False) - 128
        weights = rng.choice(values, size)
    elif kind == 1:
        weights = rng.integers(-128, 128, size)
    else:
        weights = np.clip(np.round(rng.normal(0, rng.choice([1, 5, 30]), size)), -128, 127)
    weights = np.where(rng.random(size) < zeros, 0, weights).astype(np.int8)
    part = int(rng.choice([16, 64, 160, 1024]))
    return weights, tuple(min(part, size - start) for start in range(0, size, part))


@pytest.mark.parametrize("name", ROWS)
def test_the_c_function_reads_what_the_packer_writes(name, tmp_path):
    rng = np.random.default_rng(len(name))
    encoding = ROWS[name]
    cases, expected = [], []
    for _ in range(CASES):
        weights, parts = random_case(rng, name)
        stream = encoding.encode(weights, parts, False)
        if stream is not None:
            cases.append((encoding.table_bytes["reference"], stream, parts))
            expected.append(weights)
    assert len(cases) > CASES // 3
    np.testing.assert_array_equal(unpacked(name, cases, tmp_path), np.concatenate(expected))
