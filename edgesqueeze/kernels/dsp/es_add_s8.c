/* Sum or difference of two tensors of one shape, int8, four values at a time with DSP
 * instructions.
 * SPDX-License-Identifier: Apache-2.0
 */
#include <string.h>

#include "es_elementwise.h"

/* sum + factor * x / 2^16, where x is the lower or upper half of a word: 2^8 times an int8. */
static inline int32_t add_lower(int32_t sum, int32_t factor, uint32_t x) {
  int32_t result;
  __asm__("smlawb %0, %1, %2, %3" : "=r"(result) : "r"(factor), "r"(x), "r"(sum));
  return result;
}

static inline int32_t add_upper(int32_t sum, int32_t factor, uint32_t x) {
  int32_t result;
  __asm__("smlawt %0, %1, %2, %3" : "=r"(result) : "r"(factor), "r"(x), "r"(sum));
  return result;
}

/* sum / 2^20, saturated to int8. */
static inline uint32_t shift_and_saturate(int32_t sum) {
  uint32_t result;
  __asm__("ssat %0, #8, %1, asr %2" : "=r"(result) : "r"(sum), "I"(ES_ADD_SHIFT));
  return result;
}

/* The lowest bytes of four words. */
static inline uint32_t pack_4(uint32_t byte0, uint32_t byte1, uint32_t byte2, uint32_t byte3) {
  uint32_t packed;
  __asm__("bfi %0, %1, #8, #8" : "+r"(byte0) : "r"(byte1));
  __asm__("bfi %0, %1, #8, #8" : "+r"(byte2) : "r"(byte3));
  __asm__("pkhbt %0, %1, %2, lsl #16" : "=r"(packed) : "r"(byte0), "r"(byte2));
  return packed;
}

void es_add_s8(const es_add *layer, const int8_t *input1, const int8_t *input2, int8_t *output) {
  const int32_t factor1 = layer->factor1;
  const int32_t factor2 = layer->factor2;
  const int32_t offset = layer->offset;
  uint32_t mask = UINT32_C(0xFF00FF00);
  /* In a register, so that shift and mask are one instruction. */
  __asm__("" : "+r"(mask));
  int32_t left = layer->count;
  for (; left >= 4; left -= 4) {
    uint32_t x1;
    uint32_t x2;
    memcpy(&x1, input1, sizeof x1);
    memcpy(&x2, input2, sizeof x2);
    const uint32_t even1 = (x1 << 8) & mask;
    const uint32_t even2 = (x2 << 8) & mask;
    const uint32_t odd1 = x1 & mask;
    const uint32_t odd2 = x2 & mask;
    const uint32_t sum0 =
        shift_and_saturate(add_lower(add_lower(offset, factor1, even1), factor2, even2));
    const uint32_t sum1 =
        shift_and_saturate(add_lower(add_lower(offset, factor1, odd1), factor2, odd2));
    const uint32_t sum2 =
        shift_and_saturate(add_upper(add_upper(offset, factor1, even1), factor2, even2));
    const uint32_t sum3 =
        shift_and_saturate(add_upper(add_upper(offset, factor1, odd1), factor2, odd2));
    const uint32_t sums = pack_4(sum0, sum1, sum2, sum3);
    memcpy(output, &sums, sizeof sums);
    input1 += 4;
    input2 += 4;
    output += 4;
  }
  for (; left > 0; --left) {
    const uint32_t x1 = (uint32_t)*input1++ << 8;
    const uint32_t x2 = (uint32_t)*input2++ << 8;
    *output++ = (int8_t)shift_and_saturate(add_lower(add_lower(offset, factor1, x1), factor2, x2));
  }
}
