/* The smaller of two tensors of any shapes, int16, for cores with the DSP extension.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "es_pairs_s16_dsp.h"

static __attribute__((noinline)) void compare(const void *parameters, const int16_t *input1, int32_t step1,
                                              const int16_t *input2, int32_t step2, int32_t twos, int16_t *output) {
  (void)parameters;
  for (; twos > 0; --twos, input1 += step1, input2 += step2, output += 2) {
    es_store_two(es_smaller_two(es_load_two(input1), es_load_two(input2)), output);
  }
}

void es_minimum_s16(const es_broadcast *loops, const int16_t *input1, const int16_t *input2, int16_t *output) {
  es_twos(NULL, compare, loops, input1, input2, output);
}
