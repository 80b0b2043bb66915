/* Copy of a block between tensors with different strides.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "es_shape.h"

/* The innermost dimension: whole words if its bytes lie next to each other on both sides. */
static void copy_run(const es_copy *layer, const int8_t *from, int8_t *to) {
  const int32_t input_stride = layer->input_stride[3];
  const int32_t output_stride = layer->output_stride[3];
  if (input_stride == 1 && output_stride == 1) {
    es_move_s8(to, from, layer->size[3]);
    return;
  }
  for (int32_t i = 0; i < layer->size[3]; ++i) {
    *to = *from;
    from += input_stride;
    to += output_stride;
  }
}

void es_copy_s8(const es_copy *layer, const int8_t *input, int8_t *output) {
  const int32_t *const in_stride = layer->input_stride;
  const int32_t *const out_stride = layer->output_stride;
  for (int32_t a = 0; a < layer->size[0]; ++a) {
    for (int32_t b = 0; b < layer->size[1]; ++b) {
      for (int32_t c = 0; c < layer->size[2]; ++c) {
        const int32_t from = a * in_stride[0] + b * in_stride[1] + c * in_stride[2];
        const int32_t to = a * out_stride[0] + b * out_stride[1] + c * out_stride[2];
        copy_run(layer, input + layer->input_offset + from, output + layer->output_offset + to);
      }
    }
  }
}
