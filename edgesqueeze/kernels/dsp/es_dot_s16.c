/* Sum of products of int8 weights and int16 values with the DSP extension: two products an instruction.
 * SPDX-License-Identifier: Apache-2.0
 */
#include <string.h>

#include "es_assembly_dsp.h"
#include "es_s16.h"

/* sum + both products of int16. */
static inline int64_t add_products(int64_t sum, uint32_t one, uint32_t other) {
  __asm__("smlald %Q0, %R0, %1, %2" : "+r"(sum) : "r"(one), "r"(other));
  return sum;
}

int64_t es_dot_s16(const int8_t *weights, const int16_t *inputs, int32_t count) {
  int64_t sum = 0;
  for (; count >= 4; count -= 4) {
    uint32_t four, pair, other, low, high;
    memcpy(&four, weights, sizeof four);
    memcpy(&pair, inputs, sizeof pair);
    memcpy(&other, inputs + 2, sizeof other);
    __asm__("pkhbt %0, %1, %2, lsl #16" : "=r"(low) : "r"(pair), "r"(other));
    __asm__("pkhtb %0, %1, %2, asr #16" : "=r"(high) : "r"(other), "r"(pair));
    sum = add_products(sum, es_even_bytes(four), low);
    sum = add_products(sum, es_odd_bytes(four), high);
    weights += 4;
    inputs += 4;
  }
  for (; count > 0; --count) {
    sum += *weights++ * *inputs++;
  }
  return sum;
}
