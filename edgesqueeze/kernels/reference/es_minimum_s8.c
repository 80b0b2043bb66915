/* The smaller of two tensors of any shapes, int8.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "es_elementwise.h"

static __attribute__((noinline)) void minimum_row(const void *parameters, int32_t count,
                                                  const int8_t *input1, int32_t stride1,
                                                  const int8_t *input2, int32_t stride2,
                                                  int8_t *output) {
  (void)parameters;
  for (; count > 0; --count) {
    *output++ = *input1 < *input2 ? *input1 : *input2;
    input1 += stride1;
    input2 += stride2;
  }
}

void es_minimum_s8(const es_broadcast *loops, const int8_t *input1, const int8_t *input2,
                   int8_t *output) {
  es_for_all_rows(loops, loops, minimum_row, input1, input2, output);
}
