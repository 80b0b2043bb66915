/* Quotients of two tensors of any shapes, int8, with TensorFlow Lite Micro's own steps.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "es_softmax_row.h"

/* Bits by which a number can be shifted to the left before its sign changes. */
static int32_t room_of(int32_t value) {
  int32_t room = 31;
  for (uint32_t rest = (uint32_t)(value < 0 ? ~value : value); rest != 0u; rest >>= 1) {
    --room;
  }
  return room;
}

/* Of what is zero or divided by zero the quotient is what its sign says: the largest, the smallest, or none. */
static int32_t quotient(const es_div *layer, int32_t dividend, int32_t divisor) {
  if (dividend == 0 || divisor == 0) {
    return dividend == 0 ? 0 : (dividend > 0 ? 256 : -256);
  }
  if (divisor < 0) {
    dividend = -dividend;
    divisor = -divisor;
  }
  const int32_t room = room_of(dividend), places = 31 - room_of(divisor) - 1;
  const int32_t inverse =
      es_reciprocal_of_one_plus((int32_t)(((uint32_t)divisor << (31 - places)) - UINT32_C(0x80000000)));
  const int32_t whole = es_round_product((int32_t)((uint32_t)dividend << room), inverse);
  const int32_t scaled = es_round_product(whole, layer->multiplier);
  const int32_t result = es_round_shift(scaled, room + places - layer->shift);
  return result < -256 ? -256 : (result > 256 ? 256 : result);
}

static void divide_row(const void *parameters, int32_t count, const int8_t *input1, int32_t stride1,
                       const int8_t *input2, int32_t stride2, int8_t *output) {
  const es_div *const layer = (const es_div *)parameters;
  for (; count > 0; --count, input1 += stride1, input2 += stride2) {
    const int32_t value = quotient(layer, *input1 - layer->zero_point1, *input2 - layer->zero_point2);
    *output++ = es_saturate_s8(value + layer->output_zero_point);
  }
}

void es_div_s8(const es_div *layer, const int8_t *input1, const int8_t *input2, int8_t *output) {
  es_for_all_rows(&layer->loops, layer, divide_row, input1, input2, output);
}
