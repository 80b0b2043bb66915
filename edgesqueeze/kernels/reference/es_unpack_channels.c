/* Channel parameters from their compact form in flash.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "es_types.h"

/* The multiplier is the product of two normalized fractions, mantissa (24 bits) and ratio (64 bits), rounded
 * to 31 bits. The generator has checked for every channel that this gives the very bits of TensorFlow Lite's
 * double-precision computation. */
static inline int32_t rebuild_multiplier(uint32_t mantissa, uint32_t ratio_high, uint32_t ratio_low) {
  uint64_t product = (uint64_t)mantissa * ratio_high + (((uint64_t)mantissa * ratio_low) >> 32);
  if ((product >> 55) == 0) { /* 2^54 to 2^56 */
    product += product;
  }
  return (int32_t)((uint32_t)(product >> 25) + ((uint32_t)(product >> 24) & 1u));
}

void es_unpack_channels(const es_channels *channels, int32_t first, int32_t count, es_channel *unpacked) {
  const int32_t format = channels->format;
  const int32_t size = format == ES_CHANNELS_NARROW ? 6 : (format == ES_CHANNELS_WIDE ? 12 : 4);
  const uint8_t *record = (const uint8_t *)channels->records + size * first;
  const int32_t twice_zero_point = 2 * channels->output_zero_point + 1;
  const uint32_t ratio_high = channels->ratio_high;
  const uint32_t ratio_low = channels->ratio_low;
  const int32_t base_shift = channels->base_shift;
  for (const es_channel *const end = unpacked + count; unpacked != end; ++unpacked, record += size) {
    const uint16_t *const narrow = (const uint16_t *)(const void *)record;
    const int32_t *const wide = (const int32_t *)(const void *)record;
    int32_t bias, multiplier, shift;
    if (format == ES_CHANNELS_NARROW) {
      const uint32_t low = (uint32_t)narrow[0] | ((uint32_t)narrow[1] << 16);
      const int32_t high = (narrow[2] ^ 0x8000) - 0x8000; /* sign-extended */
      bias = high * 64 + (int32_t)(low >> 26);
      multiplier = rebuild_multiplier((low & 0x7FFFFFu) | 0x800000u, ratio_high, ratio_low);
      shift = base_shift + (int32_t)((low >> 23) & 7u);
    } else if (format == ES_CHANNELS_WIDE) {
      bias = wide[0];
      multiplier = wide[1];
      shift = wide[2];
    } else {
      bias = wide[0];
      multiplier = (int32_t)ratio_high;
      shift = base_shift;
    }
    unpacked->bias = bias;
    unpacked->multiplier = multiplier;
    unpacked->addend = twice_zero_point * ((int32_t)1 << (shift - 1));
    unpacked->shift = shift;
  }
}
