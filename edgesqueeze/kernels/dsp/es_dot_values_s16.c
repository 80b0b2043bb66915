/* Sum of products of int16 values with the DSP extension: two products an instruction.
 * SPDX-License-Identifier: Apache-2.0
 */
#include <string.h>

#include "es_s16.h"

static inline int64_t add_products(int64_t sum, const int16_t *one, const int16_t *other) {
  uint32_t values, others;
  memcpy(&values, one, sizeof values);
  memcpy(&others, other, sizeof others);
  __asm__("smlald %Q0, %R0, %1, %2" : "+r"(sum) : "r"(values), "r"(others));
  return sum;
}

int64_t es_dot_values_s16(const int16_t *one, const int16_t *other, int32_t count) {
  int64_t sum = 0;
  for (; count >= 8; count -= 8) {
    sum = add_products(sum, one, other);
    sum = add_products(sum, one + 2, other + 2);
    sum = add_products(sum, one + 4, other + 4);
    sum = add_products(sum, one + 6, other + 6);
    one += 8;
    other += 8;
  }
  for (; count >= 2; count -= 2) {
    sum = add_products(sum, one, other);
    one += 2;
    other += 2;
  }
  return count > 0 ? sum + *one * *other : sum;
}
