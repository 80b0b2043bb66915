/* Padding with a constant.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "es_shape.h"

static int8_t *fill(int8_t *output, int32_t count, int8_t value) {
  (void)memset(output, value, (size_t)count);
  return output + count;
}

void es_pad_s8(const es_pad *layer, const int8_t *input, int8_t *output) {
  const int32_t size = layer->size[2];
  const int32_t padded = layer->before[2] + size + layer->after[2];
  for (int32_t a = -layer->before[0]; a < layer->size[0] + layer->after[0]; ++a) {
    for (int32_t b = -layer->before[1]; b < layer->size[1] + layer->after[1]; ++b) {
      if (a < 0 || a >= layer->size[0] || b < 0 || b >= layer->size[1]) {
        output = fill(output, padded, layer->value);
      } else {
        output = fill(output, layer->before[2], layer->value);
        es_move_s8(output, input, size);
        input += size;
        output = fill(output + size, layer->after[2], layer->value);
      }
    }
  }
}
