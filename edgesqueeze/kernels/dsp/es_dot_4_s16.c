/* Four sums of products of int8 weights and the same int16 values with the DSP extension.
 * SPDX-License-Identifier: Apache-2.0
 */
#include <string.h>

#include "es_assembly_dsp.h"
#include "es_s16.h"

enum { CHUNK = 256 }; /* products whose sum fits into 32 bits */

/* sum + both products of int16. */
static inline int32_t add_products(int32_t sum, uint32_t one, uint32_t other) {
  int32_t result;
  __asm__("smlad %0, %1, %2, %3" : "=r"(result) : "r"(one), "r"(other), "r"(sum));
  return result;
}

static inline int32_t add_four(int32_t sum, const int8_t *weights, uint32_t even, uint32_t odd) {
  uint32_t word;
  memcpy(&word, weights, sizeof word);
  sum = add_products(sum, es_even_bytes(word), even);
  return add_products(sum, es_odd_bytes(word), odd);
}

static void add_chunk(const int8_t *weights, int32_t pitch, const int16_t *inputs, int32_t count,
                      int64_t sums[4]) {
  const int8_t *other = weights + 2 * pitch;
  int32_t sum0 = 0, sum1 = 0, sum2 = 0, sum3 = 0;
  for (; count >= 4; count -= 4) {
    uint32_t first, second, even, odd;
    memcpy(&first, inputs, sizeof first);
    memcpy(&second, inputs + 2, sizeof second);
    __asm__("pkhbt %0, %1, %2, lsl #16" : "=r"(even) : "r"(first), "r"(second));
    __asm__("pkhtb %0, %1, %2, asr #16" : "=r"(odd) : "r"(second), "r"(first));
    sum0 = add_four(sum0, weights, even, odd);
    sum1 = add_four(sum1, weights + pitch, even, odd);
    sum2 = add_four(sum2, other, even, odd);
    sum3 = add_four(sum3, other + pitch, even, odd);
    weights += 4;
    other += 4;
    inputs += 4;
  }
  for (; count > 0; --count) {
    const int32_t value = *inputs++;
    sum0 += *weights * value;
    sum1 += weights[pitch] * value;
    sum2 += *other * value;
    sum3 += other[pitch] * value;
    ++weights;
    ++other;
  }
  sums[0] += sum0;
  sums[1] += sum1;
  sums[2] += sum2;
  sums[3] += sum3;
}

void es_dot_4_s16(const int8_t *weights, int32_t pitch, const int16_t *inputs, int32_t count, int64_t sums[4]) {
  for (; count > CHUNK; count -= CHUNK) {
    add_chunk(weights, pitch, inputs, CHUNK, sums);
    weights += CHUNK;
    inputs += CHUNK;
  }
  add_chunk(weights, pitch, inputs, count, sums);
}
