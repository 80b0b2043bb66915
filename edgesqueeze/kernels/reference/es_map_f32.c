/* Any function of one value, float32.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "es_real.h"

void es_map_f32(const es_real_map *layer, const float *input, float *output) {
  for (int32_t i = layer->count; i > 0; --i) {
    *output++ = layer->function(*input++);
  }
}
