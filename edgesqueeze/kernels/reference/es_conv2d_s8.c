/* 2-D convolution, int8, portable.
 * SPDX-License-Identifier: Apache-2.0
 */
#include <string.h>

#include "es_conv.h"
#include "es_conv2d_pair_s8.h"

/* Inputs go to `to` without gaps or, with `words`, four by four with gaps of four bytes, which is what the
 * computation of two pixels wants; then `bytes` is a multiple of four. Returns where the next inputs go. */
static inline int8_t *copy(int8_t *to, const int8_t *from, int32_t bytes, int32_t words) {
  if (words) {
    for (int32_t i = bytes / 4; i > 0; --i) {
      memcpy(__builtin_assume_aligned(to, 4), __builtin_assume_aligned(from, 4), 4);
      from += 4;
      to += 8;
    }
    return to;
  }
  for (int32_t i = bytes / 4; i > 0; --i) { /* compilers move a word where cores allow it at any address */
    const int8_t a = from[0], b = from[1], c = from[2], d = from[3];
    to[0] = a;
    to[1] = b;
    to[2] = c;
    to[3] = d;
    from += 4;
    to += 4;
  }
  for (int32_t i = bytes % 4; i > 0; --i) {
    *to++ = *from++;
  }
  return to;
}

/* The same for padding. */
static inline int8_t *fill(int8_t *to, int8_t value, int32_t bytes, int32_t words) {
  if (words) {
    for (int32_t i = bytes / 4; i > 0; --i) {
      memset(__builtin_assume_aligned(to, 4), value, 4);
      to += 8;
    }
    return to;
  }
  memset(to, value, (size_t)bytes);
  return to + bytes;
}

static int32_t clamp(int32_t value, int32_t low, int32_t high) {
  return value < low ? low : (value > high ? high : value);
}

/* Copies the inputs of an output pixel whose window lies inside the input, where it begins at `offset`. The
 * columns of the kernel are neighbours. */
static void gather_inside(const es_conv2d *layer, const int8_t *input, int32_t offset, int8_t *to) {
  const int32_t bytes = layer->kernel_width * layer->in_channels;
  const int32_t words = layer->in_channels % 4 == 0;
  const int32_t step = layer->dilation_height * layer->in_width * layer->in_channels;
  for (int32_t i = layer->kernel_height; i > 0; --i) {
    to = copy(to, input + offset, bytes, words);
    offset += step;
  }
}

/* The same for a window that begins at input row `top` and column `left`. */
static void gather_border(const es_conv2d *layer, const int8_t *input, int32_t top, int32_t left,
                          int8_t *to) {
  const int32_t in_channels = layer->in_channels;
  const int32_t in_height = layer->in_height;
  const int32_t words = in_channels % 4 == 0;
  const int32_t begin = clamp(-left, 0, layer->kernel_width);
  const int32_t end = clamp(layer->in_width - left, begin, layer->kernel_width);
  const int32_t before = begin * in_channels;
  const int32_t inside = (end - begin) * in_channels;
  const int32_t behind = (layer->kernel_width - end) * in_channels;
  const int32_t step = layer->dilation_height * layer->in_width * in_channels;
  int32_t offset = (top * layer->in_width + left + begin) * in_channels;
  for (int32_t i = layer->kernel_height; i > 0; --i) {
    if (top < 0 || top >= in_height || inside == 0) {
      to = fill(to, layer->input_zero_point, before + inside + behind, words);
    } else {
      if (before > 0) {
        to = fill(to, layer->input_zero_point, before, words);
      }
      to = copy(to, input + offset, inside, words);
      if (behind > 0) {
        to = fill(to, layer->input_zero_point, behind, words);
      }
    }
    top += layer->dilation_height;
    offset += step;
  }
}

/* The same for columns that are not neighbours. */
static void gather_dilated(const es_conv2d *layer, const int8_t *input, int32_t top, int32_t left,
                           int8_t *to) {
  const int32_t in_channels = layer->in_channels;
  const int32_t words = in_channels % 4 == 0;
  for (int32_t i = 0; i < layer->kernel_height; ++i) {
    const int32_t row = top + i * layer->dilation_height;
    for (int32_t j = 0; j < layer->kernel_width; ++j) {
      const int32_t column = left + j * layer->dilation_width;
      if (row < 0 || row >= layer->in_height || column < 0 || column >= layer->in_width) {
        to = fill(to, layer->input_zero_point, in_channels, words);
      } else {
        to = copy(to, input + (row * layer->in_width + column) * in_channels, in_channels, words);
      }
    }
  }
}

/* Kept apart from its caller, or GCC runs out of registers in the loops. */
__attribute__((noinline)) static void gather(const es_conv2d *layer, const int8_t *input, int32_t top,
                                             int32_t left, int8_t *to) {
  const int32_t bottom = top + (layer->kernel_height - 1) * layer->dilation_height;
  const int32_t right = left + layer->kernel_width - 1;
  if (layer->dilation_width != 1) {
    gather_dilated(layer, input, top, left, to);
  } else if (top < 0 || left < 0 || bottom >= layer->in_height || right >= layer->in_width) {
    gather_border(layer, input, top, left, to);
  } else {
    gather_inside(layer, input, (top * layer->in_width + left) * layer->in_channels, to);
  }
}

void es_conv2d_s8(const es_conv2d *layer, const int8_t *input, int8_t *output, void *scratch) {
  const int32_t taps = layer->kernel_height * layer->kernel_width * layer->in_channels;
  const int32_t out_channels = layer->out_channels;
  const int32_t pitch = es_conv2d_pitch(layer);
  const int32_t in_words = layer->in_channels % 4 == 0;
  es_channel *const channels = (es_channel *)scratch;
  int8_t *const inputs = (int8_t *)&channels[out_channels];
  int8_t *const window = inputs + es_conv2d_pair_bytes(taps, 2); /* used if not in_words */
  es_conv2d_pair pair = {layer->weights, inputs, taps, channels, output, output, out_channels};
  int32_t place = 0; /* 0: first of two pixels, 4: second */
  es_unpack_channels(&layer->channels, 0, out_channels, channels);
  for (int32_t y = 0; y < layer->out_height; ++y) {
    const int32_t top = y * layer->stride_height - layer->pad_top;
    int32_t left = -layer->pad_left;
    for (int32_t x = 0; x < layer->out_width; ++x) {
      int8_t *const to = in_words ? inputs + place : window;
      gather(layer, input, top, left, to);
      if (!in_words) {
        es_conv2d_spread_s8(window, taps, inputs + place);
      }
      if (place == 0) {
        pair.first = output;
        place = 4;
      } else {
        pair.second = output;
        es_conv2d_pair_s8(&pair);
        place = 0;
      }
      left += layer->stride_width;
      output += pitch;
    }
  }
  if (place != 0) { /* a last pixel of an odd number */
    pair.second = pair.first;
    es_conv2d_pair_s8(&pair);
  }
}

int32_t es_conv2d_s8_scratch_bytes(const es_conv2d *layer) {
  const int32_t taps = layer->kernel_height * layer->kernel_width * layer->in_channels;
  const int32_t pixels = layer->in_channels % 4 == 0 ? 2 : 3;
  return (int32_t)sizeof(es_channel) * layer->out_channels + es_conv2d_pair_bytes(taps, pixels);
}
