/* Values between two limits, int8, with the DSP extension: four values at a time.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "es_elementwise.h"

/* SSUB8 leaves in the GE flags which bytes of its first operand are not below those of its second,
 * and SEL chooses by them: from its first operand where they are not, else from its second. */
static inline uint32_t clamp_4(uint32_t values, uint32_t lows, uint32_t highs) {
  uint32_t differences;
  __asm__(
      "ssub8 %1, %0, %2\n\t"
      "sel %0, %0, %2\n\t"
      "ssub8 %1, %3, %0\n\t"
      "sel %0, %0, %3"
      : "+r"(values), "=&r"(differences)
      : "r"(lows), "r"(highs));
  return values;
}

void es_clamp_s8(const es_clamp *layer, const int8_t *input, int8_t *output) {
  const uint32_t lows = (uint8_t)layer->low * UINT32_C(0x01010101);
  const uint32_t highs = (uint8_t)layer->high * UINT32_C(0x01010101);
  int32_t left = layer->count;
  for (; left >= 4; left -= 4) {
    uint32_t values;
    memcpy(&values, input, sizeof values);
    values = clamp_4(values, lows, highs);
    memcpy(output, &values, sizeof values);
    input += 4;
    output += 4;
  }
  for (; left > 0; --left) {
    *output++ = (int8_t)clamp_4((uint8_t)*input++, lows, highs);
  }
}
