/* The table of all pairs of 16 weights, in the words of kernels in which two outputs share them.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "es_pair_table.h"

void es_pair_table_dsp(const int8_t *values, uint16_t *table) {
  for (int32_t upper = 0; upper < ES_PALETTE_VALUES; ++upper) {
    const int32_t high = 256 * values[upper];
    for (int32_t lower = 0; lower < ES_PALETTE_VALUES; ++lower) {
      *table++ = (uint16_t)(high + values[lower]);
    }
  }
}
