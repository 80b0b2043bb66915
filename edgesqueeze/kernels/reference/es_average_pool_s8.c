/* Average pooling: some channels of one output pixel at a time, as many as es_sum_s8 sums up.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "es_pool.h"

/* Means of sums over count pixels, within the range of the fused activation. Inlined, GCC would unroll the loop
 * eight times. */
static __attribute__((__noinline__)) void write_means(const es_pool *layer, const int32_t *sums,
                                                      int32_t outputs, int32_t count, int8_t *output) {
  const int32_t minimum = layer->minimum, maximum = layer->maximum;
  const int32_t half = count / 2;
  const int32_t *const end = sums + outputs;
  do {
    const int32_t sum = *sums++;
    int32_t mean = (sum > 0 ? sum + half : sum - half) / count;
    mean = mean < minimum ? minimum : mean;
    *output++ = (int8_t)(mean < maximum ? mean : maximum);
  } while (sums != end);
}

void es_average_pool_s8(const es_pool *layer, const int8_t *input, int8_t *output) {
  for (int32_t out_y = 0; out_y < layer->out_height; ++out_y) {
    for (int32_t out_x = 0; out_x < layer->out_width; ++out_x) {
      es_area window = es_window_of(layer, input, out_y, out_x);
      int32_t left = layer->channels;
      while (left > 0) {
        int32_t sums[8];
        const int32_t outputs = es_sum_s8(&window, left, sums);
        write_means(layer, sums, outputs, window.rows * window.columns, output);
        window.first += outputs;
        output += outputs;
        left -= outputs;
      }
    }
  }
}
