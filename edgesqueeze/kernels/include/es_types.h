/* Types and arithmetic that all EdgeSqueeze kernels share.
 * SPDX-License-Identifier: Apache-2.0
 *
 * Activations are int8, batch 1, stored row by row with the channels of a pixel next to each other (NHWC).
 */
#ifndef ES_TYPES_H
#define ES_TYPES_H

#include <stdint.h>

/* How an accumulator of one output channel becomes an int8.
 *
 *   v      = round(accumulator * multiplier / 2^31), ties towards plus infinity
 *   output = saturate((v + (accumulator < 0 ? -1 : 0) + addend) >> shift)
 *
 * which is TensorFlow Lite's two-step rounding with the output's zero point folded in.
 */
typedef struct {
  int32_t bias;       /* where the accumulator starts: input zero point and weight sum are folded in */
  int32_t multiplier; /* Q31: 2^30 to 2^31 - 1 */
  int32_t addend;     /* (zero point << shift) + (1 << (shift - 1)) */
  int32_t shift;      /* 1 to 22 */
} es_channel;

/* How the channels of a layer are stored in flash. */
enum {
  /* 6 bytes a channel, as three little-endian uint16: bits 0-22 mantissa of the weights' scale without its
   * leading one, bits 23-25 shift minus base_shift, bits 26-47 bias. The multiplier is mantissa * ratio. */
  ES_CHANNELS_NARROW = 0,
  /* 12 bytes a channel, as three int32: bias, multiplier, shift. */
  ES_CHANNELS_WIDE = 1,
  /* 4 bytes a channel, an int32 bias; all channels share multiplier (ratio_high) and shift (base_shift). */
  ES_CHANNELS_SHARED = 2
};

typedef struct {
  const void *records;   /* one record a channel, 4-byte aligned */
  uint32_t ratio_high;   /* NARROW: input scale / output scale as a 64-bit fraction in [2^63, 2^64), */
  uint32_t ratio_low;    /*         upper and lower half */
  int8_t format;         /* one of ES_CHANNELS_... */
  int8_t base_shift;     /* see the formats */
  int8_t output_zero_point;
  int8_t small_sums;     /* 1: no sum of the layer's products exceeds 24 bits; 0: not known */
} es_channels;

/* Unpacks the records of channels first to first + count - 1. */
void es_unpack_channels(const es_channels *channels, int32_t first, int32_t count, es_channel *unpacked);

static inline int8_t es_saturate_s8(int32_t value) {
  return (int8_t)(value < -128 ? -128 : (value > 127 ? 127 : value));
}

/* One accumulator, bias included, to int8. The magnitude of the accumulator is below 2^30 - 2^15. */
static inline int8_t es_requantize_s8(int32_t accumulator, const es_channel *channel) {
  const int64_t product = (int64_t)accumulator * channel->multiplier;
  const int32_t high = (int32_t)((product + (INT64_C(1) << 30)) >> 31);
  return es_saturate_s8((high + (accumulator >> 31) + channel->addend) >> channel->shift);
}

#endif /* ES_TYPES_H */
