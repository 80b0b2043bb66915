/* The multiplications at the heart of the MVE convolutions: four pixels by all output channels.
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef ES_MULTIPLY_S8_H
#define ES_MULTIPLY_S8_H

#include "es_conv.h"

enum {
  ES_MULTIPLY_PIXELS = 4,
  ES_MULTIPLY_CHANNELS = 4 /* output channels that are computed together */
};

/* What the two functions below work on. The order of the members is known to the assembly.
 *
 * A pixel is `taps` bytes. Weights are packed by pairs of output channels: first `tail` = 1 to 16
 * weights of one channel and as many of the other, so that what remains is a multiple of 16; then
 * alternately 16 weights of one and 16 of the other. */
typedef struct {
  const int8_t *pixels[ES_MULTIPLY_PIXELS]; /* for the assembly */
  int32_t tail;                             /* weights of a channel in the first step: 1 to 16 */
  int32_t skip;                             /* 16 - tail */
  int32_t rounds;      /* steps of 16 after the first one, in fours, rounded up */
  int32_t first_round; /* bytes of code that the first, shorter round runs through */
  const int8_t *weights;
  const es_channel *channel;      /* for the assembly */
  const es_channel *channels_end; /* a multiple of four channels behind `channels` */
  uintptr_t output; /* address of the first output minus address of the channels / 16 */
  uint32_t offsets[ES_MULTIPLY_PIXELS]; /* of the pixels' outputs from the first, multiples of 4 */
  const es_channel *channels;           /* with negative shifts, 16-byte aligned */
  int32_t groups;                       /* of four pixels */
  int32_t group_step;                   /* bytes from the outputs of a group to those of the next */
  const int8_t *const *list;            /* where the pixels are, less `skip` bytes each */
} es_multiply;

/* Prepares a layer: unpacks its channels to scratch memory (16-byte aligned, 16 bytes a channel;
 * their shifts become negative) and sets the members that stay the same for the whole layer. */
void es_multiply_begin(es_multiply *block, const es_conv2d *layer, int32_t taps,
                       es_channel *channels);

/* Writes the addresses of `count` >= 1 pixels that are `step` bytes apart to a list. */
void es_multiply_list(const int8_t **list, const int8_t *pixel, int32_t step, int32_t count);

/* Computes all channels of `count` pixels and stores the results one pixel after the other. `list`
 * holds the addresses of the pixels, less block->skip bytes each, and has room for a multiple of
 * four. `staging` are 4 * out_channels bytes, 4-byte aligned, that are used only when out_channels
 * is not a multiple of 4. */
void es_multiply_pixels(es_multiply *block, const es_conv2d *layer, const int8_t **list,
                        int32_t count, int8_t *output, int8_t *staging);

/* The loops over groups of pixels and over channels, for pixels of more than 16 bytes. */
void es_multiply_any_s8(const es_multiply *block);

/* The same for pixels of at most 16 bytes. */
void es_multiply_16_s8(const es_multiply *block);

#endif /* ES_MULTIPLY_S8_H */
