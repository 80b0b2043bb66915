/* Operators on all pairs of int16 of two tensors of any shapes, for cores with the DSP extension: two pairs at a time.
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef ES_PAIRS_S16_DSP_H
#define ES_PAIRS_S16_DSP_H

#include <string.h>

#include "es_s16.h"

/* Works on twos of pairs; a step of an input is 2, or 0 where a value is repeated: it then stands there twice.
 * Parameters are the operator's own. */
typedef void es_twos_function(const void *parameters, const int16_t *input1, int32_t step1, const int16_t *input2,
                              int32_t step2, int32_t twos, int16_t *output);

static inline uint32_t es_load_two(const int16_t *from) {
  uint32_t two;
  memcpy(&two, from, sizeof two);
  return two;
}

static inline void es_store_two(uint32_t two, int16_t *to) { memcpy(to, &two, sizeof two); }

/* Of two pairs of int16 the larger ones, or the smaller ones. */
static inline uint32_t es_larger_two(uint32_t one, uint32_t other) {
  uint32_t result;
  __asm__("ssub16 %0, %1, %2\n\tsel %0, %1, %2" : "=&r"(result) : "r"(one), "r"(other) : "cc");
  return result;
}

static inline uint32_t es_smaller_two(uint32_t one, uint32_t other) {
  uint32_t result;
  __asm__("ssub16 %0, %1, %2\n\tsel %0, %2, %1" : "=&r"(result) : "r"(one), "r"(other) : "cc");
  return result;
}

/* Range of a fused activation. */
typedef struct {
  uint32_t minimum, maximum; /* each twice */
  int32_t all;               /* whether it is that of int16 */
} es_range_s16;

static inline es_range_s16 es_range_of(int32_t minimum, int32_t maximum) {
  const es_range_s16 range = {0x10001u * (uint16_t)minimum, 0x10001u * (uint16_t)maximum,
                              minimum == INT16_MIN && maximum == INT16_MAX};
  return range;
}

/* Two results, saturated. */
static inline uint32_t es_two_of(int32_t low, int32_t high, const es_range_s16 *range) {
  uint32_t two;
  __asm__("ssat %0, #16, %0" : "+r"(low));
  __asm__("ssat %0, #16, %0" : "+r"(high));
  __asm__("pkhbt %0, %1, %2, lsl #16" : "=r"(two) : "r"(low), "r"(high));
  return range->all ? two : es_smaller_two(es_larger_two(two, range->minimum), range->maximum);
}

/* The second of TensorFlow Lite's rounding steps: value / 2^shift, ties away from zero. The carry is the last bit that
 * was shifted out; shift is 1 to 31. */
static inline int32_t es_shifted_s16(int32_t value, int32_t shift) {
  int32_t result;
  __asm__("add %0, %1, %1, asr #31\n\tasrs %0, %0, %2\n\tadc %0, %0, #0"
          : "=&r"(result)
          : "r"(value), "r"(shift)
          : "cc");
  return result;
}

/* One innermost loop. */
static inline void es_twos_row(const void *parameters, es_twos_function *function, const es_broadcast *loops,
                        const int16_t *input1, const int16_t *input2, int16_t *output) {
  const int32_t last = loops->count[3] - 1, stride1 = loops->stride1[3], stride2 = loops->stride2[3];
  const int16_t repeated1[2] = {*input1, *input1}, repeated2[2] = {*input2, *input2};
  if (last > 0) {
    function(parameters, stride1 != 0 ? input1 : repeated1, 2 * stride1, stride2 != 0 ? input2 : repeated2,
             2 * stride2, (last + 1) / 2, output);
  }
  if ((last & 1) == 0) {
    const int16_t one[2] = {input1[last * stride1], 0}, other[2] = {input2[last * stride2], 0};
    int16_t results[2];
    function(parameters, one, 0, other, 0, 1, results);
    output[last] = results[0];
  }
}

static inline void es_twos(const void *parameters, es_twos_function *function, const es_broadcast *loops,
                    const int16_t *input1, const int16_t *input2, int16_t *output) {
  const int32_t *const count = loops->count, *const stride1 = loops->stride1, *const stride2 = loops->stride2;
  for (int32_t i = 0; i < count[0]; ++i) {
    for (int32_t j = 0; j < count[1]; ++j) {
      for (int32_t k = 0; k < count[2]; ++k, output += count[3]) {
        es_twos_row(parameters, function, loops, input1 + i * stride1[0] + j * stride1[1] + k * stride1[2],
                    input2 + i * stride2[0] + j * stride2[1] + k * stride2[2], output);
      }
    }
  }
}

#endif /* ES_PAIRS_S16_DSP_H */
