/* Channel parameters from their compact form in flash.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "es_types.h"

/* The multiplier is the product of two normalized fractions, mantissa (24 bits) and ratio (64 bits), rounded
 * to 31 bits. The generator has checked for every channel that this gives the very bits of TensorFlow Lite's
 * double-precision computation. */
static int32_t rebuild_multiplier(uint32_t mantissa, uint32_t ratio_high, uint32_t ratio_low) {
  const uint64_t product =
      (uint64_t)mantissa * ratio_high + (((uint64_t)mantissa * ratio_low) >> 32); /* 2^54 to 2^56 */
  const uint32_t excess = (uint32_t)(product >> 55);
  const uint32_t drop = 24u + excess;
  return (int32_t)((product + (UINT64_C(1) << (drop - 1u))) >> drop);
}

static void unpack_narrow(const es_channels *channels, int32_t first, int32_t count, es_channel *unpacked) {
  const uint16_t *record = (const uint16_t *)channels->records + 3 * first;
  for (int32_t i = 0; i < count; ++i, record += 3) {
    const uint32_t low = (uint32_t)record[0] | ((uint32_t)record[1] << 16);
    const int32_t high = (record[2] ^ 0x8000) - 0x8000; /* sign-extended */
    unpacked[i].bias = high * 64 + (int32_t)(low >> 26);
    unpacked[i].multiplier = rebuild_multiplier((low & 0x7FFFFFu) | 0x800000u, channels->ratio_high,
                                                channels->ratio_low);
    unpacked[i].shift = channels->base_shift + (int32_t)((low >> 23) & 7u);
  }
}

static void unpack_wide(const es_channels *channels, int32_t first, int32_t count, es_channel *unpacked) {
  const int32_t *record = (const int32_t *)channels->records + 3 * first;
  for (int32_t i = 0; i < count; ++i, record += 3) {
    unpacked[i].bias = record[0];
    unpacked[i].multiplier = record[1];
    unpacked[i].shift = record[2];
  }
}

static void unpack_shared(const es_channels *channels, int32_t first, int32_t count, es_channel *unpacked) {
  const int32_t *record = (const int32_t *)channels->records + first;
  for (int32_t i = 0; i < count; ++i) {
    unpacked[i].bias = record[i];
    unpacked[i].multiplier = (int32_t)channels->ratio_high;
    unpacked[i].shift = channels->base_shift;
  }
}

void es_unpack_channels(const es_channels *channels, int32_t first, int32_t count, es_channel *unpacked) {
  if (channels->format == ES_CHANNELS_NARROW) {
    unpack_narrow(channels, first, count, unpacked);
  } else if (channels->format == ES_CHANNELS_WIDE) {
    unpack_wide(channels, first, count, unpacked);
  } else {
    unpack_shared(channels, first, count, unpacked);
  }
  for (int32_t i = 0; i < count; ++i) {
    const int32_t half = (int32_t)1 << (unpacked[i].shift - 1);
    unpacked[i].addend = (2 * channels->output_zero_point + 1) * half;
  }
}
