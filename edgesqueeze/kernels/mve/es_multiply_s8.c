/* Four pixels by all output channels of a convolution, int8, for MVE.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "es_multiply_s8.h"

#include <arm_mve.h>

enum {
  STEP = 16,           /* multiplications of one VMLADAVA */
  STEPS_A_ROUND = 4,   /* steps that the assembly unrolls */
  STEP_CODE_BYTES = 56 /* 14 instructions */
};

static void negate_shifts(es_channel *channels, int32_t count) {
  const uint32x4_t offsets = vidupq_n_u32(0, 4); /* in words: a channel has four */
  for (; count > 0; count -= 4, channels += 4) {
    const mve_pred16_t valid = vctp32q((uint32_t)count);
    int32_t *const shifts = &channels->shift;
    const int32x4_t positive = vldrwq_gather_shifted_offset_z_s32(shifts, offsets, valid);
    vstrwq_scatter_shifted_offset_p_s32(shifts, offsets, vnegq_s32(positive), valid);
  }
}

void es_multiply_begin(es_multiply *block, const es_conv2d *layer, int32_t taps,
                       es_channel *channels) {
  const int32_t count = layer->out_channels;
  es_unpack_channels(&layer->channels, 0, count, channels);
  negate_shifts(channels, count);
  const int32_t steps = (taps - 1) / STEP; /* after the first */
  block->tail = taps - steps * STEP;
  block->skip = STEP - block->tail;
  block->rounds = (steps + STEPS_A_ROUND - 1) / STEPS_A_ROUND;
  block->first_round = steps == 0 ? 0 : STEP_CODE_BYTES * ((steps - 1) % STEPS_A_ROUND + 1);
  block->weights = layer->weights;
  block->channels = channels;
  block->channels_end = channels + count - count % ES_MULTIPLY_CHANNELS;
}

__attribute__((naked, noinline)) void es_multiply_list(const int8_t **list __attribute__((unused)),
                                                       const int8_t *pixel __attribute__((unused)),
                                                       int32_t step __attribute__((unused)),
                                                       int32_t count __attribute__((unused))) {
  __asm__ volatile(
      "mov r12, lr\n"
      "dls lr, r3\n"
      "1:\n"
      "str r1, [r0], #4\n"
      "add r1, r1, r2\n"
      "le lr, 1b\n"
      "bx r12\n");
}

/* Groups whose pixels' outputs are `stride` bytes apart; those of pixels from `count` on repeat the
 * last. */
static void compute(es_multiply *block, const int8_t *const *list, int32_t groups, int8_t *output,
                    int32_t stride, int32_t count) {
  block->list = list;
  block->groups = groups;
  block->group_step = ES_MULTIPLY_PIXELS * stride;
  block->output = (uintptr_t)output - ((uintptr_t)block->channels >> 4);
  for (int32_t i = 0; i < ES_MULTIPLY_PIXELS; ++i) {
    block->offsets[i] = (uint32_t)(stride * (i < count ? i : count - 1));
  }
  if (block->rounds == 0) {
    es_multiply_16_s8(block);
  } else {
    es_multiply_any_s8(block);
  }
}

/* One output of one of the last channels, whose weights are not packed in pairs. */
static int8_t multiply_one(const int8_t *pixel, const int8_t *weights, int32_t taps,
                           const es_channel *channel) {
  int32_t sum = channel->bias;
  for (int32_t left = taps; left > 0; left -= STEP) {
    const mve_pred16_t valid = vctp8q((uint32_t)left);
    sum = vmladavaq_p_s8(sum, vldrbq_z_s8(pixel, valid), vldrbq_z_s8(weights, valid), valid);
    pixel += STEP;
    weights += STEP;
  }
  const es_channel right = {channel->bias, channel->multiplier, channel->addend, -channel->shift};
  return es_requantize_s8(sum, &right);
}

/* A group for a number of channels that is no multiple of four: words are stored to `staging` and
 * copied. Kept apart, so that other layers do not pay for it. */
__attribute__((noinline)) static void compute_uneven(es_multiply *block, const es_conv2d *layer,
                                                     const int8_t *const *list, int32_t count,
                                                     int8_t *output, int8_t *staging) {
  const int32_t channels = layer->out_channels;
  const int32_t blocked = channels - channels % ES_MULTIPLY_CHANNELS;
  const int32_t taps = layer->kernel_height * layer->kernel_width * layer->in_channels;
  if (blocked > 0) {
    compute(block, list, 1, staging, blocked, count);
  }
  for (int32_t pixel = 0; pixel < count; ++pixel, output += es_conv2d_pitch(layer)) {
    for (int32_t i = 0; i < blocked; ++i) {
      output[i] = *staging++;
    }
    for (int32_t i = blocked; i < channels; ++i) {
      const int8_t *const weights = layer->weights + i * taps;
      output[i] = multiply_one(list[pixel] + block->skip, weights, taps, &block->channels[i]);
    }
  }
}

void es_multiply_pixels(es_multiply *block, const es_conv2d *layer, const int8_t **list,
                        int32_t count, int8_t *output, int8_t *staging) {
  const int32_t channels = layer->out_channels;
  const int32_t pitch = es_conv2d_pitch(layer);
  const int32_t rest = count % ES_MULTIPLY_PIXELS;
  const int32_t groups = count / ES_MULTIPLY_PIXELS;
  for (int32_t i = count; rest != 0 && i % ES_MULTIPLY_PIXELS != 0; ++i) {
    list[i] = list[count - 1];
  }
  if (channels % ES_MULTIPLY_CHANNELS != 0) {
    for (; count > 0; count -= ES_MULTIPLY_PIXELS) {
      const int32_t pixels = count < ES_MULTIPLY_PIXELS ? count : ES_MULTIPLY_PIXELS;
      compute_uneven(block, layer, list, pixels, output, staging);
      list += ES_MULTIPLY_PIXELS;
      output += ES_MULTIPLY_PIXELS * pitch;
    }
    return;
  }
  if (groups > 0) {
    compute(block, list, groups, output, pitch, ES_MULTIPLY_PIXELS);
  }
  if (rest > 0) {
    compute(block, list + count - rest, 1, output + (count - rest) * pitch, pitch, rest);
  }
}
