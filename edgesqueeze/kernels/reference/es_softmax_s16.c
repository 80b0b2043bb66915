/* Softmax of rows, int16, by tables.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "es_s16.h"

/* e^(value - largest) in Q0.15; 0 and less is -32768 to 32767 in the table. */
static int32_t exponential(const es_softmax_wide *layer, int32_t distance) {
  const int64_t steps = es_lstm_scaled((uint32_t)distance, &layer->scale) + 32767;
  return es_interpolated_s16(layer->exponentials, es_limit_s16(steps, -32768, 32767));
}

void es_softmax_s16(const es_softmax_wide *layer, const int16_t *input, int16_t *output) {
  const int32_t depth = layer->depth;
  for (int32_t row = layer->rows; row > 0; --row, input += depth, output += depth) {
    int32_t largest = -32768, sum = 0, zeros = 0;
    for (int32_t i = 0; i < depth; ++i) {
      largest = input[i] > largest ? input[i] : largest;
    }
    for (int32_t i = 0; i < depth; ++i) {
      output[i] = (int16_t)exponential(layer, input[i] - largest);
      sum += output[i];
    }
    while (((uint32_t)sum << zeros) < UINT32_C(0x80000000)) {
      ++zeros;
    }
    /* The sum is a power of two times 1 + x. */
    const int32_t part = (int32_t)((((int64_t)sum << (zeros - 1)) + (1 << 13)) >> 14);
    const int32_t x = es_limit_s16(part - ((1 << 15) + (1 << 16)), -32768, 32767);
    const int32_t scale = es_interpolated_s16(layer->reciprocals, x);
    const int32_t bits = 31 - zeros;
    for (int32_t i = 0; i < depth; ++i) {
      const int64_t product = (int64_t)output[i] * scale + (INT64_C(1) << (bits - 1));
      output[i] = es_limit_s16(product >> bits, 0, 32767);
    }
  }
}
