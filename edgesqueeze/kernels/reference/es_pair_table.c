/* The table of all pairs of 16 weights.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "es_pair_table.h"

void es_pair_table(const int8_t *values, uint16_t *table) {
  for (int32_t upper = 0; upper < ES_PALETTE_VALUES; ++upper) {
    const uint32_t high = (uint32_t)(uint8_t)values[upper] << 8;
    for (int32_t lower = 0; lower < ES_PALETTE_VALUES; ++lower) {
      *table++ = (uint16_t)(high | (uint8_t)values[lower]);
    }
  }
}
