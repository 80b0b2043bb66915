/* Convolution with weights that are sorted by their values, int8, portable.
 * SPDX-License-Identifier: Apache-2.0
 */
#include <stddef.h>

#include "es_factored_s8.h"

#define SIGNS 0x00800080u /* adds 128 to both int8 of a word */
#define NOT_INLINE __attribute__((noinline)) /* or registers run out in the loops */

/* Where words come from: rows of the input, or padding. */
typedef struct {
  const int8_t *row; /* NULL: padding */
  int32_t width, channels;
  int8_t padding;
} source;

static inline uint32_t join_two(int8_t first, int8_t second) {
  return ((uint32_t)(uint8_t)first | (uint32_t)(uint8_t)second << 16) ^ SIGNS;
}

#define JOIN(i)                       \
  "ldrb %[a], [%[second], #" i "]\n" \
  "ldrb %[b], [%[first], #" i "]\n"  \
  "lsls %[a], %[a], #16\n"           \
  "orrs %[a], %[b]\n"                \
  "eors %[a], %[signs]\n"            \
  "str %[a], [%[to]]\n"              \
  "adds %[to], %[to], %[bytes]\n"

/* Joins inputs of two columns, channel after channel, in words that are `step` apart. */
NOT_INLINE static void join(uint32_t *to, int32_t step, const int8_t *first, const int8_t *second, int32_t count) {
#if defined(__ARM_ARCH_6M__) || defined(__ARM_ARCH_8M_BASE__)
  const int32_t bytes = (int32_t)sizeof *to * step;
  const uint32_t signs = SIGNS;
  for (; count >= 4; count -= 4) { /* compilers run out of registers */
    uint32_t a, b;
    __asm__ volatile(
        ".syntax unified\n" JOIN("0") JOIN("1") JOIN("2") JOIN("3")
        : [a] "=&l"(a), [b] "=&l"(b), [to] "+l"(to)
        : [first] "l"(first), [second] "l"(second), [bytes] "l"(bytes), [signs] "l"(signs)
        : "cc", "memory");
    first += 4;
    second += 4;
  }
#endif
  for (; count > 0; --count) {
    *to = join_two(*first++, *second++);
    to += step;
  }
}

/* The same where a column may lie outside of the input. */
static void join_some(uint32_t *to, int32_t step, const source *from, int32_t first, int32_t second, int32_t channel,
                      int32_t count) {
  const int32_t has_first = from->row != NULL && first >= 0 && first < from->width;
  const int32_t has_second = from->row != NULL && second >= 0 && second < from->width;
  const int8_t *const a = has_first ? from->row + first * from->channels + channel : &from->padding;
  const int8_t *const b = has_second ? from->row + second * from->channels + channel : &from->padding;
  if (has_first && has_second) {
    join(to, step, a, b, count);
    return;
  }
  for (int32_t i = 0; i < count; ++i) {
    *to = join_two(a[has_first ? i : 0], b[has_second ? i : 0]);
    to += step;
  }
}

/* The words of some channels of a kernel row that begins at column `left`. */
NOT_INLINE static void join_row(const es_conv2d *layer, const es_factored_layout *layout, const source *from,
                                int32_t left, int32_t channel, int32_t count, uint32_t *to) {
  const int32_t stride = layer->stride_width, words = layout->words;
  const int32_t apart = ES_FACTORED_WORDS * stride;
  const int32_t extent = (ES_FACTORED_PIXELS - 1) * stride + (layer->kernel_width - 1) * layer->dilation_width;
  const int32_t inside = from->row != NULL && left >= 0 && left + extent < from->width;
  const int32_t bytes = stride * from->channels, apart_bytes = apart * from->channels;
  for (int32_t run = 0; run < layout->runs; ++run) {
    int32_t column = left + run * layer->dilation_width;
    const int8_t *first = inside ? from->row + column * from->channels + channel : NULL;
    for (int32_t i = run; i < words; i += layout->runs) {
      if (inside) {
        join(to, words, first, first + apart_bytes, count);
        first += bytes;
      } else {
        join_some(to, words, from, column, column + apart, channel, count);
        column += stride;
      }
      ++to;
    }
  }
}

/* The words of eight pixels whose windows begin at input row `top` and column `left`. */
NOT_INLINE static void join_window(const es_conv2d *layer, const es_factored_layout *layout, const int8_t *input, int32_t top,
                        int32_t left, uint32_t *to) {
  source from = {NULL, layer->in_width, layer->in_channels, layer->input_zero_point};
  int32_t room = layout->groups;
  for (int32_t i = 0; i < layer->kernel_height; ++i, top += layer->dilation_height) {
    from.row = top < 0 || top >= layer->in_height ? NULL : input + top * layer->in_width * layer->in_channels;
    for (int32_t channel = 0; channel < layer->in_channels;) {
      const int32_t left_over = layer->in_channels - channel;
      const int32_t count = left_over < room ? left_over : room;
      join_row(layer, layout, &from, left, channel, count, to);
      to += count * layout->words;
      channel += count;
      room -= count;
      if (room == 0) {
        to += ES_FACTORED_WORDS;
        room = layout->groups;
      }
    }
  }
}

/* Words of all segments; behind the last one there is no input of zeros. */
static int32_t words_of(const es_conv2d *layer, const es_factored_layout *layout) {
  const int32_t groups = layer->kernel_height * layer->in_channels;
  const int32_t segments = (groups - 1) / layout->groups;
  return ES_FACTORED_WORDS * segments + groups * layout->words;
}

int32_t es_factored_conv2d_s8_scratch_bytes(const es_conv2d *layer) {
  const es_factored_layout layout = es_factored_layout_of(layer);
  const int32_t most = *(const uint8_t *)layer->weights;
  return (int32_t)sizeof(es_channel) * layer->out_channels +
         (int32_t)sizeof(uint32_t) * (ES_FACTORED_WORDS * most + words_of(layer, &layout));
}

void es_factored_conv2d_s8(const es_conv2d *layer, const int8_t *input, int8_t *output, void *scratch) {
  const es_factored_layout layout = es_factored_layout_of(layer);
  const int32_t pitch = es_conv2d_pitch(layer);
  const int32_t outputs = layer->out_channels;
  const int32_t *const corrections = (const int32_t *)(const void *)(layer->weights + ES_FACTORED_HEAD);
  const int32_t words_count = words_of(layer, &layout);
  es_channel *const channels = (es_channel *)scratch;
  uint32_t *const packed = (uint32_t *)(channels + outputs);
  uint32_t *const words = packed + ES_FACTORED_WORDS * *(const uint8_t *)layer->weights;
  const uint32_t *const end = words + words_count;
  int32_t sums[ES_FACTORED_PIXELS];
  es_unpack_channels(&layer->channels, 0, outputs, channels);
  for (int32_t i = 0; i < outputs; ++i) {
    channels[i].bias += corrections[i];
  }
  for (int32_t i = 0; i < words_count; ++i) {
    words[i] = 0;
  }
  for (int32_t y = 0; y < layer->out_height; ++y) {
    const int32_t top = y * layer->stride_height - layer->pad_top;
    for (int32_t x = 0; x < layer->out_width; x += ES_FACTORED_PIXELS) {
      const int32_t count = layer->out_width - x < ES_FACTORED_PIXELS ? layer->out_width - x : ES_FACTORED_PIXELS;
      const uint8_t *weights = (const uint8_t *)(corrections + outputs);
      join_window(layer, &layout, input, top, x * layer->stride_width - layer->pad_left, words);
      es_factored_channel one = {
          end, packed, sums, channels, output, pitch, count * (int32_t)sizeof *sums,
      };
      for (int32_t i = outputs; i > 0; --i) {
        weights = es_factored_channel_s8(&one, weights, layout.shift);
        ++one.channel;
        ++one.output;
      }
      output += count * pitch;
    }
  }
}
