/* Any function of one value, by table, int8.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "es_elementwise.h"

void es_lookup_s8(const es_lookup *layer, const void *input, void *output) {
  const int8_t *const table = layer->table;
  const uint8_t *from = (const uint8_t *)input;
  int8_t *to = (int8_t *)output;
  int32_t left = layer->count;
  for (; left >= 4; left -= 4) {
    to[0] = table[from[0]];
    to[1] = table[from[1]];
    to[2] = table[from[2]];
    to[3] = table[from[3]];
    from += 4;
    to += 4;
  }
  for (; left > 0; --left) {
    *to++ = table[*from++];
  }
}
