/* Pieces of a tensor at places that are computed.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "es_shape.h"

void es_gather_s8(const es_gather *layer, const int8_t *input, const int32_t *places, int8_t *output) {
  const int32_t count = layer->count, bytes = layer->bytes;
  for (int32_t batch = layer->batches; batch > 0; --batch, places += layer->places) {
    for (int32_t outer = layer->outer; outer > 0; --outer, input += count * bytes) {
      for (int32_t i = 0; i < layer->places; ++i, output += bytes) {
        const int32_t last = places[i] < count ? places[i] : count - 1;
        es_move_s8(output, input + (last < 0 ? 0 : last) * bytes, bytes);
      }
    }
  }
}
