/* Means and sums over one or two dimensions: some outputs at a time where their inputs are neighbours.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "es_pool.h"

/* Inlined, GCC would unroll the loop eight times. */
static __attribute__((__noinline__)) void write_scaled(const es_mean *layer, const int32_t *sums,
                                                       int32_t outputs, int8_t *output) {
  const es_mean scaling = *layer; /* what is written cannot change it */
  const int32_t *const end = sums + outputs;
  do {
    *output++ = es_scale_sum_s8(&scaling, *sums++);
  } while (sums != end);
}

void es_mean_s8(const es_mean *layer, const int8_t *input, int8_t *output) {
  const int32_t stride = layer->kept_stride[1];
  es_area area;
  area.rows = layer->reduced[0];
  area.columns = layer->reduced[1];
  area.row_stride = layer->reduced_stride[0];
  area.column_stride = layer->reduced_stride[1];
  for (int32_t outer = 0; outer < layer->kept[0]; ++outer) {
    int32_t left = layer->kept[1];
    area.first = input + outer * layer->kept_stride[0];
    while (left > 0) {
      int32_t sums[8];
      const int32_t outputs = es_sum_s8(&area, stride == 1 ? left : 1, sums);
      write_scaled(layer, sums, outputs, output);
      area.first += outputs * stride;
      output += outputs;
      left -= outputs;
    }
  }
}
