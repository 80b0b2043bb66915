/* Any function of one value, by table, int8, with vectors.
 * SPDX-License-Identifier: Apache-2.0
 */
#include <arm_mve.h>

#include "es_elementwise.h"

void es_lookup_s8(const es_lookup *layer, const void *input, void *output) {
  const uint8_t *from = (const uint8_t *)input;
  int8_t *to = (int8_t *)output;
  for (int32_t left = layer->count; left > 0; left -= 16) {
    const mve_pred16_t valid = vctp8q((uint32_t)left);
    const uint8x16_t values = vldrbq_z_u8(from, valid);
    vstrbq_p_s8(to, vldrbq_gather_offset_z_s8(layer->table, values, valid), valid);
    from += 16;
    to += 16;
  }
}
