/* Channel parameters from their compact form in flash, for MVE: four channels at a time.
 * SPDX-License-Identifier: Apache-2.0
 */
#include <arm_mve.h>

#include "es_types.h"

enum { TOGETHER = 4 };

/* The members of es_channel, of four channels. */
typedef struct {
  int32x4_t bias, multiplier, shift;
} quartet;

/* The upper 32 bits of mantissa * ratio, normalized and rounded to 31 bits; see the portable
 * kernel. The mantissas fill 32 bits here, so that products are left-aligned in 64 bits. */
static int32x4_t rebuild_multipliers(uint32x4_t mantissas, uint32_t ratio_high,
                                     uint32_t ratio_low) {
  const uint32x4_t carried = vmulhq_u32(mantissas, vdupq_n_u32(ratio_low));
  const uint32x4_t low = vaddq_u32(vmulq_n_u32(mantissas, ratio_high), carried);
  uint32x4_t high = vmulhq_u32(mantissas, vdupq_n_u32(ratio_high));
  high = vaddq_m_n_u32(high, high, 1, vcmphiq_u32(carried, low));
  const uint32x4_t of_31_bits = vaddq_u32(high, vshrq_n_u32(low, 31));
  const uint32x4_t of_32_bits = vrshrq_n_u32(high, 1);
  const mve_pred16_t is_32_bits = vcmpltq_n_s32(vreinterpretq_s32_u32(high), 0);
  return vreinterpretq_s32_u32(vpselq_u32(of_32_bits, of_31_bits, is_32_bits));
}

static quartet unpack_narrow(const es_channels *channels, int32_t first, mve_pred16_t valid) {
  const uint16_t *record = (const uint16_t *)channels->records + 3 * first;
  const uint32x4_t offsets = vmulq_n_u32(vidupq_n_u32(0, 1), 3);
  const uint32x4_t word0 = vldrhq_gather_shifted_offset_z_u32(record, offsets, valid);
  const uint32x4_t word1 = vldrhq_gather_shifted_offset_z_u32(record + 1, offsets, valid);
  const int32x4_t word2 =
      vldrhq_gather_shifted_offset_z_s32((const int16_t *)(record + 2), offsets, valid);
  const uint32x4_t low = vsliq_n_u32(word0, word1, 16);
  const uint32x4_t mantissas = vorrq_u32(vshlq_n_u32(low, 8), vdupq_n_u32(0x80000000u));
  quartet four;
  four.multiplier = rebuild_multipliers(mantissas, channels->ratio_high, channels->ratio_low);
  four.shift = vaddq_n_s32(vreinterpretq_s32_u32(vandq_u32(vshrq_n_u32(low, 23), vdupq_n_u32(7))),
                           channels->base_shift);
  four.bias = vaddq_s32(vshlq_n_s32(word2, 6), vreinterpretq_s32_u32(vshrq_n_u32(low, 26)));
  return four;
}

static quartet unpack_wide(const es_channels *channels, int32_t first, mve_pred16_t valid) {
  const int32_t *record = (const int32_t *)channels->records + 3 * first;
  const uint32x4_t offsets = vmulq_n_u32(vidupq_n_u32(0, 1), 3);
  quartet four;
  four.bias = vldrwq_gather_shifted_offset_z_s32(record, offsets, valid);
  four.multiplier = vldrwq_gather_shifted_offset_z_s32(record + 1, offsets, valid);
  four.shift = vldrwq_gather_shifted_offset_z_s32(record + 2, offsets, valid);
  return four;
}

static quartet unpack_shared(const es_channels *channels, int32_t first, mve_pred16_t valid) {
  quartet four;
  four.bias = vldrwq_z_s32((const int32_t *)channels->records + first, valid);
  four.multiplier = vdupq_n_s32((int32_t)channels->ratio_high);
  four.shift = vdupq_n_s32(channels->base_shift);
  return four;
}

static quartet unpack(const es_channels *channels, int32_t first, mve_pred16_t valid) {
  if (channels->format == ES_CHANNELS_NARROW) {
    return unpack_narrow(channels, first, valid);
  }
  if (channels->format == ES_CHANNELS_WIDE) {
    return unpack_wide(channels, first, valid);
  }
  return unpack_shared(channels, first, valid);
}

void es_unpack_channels(const es_channels *channels, int32_t first, int32_t count,
                        es_channel *unpacked) {
  const uint32x4_t offsets = vidupq_n_u32(0, 4); /* in words: a channel has four */
  const int32x4_t rounding = vdupq_n_s32(2 * channels->output_zero_point + 1);
  for (int32_t i = 0; i < count; i += TOGETHER) {
    const mve_pred16_t valid = vctp32q((uint32_t)(count - i));
    const quartet four = unpack(channels, first + i, valid);
    const int32x4_t addend = vshlq_s32(rounding, vsubq_n_s32(four.shift, 1));
    int32_t *const to = &unpacked[i].bias;
    vstrwq_scatter_shifted_offset_p_s32(to, offsets, four.bias, valid);
    vstrwq_scatter_shifted_offset_p_s32(to + 1, offsets, four.multiplier, valid);
    vstrwq_scatter_shifted_offset_p_s32(to + 2, offsets, addend, valid);
    vstrwq_scatter_shifted_offset_p_s32(to + 3, offsets, four.shift, valid);
  }
}
