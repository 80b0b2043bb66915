/* Bytes of two indices each to the two weights.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "es_pair_table.h"

void es_unpack_indices(const uint8_t *indices, const uint16_t *table, uint16_t *weights, int32_t bytes) {
  for (; bytes > 0; bytes -= 4) {
    weights[0] = table[indices[0]];
    weights[1] = table[indices[1]];
    weights[2] = table[indices[2]];
    weights[3] = table[indices[3]];
    indices += 4;
    weights += 4;
  }
}
