/* Requantization as es_requantize_s8 does it, written for the instructions of Cortex-M0 to M3.
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef ES_SCALE_S8_H
#define ES_SCALE_S8_H

#include "es_types.h"

#if defined(__ARM_ARCH_6M__) || defined(__ARM_ARCH_8M_BASE__)
#define ES_SCALE_INLINE __attribute__((noinline)) static /* some 40 instructions there */
#else
#define ES_SCALE_INLINE static inline
#endif

/* round(a * b / 2^32) + addend, ties towards plus infinity; |a| is below 2^31 - 2^16, and
 * 0 <= b. */
static inline int32_t es_high_product(int32_t a, int32_t b, int32_t addend) {
#if defined(__ARM_ARCH_6M__) || defined(__ARM_ARCH_8M_BASE__)
  /* No instruction gives the upper half of a product: four products of 16-bit halves. The lower halves are signed,
   * which keeps all sums within 32 bits. */
  const int32_t a_low = (int16_t)a, a_high = (a - a_low) >> 16;
  const int32_t b_low = (int16_t)b, b_high = (int32_t)(((uint32_t)b - (uint32_t)b_low) >> 16);
  const int32_t middle = a_low * b_high + a_high * b_low + ((a_low * b_low) >> 16);
  return addend + a_high * b_high + ((middle + 0x8000) >> 16);
#else
  /* One SMLAL: the addend is the upper half of where it starts, the rounding the lower. */
  const int64_t start = (int64_t)addend * (INT64_C(1) << 32) + (INT64_C(1) << 31);
  return (int32_t)((start + (int64_t)a * b) >> 32);
#endif
}

static inline int8_t es_narrow_s8(int32_t value) {
#if defined(__ARM_ARCH_7M__) || defined(__ARM_ARCH_7EM__)
  int32_t narrow; /* GCC makes a compare and a move for each bound when it has -128 in a register already */
  __asm__("ssat %0, #8, %1" : "=r"(narrow) : "r"(value));
  return (int8_t)narrow;
#else
  return es_saturate_s8(value);
#endif
}

/* One accumulator, bias included, to int8. The magnitude of the accumulator is below 2^30 - 2^15. */
ES_SCALE_INLINE int8_t es_scale_s8(int32_t accumulator, const es_channel *channel) {
  const int32_t addend = channel->addend + (accumulator >> 31);
  return es_narrow_s8(es_high_product(2 * accumulator, channel->multiplier, addend) >> channel->shift);
}

#endif /* ES_SCALE_S8_H */
