/* Four rows times a vector, int8, with the DSP extension: two products an instruction.
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

/* sum + four products of int8; the vector's are widened. */
static inline uint32_t add_four(uint32_t sum, const int8_t *row, uint32_t even, uint32_t odd) {
  uint32_t word;
  memcpy(&word, row, sizeof word);
  sum = add_products(sum, es_even_bytes(word), even);
  return add_products(sum, es_odd_bytes(word), odd);
}

void es_dot_4_s8(const int8_t *rows, const int8_t *vector, int32_t count, uint32_t sums[4]) {
  uint32_t sum0 = sums[0], sum1 = sums[1], sum2 = sums[2], sum3 = sums[3];
  const int8_t *row2 = rows + 2 * count;
  int32_t left = count;
  for (; left >= 4; left -= 4) {
    uint32_t word;
    memcpy(&word, vector, sizeof word);
    const uint32_t even = es_even_bytes(word), odd = es_odd_bytes(word);
    sum0 = add_four(sum0, rows, even, odd);
    sum1 = add_four(sum1, rows + count, even, odd);
    sum2 = add_four(sum2, row2, even, odd);
    sum3 = add_four(sum3, row2 + count, even, odd);
    vector += 4;
    rows += 4;
    row2 += 4;
  }
  for (; left > 0; --left) {
    const int32_t value = *vector++;
    sum0 += (uint32_t)(*rows * value);
    sum1 += (uint32_t)(rows[count] * value);
    sum2 += (uint32_t)(*row2 * value);
    sum3 += (uint32_t)(row2[count] * value);
    ++rows;
    ++row2;
  }
  sums[0] = sum0;
  sums[1] = sum1;
  sums[2] = sum2;
  sums[3] = sum3;
}
