/* Depthwise convolution, any kernel, int8, for MVE: sixteen channels of a pixel at once.
 * SPDX-License-Identifier: Apache-2.0
 *
 * Weights: blocks of sixteen channels, the last one of fewer; in a block tap after tap. None is -128, so that
 * the sum of two products fits into 16 bits.
 * Of a block, the input rows that an output row needs are copied, padding included. They stay until no output
 * row needs them: an input row is read before an output row takes its place, so output and input may be the
 * same memory.
 */
#include <arm_mve.h>

#include "es_conv.h"

enum { BLOCK = 16, QUARTERS = 4, QUARTER = 4 };

/* Parameters of channels j, j + 4, j + 8 and j + 12, which is how sums lie in vectors. */
typedef struct {
  int32_t bias[QUARTER], multiplier[QUARTER], addend[QUARTER], left_shift[QUARTER];
} quarter;

/* One block of channels of a layer, and where its scratch memory is. */
typedef struct {
  const es_conv2d *layer;
  const int8_t *weights;
  int32_t first, count; /* channels */
  int32_t taps;
  int32_t row_bytes, slots; /* copied rows: bytes in each, and how many there are */
  es_channel *channels;
  quarter *quarters;
  int32_t *offsets; /* of each tap from the first copied row, for the first output pixel */
  int8_t *rows;
} block;

static int32_t extent_of(int32_t kernel, int32_t dilation) { return (kernel - 1) * dilation + 1; }

/* Pixels of a copied row: all that some output pixel sees. */
static int32_t row_pixels(const es_conv2d *layer) {
  return (layer->out_width - 1) * layer->stride_width + extent_of(layer->kernel_width, layer->dilation_width);
}

static void unpack_block(const block *b) {
  es_unpack_channels(&b->layer->channels, b->first, b->count, b->channels);
  for (int32_t i = b->count; i < BLOCK; ++i) {
    b->channels[i] = b->channels[0];
  }
  for (int32_t i = 0; i < BLOCK; ++i) {
    const es_channel *const channel = &b->channels[i];
    quarter *const q = &b->quarters[i % QUARTERS];
    q->bias[i / QUARTERS] = channel->bias;
    q->multiplier[i / QUARTERS] = channel->multiplier;
    q->addend[i / QUARTERS] = channel->addend;
    q->left_shift[i / QUARTERS] = -channel->shift;
  }
}

/* Copies input row `row`, which may be one of padding, to its slot. */
static void copy_row(const block *b, const int8_t *input, int32_t row) {
  const es_conv2d *const layer = b->layer;
  const mve_pred16_t valid = vctp8q((uint32_t)b->count);
  const int8x16_t padding = vdupq_n_s8(layer->input_zero_point);
  const int32_t pixels = b->row_bytes / BLOCK;
  const int32_t width = row < 0 || row >= layer->in_height ? 0 : layer->in_width;
  const int8_t *from = input + (row * layer->in_width * layer->in_channels + b->first);
  int8_t *to = b->rows + (row + b->slots) % b->slots * b->row_bytes;
  int32_t x = 0;
  for (; x < layer->pad_left && x < pixels; ++x, to += BLOCK) {
    vstrbq_s8(to, padding);
  }
  for (int32_t i = 0; i < width && x < pixels; ++i, ++x, to += BLOCK) {
    vstrbq_s8(to, vldrbq_z_s8(from, valid));
    from += layer->in_channels;
  }
  for (; x < pixels; ++x, to += BLOCK) {
    vstrbq_s8(to, padding);
  }
}

/* Where the taps are of an output row whose window begins at input row `top`. */
static void set_offsets(const block *b, int32_t top) {
  const es_conv2d *const layer = b->layer;
  int32_t *offset = b->offsets;
  for (int32_t i = 0; i < layer->kernel_height; ++i) {
    const int32_t slot = (top + i * layer->dilation_height + b->slots) % b->slots;
    int32_t place = slot * b->row_bytes;
    for (int32_t j = 0; j < layer->kernel_width; ++j, place += layer->dilation_width * BLOCK) {
      *offset++ = place;
    }
  }
}

/* Sums to outputs, four channels at a time; see es_requantize_s8. */
static inline int32x4_t requantize(int32x4_t sums, const quarter *q) {
  const int32x4_t high = vqrdmulhq_s32(sums, vldrwq_s32(q->multiplier));
  const int32x4_t below = vaddq_s32(high, vshrq_n_s32(sums, 31));
  return vshlq_s32(vaddq_s32(below, vldrwq_s32(q->addend)), vldrwq_s32(q->left_shift));
}

/* Sums of channels 0, 4, 8, 12, then 1, 5, 9, 13, and so on. */
typedef struct {
  int32x4_t of[QUARTERS];
} sums_16;

/* Adds products of even and of odd channels. */
static inline sums_16 add_products(sums_16 sums, int16x8_t even, int16x8_t odd) {
  sums.of[0] = vaddq_s32(sums.of[0], vmovlbq_s16(even));
  sums.of[2] = vaddq_s32(sums.of[2], vmovltq_s16(even));
  sums.of[1] = vaddq_s32(sums.of[1], vmovlbq_s16(odd));
  sums.of[3] = vaddq_s32(sums.of[3], vmovltq_s16(odd));
  return sums;
}

/* The 16 channels of one pixel; `inputs` is the copied pixel of the window's first column. */
static inline int8x16_t pixel(const block *b, const int8_t *inputs, mve_pred16_t valid) {
  const int8_t *weights = b->weights;
  const int32_t *offset = b->offsets;
  const quarter *const q = b->quarters;
  sums_16 sums = {
      {vldrwq_s32(q[0].bias), vldrwq_s32(q[1].bias), vldrwq_s32(q[2].bias), vldrwq_s32(q[3].bias)}};
  for (int32_t pairs = b->taps / 2; pairs > 0; --pairs) {
    const int8x16_t one = vldrbq_s8(inputs + offset[0]), other = vldrbq_s8(inputs + offset[1]);
    const int8x16_t weight = vldrbq_z_s8(weights, valid), next = vldrbq_z_s8(weights + b->count, valid);
    const int16x8_t even = vaddq_s16(vmullbq_int_s8(one, weight), vmullbq_int_s8(other, next));
    const int16x8_t odd = vaddq_s16(vmulltq_int_s8(one, weight), vmulltq_int_s8(other, next));
    sums = add_products(sums, even, odd);
    weights += 2 * b->count;
    offset += 2;
  }
  if (b->taps % 2 != 0) {
    const int8x16_t one = vldrbq_s8(inputs + *offset), weight = vldrbq_z_s8(weights, valid);
    sums = add_products(sums, vmullbq_int_s8(one, weight), vmulltq_int_s8(one, weight));
  }
  int16x8_t even = vqmovnbq_s32(vuninitializedq_s16(), requantize(sums.of[0], &q[0]));
  even = vqmovntq_s32(even, requantize(sums.of[2], &q[2]));
  int16x8_t odd = vqmovnbq_s32(vuninitializedq_s16(), requantize(sums.of[1], &q[1]));
  odd = vqmovntq_s32(odd, requantize(sums.of[3], &q[3]));
  return vqmovntq_s16(vqmovnbq_s16(vuninitializedq_s8(), even), odd);
}

static void compute_block(const block *b, const int8_t *input, int8_t *output) {
  const es_conv2d *const layer = b->layer;
  const mve_pred16_t valid = vctp8q((uint32_t)b->count);
  const int32_t step = layer->stride_width * BLOCK;
  int32_t next = -layer->pad_top; /* the first row that is not copied yet */
  output += b->first;
  for (int32_t y = 0; y < layer->out_height; ++y) {
    const int32_t top = y * layer->stride_height - layer->pad_top;
    next = next < top ? top : next;
    for (; next < top + b->slots; ++next) {
      copy_row(b, input, next);
    }
    set_offsets(b, top);
    const int8_t *inputs = b->rows;
    for (int32_t x = layer->out_width; x > 0; --x, inputs += step, output += layer->out_channels) {
      vstrbq_p_s8(output, pixel(b, inputs, valid), valid);
    }
  }
}

static int32_t offset_bytes(const es_conv2d *layer) {
  return (4 * layer->kernel_height * layer->kernel_width + 15) & ~15;
}

void es_depthwise_conv2d_s8(const es_conv2d *layer, const int8_t *input, int8_t *output, void *scratch) {
  block b;
  b.layer = layer;
  b.weights = layer->weights;
  b.taps = layer->kernel_height * layer->kernel_width;
  b.row_bytes = BLOCK * row_pixels(layer);
  b.slots = extent_of(layer->kernel_height, layer->dilation_height);
  b.channels = (es_channel *)scratch;
  b.quarters = (quarter *)(void *)(b.channels + BLOCK);
  b.offsets = (int32_t *)(void *)(b.quarters + QUARTERS);
  b.rows = (int8_t *)b.offsets + offset_bytes(layer);
  for (b.first = 0; b.first < layer->in_channels; b.first += BLOCK) {
    const int32_t left = layer->in_channels - b.first;
    b.count = left < BLOCK ? left : BLOCK;
    unpack_block(&b);
    compute_block(&b, input, output);
    b.weights += b.taps * b.count;
  }
}

int32_t es_depthwise_conv2d_s8_scratch_bytes(const es_conv2d *layer) {
  const int32_t rows = extent_of(layer->kernel_height, layer->dilation_height);
  const int32_t parameters = (int32_t)(BLOCK * sizeof(es_channel) + QUARTERS * sizeof(quarter));
  return parameters + offset_bytes(layer) + BLOCK * rows * row_pixels(layer);
}
