"""A hand-written model in the shape of generated native C, small enough to read."""

from __future__ import annotations

from edgesqueeze.emit.native.records import Io, LayerSummary, NativeSource

_HEADER = """\
#ifndef STUB_H
#define STUB_H
#include <stddef.h>
#include <stdint.h>
#define STUB_ARENA_BYTES 32u
#define STUB_ARENA_ALIGNMENT 16u
typedef struct { uint8_t *arena; } stub_model;
int stub_init(stub_model *model, void *arena, size_t arena_bytes);
int8_t *stub_input(const stub_model *model);
void stub_invoke(const stub_model *model);
void stub_get_output(const stub_model *model, float *values);
#endif
"""

_WEIGHTS = """\
#include <stdint.h>
extern const int8_t stub_weights[4];
const int8_t stub_weights[4] = {1, -2, 3, -4};
"""

_MODEL = """\
#include "stub.h"
#include "es_double.h"
#ifndef ES_LAYER_HOOK
#define ES_LAYER_HOOK(index) ((void)0)
#endif
extern const int8_t stub_weights[4];

int stub_init(stub_model *model, void *arena, size_t arena_bytes) {
  if (arena_bytes < STUB_ARENA_BYTES || ((uintptr_t)arena & 15u) != 0u) {
    return -1;
  }
  model->arena = arena;
  return 0;
}

int8_t *stub_input(const stub_model *model) { return (int8_t *)model->arena; }

void stub_invoke(const stub_model *model) {
  ES_LAYER_HOOK(0);
  es_double(stub_weights, (const int8_t *)model->arena, (int8_t *)model->arena + 16);
}

void stub_get_output(const stub_model *model, float *values) {
  ES_LAYER_HOOK(1);
  for (int i = 0; i < 4; ++i) {
    values[i] = 0.5f * (float)((const int8_t *)model->arena)[16 + i];
  }
}
"""

_KERNEL = """\
#include "es_double.h"
void es_double(const int8_t *weights, const int8_t *input, int8_t *output) {
  for (int i = 0; i < 4; ++i) {
    output[i] = (int8_t)(input[i] * weights[i]);
  }
}
"""

_KERNEL_HEADER = """\
#include <stdint.h>
void es_double(const int8_t *weights, const int8_t *input, int8_t *output);
"""


def stub_source(kernel: str = _KERNEL) -> NativeSource:
    """A model that multiplies int8[4] by 1, -2, 3, -4 and gives back half of it as float32.

    Args:
        kernel: other text for its only kernel, ``void es_double(weights, input, output)``.
    """
    files = {
        "stub.h": _HEADER,
        "stub.c": _MODEL,
        "stub_weights.c": _WEIGHTS,
        "kernels/es_double.c": kernel,
        "kernels/es_double.h": _KERNEL_HEADER,
    }
    value = {"index": 0, "shape": (1, 4), "elements": 4, "scale": 0.5, "zero_point": 0, "suffix": ""}
    return NativeSource(
        name="stub",
        kernel_set="reference",
        files=files,
        sources=("stub.c", "stub_weights.c", "kernels/es_double.c"),
        include_folders=(".", "kernels"),
        arena_bytes=32,
        weights_bytes=4,
        inputs=(Io(name="x", dtype="int8", converts=False, **value),),  # type: ignore[arg-type]
        outputs=(Io(name="y", dtype="float32", converts=True, **value),),  # type: ignore[arg-type]
        layers=(
            LayerSummary(0, "MUL", "x2", "[4] -> [4]", 4, ("es_double",)),
            LayerSummary(1, "DEQUANTIZE", "y", "[4] -> [4]", 0, ()),
        ),
    )
