/* uint8 to int8 or back with zero points that differ by 128: the upper bit flips.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "es_elementwise.h"

void es_flip_sign_s8(const es_flip_sign *layer, const void *input, void *output) {
  const uint8_t *from = (const uint8_t *)input;
  uint8_t *to = (uint8_t *)output;
  for (int32_t i = layer->count; i > 0; --i) {
    *to++ = (uint8_t)(*from++ ^ 0x80u);
  }
}
