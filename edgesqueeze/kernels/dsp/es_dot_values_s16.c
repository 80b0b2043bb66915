/* Sum of products of int16 values with the DSP extension: two products an instruction.
 * SPDX-License-Identifier: Apache-2.0
 */
#include <string.h>

#include "es_s16.h"

int64_t es_dot_values_s16(const int16_t *one, const int16_t *other, int32_t count) {
  int64_t sum = 0;
  for (; count >= 4; count -= 4) {
    uint32_t values[2], others[2];
    memcpy(values, one, sizeof values);
    memcpy(others, other, sizeof others);
    __asm__("smlald %Q0, %R0, %1, %2" : "+r"(sum) : "r"(values[0]), "r"(others[0]));
    __asm__("smlald %Q0, %R0, %1, %2" : "+r"(sum) : "r"(values[1]), "r"(others[1]));
    one += 4;
    other += 4;
  }
  for (; count > 0; --count) {
    sum += *one++ * *other++;
  }
  return sum;
}
