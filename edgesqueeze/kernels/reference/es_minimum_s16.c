/* The smaller of two tensors of any shapes, int16.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "es_s16.h"

void es_minimum_s16(const es_broadcast *loops, const int16_t *input1, const int16_t *input2, int16_t *output) {
  const int32_t *const count = loops->count, *const stride1 = loops->stride1, *const stride2 = loops->stride2;
  for (int32_t i = 0; i < count[0]; ++i) {
    for (int32_t j = 0; j < count[1]; ++j) {
      for (int32_t k = 0; k < count[2]; ++k) {
        const int16_t *one = input1 + i * stride1[0] + j * stride1[1] + k * stride1[2];
        const int16_t *other = input2 + i * stride2[0] + j * stride2[1] + k * stride2[2];
        for (int32_t l = count[3]; l > 0; --l, one += stride1[3], other += stride2[3]) {
          *output++ = *one < *other ? *one : *other;
        }
      }
    }
  }
}
