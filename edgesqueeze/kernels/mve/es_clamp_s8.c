/* Values between two limits, int8, with vectors.
 * SPDX-License-Identifier: Apache-2.0
 */
#include <arm_mve.h>

#include "es_elementwise.h"

void es_clamp_s8(const es_clamp *layer, const int8_t *input, int8_t *output) {
  const int8x16_t low = vdupq_n_s8(layer->low);
  const int8x16_t high = vdupq_n_s8(layer->high);
  for (int32_t left = layer->count; left > 0; left -= 16) {
    const mve_pred16_t valid = vctp8q((uint32_t)left);
    const int8x16_t values = vldrbq_z_s8(input, valid);
    vstrbq_p_s8(output, vminq_s8(vmaxq_s8(values, low), high), valid);
    input += 16;
    output += 16;
  }
}
