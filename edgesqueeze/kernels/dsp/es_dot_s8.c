/* Sum of products of int8 with the DSP extension: two products an instruction.
 * SPDX-License-Identifier: Apache-2.0
 */
#include <string.h>

#include "es_assembly_dsp.h"
#include "es_lstm.h"

/* sum + both products of int16. */
static inline uint32_t add_products(uint32_t sum, uint32_t one, uint32_t other) {
  uint32_t result;
  __asm__("smlad %0, %1, %2, %3" : "=r"(result) : "r"(one), "r"(other), "r"(sum));
  return result;
}

uint32_t es_dot_s8(const int8_t *one, const int8_t *other, int32_t count) {
  uint32_t sum = 0;
  for (; count >= 4; count -= 4) {
    uint32_t a, b;
    memcpy(&a, one, sizeof a);
    memcpy(&b, other, sizeof b);
    sum = add_products(sum, es_even_bytes(a), es_even_bytes(b));
    sum = add_products(sum, es_odd_bytes(a), es_odd_bytes(b));
    one += 4;
    other += 4;
  }
  for (; count > 0; --count) {
    sum += (uint32_t)(*one++ * *other++);
  }
  return sum;
}
