/* Tiles and strips of the portable depthwise convolutions.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "es_depthwise_tiles_s8.h"

#include <string.h>

/* Sizes of the copy of a strip's inputs. */
typedef struct {
  int32_t extent;  /* input rows that an output row needs */
  int32_t columns; /* pixels of a copied row */
  int32_t rows;    /* output rows of a strip */
} strip_size;

static int32_t smaller(int32_t a, int32_t b) {
  return a < b ? a : b;
}

static strip_size measure(const es_conv2d *layer, int32_t out_width) {
  strip_size size;
  size.extent = (layer->kernel_height - 1) * layer->dilation_height + 1;
  size.columns = (out_width - 1) * layer->stride_width + (layer->kernel_width - 1) * layer->dilation_width + 1;
  size.rows = 1;
  const int32_t fit = ES_DEPTHWISE_COPY_BYTES / (ES_DEPTHWISE_TILE * size.columns);
  if (fit > size.extent) {
    size.rows = smaller((fit - size.extent) / layer->stride_height + 1, layer->out_height);
  }
  return size;
}

int32_t es_depthwise_tiles_s8_bytes(const es_conv2d *layer, int32_t out_width) {
  const strip_size size = measure(layer, out_width);
  const int32_t rows = (size.rows - 1) * layer->stride_height + size.extent;
  return ES_DEPTHWISE_TILE * ((int32_t)sizeof(es_channel) + rows * size.columns);
}

/* Moves a pixel's four bytes; both addresses are 4-byte aligned. */
static inline void copy_word(int8_t *to, const int8_t *from) {
  memcpy(__builtin_assume_aligned(to, 4), __builtin_assume_aligned(from, 4), 4);
}

static int8_t *fill(int8_t *to, int8_t value, int32_t pixels) {
  for (; pixels > 0; --pixels) {
    memset(__builtin_assume_aligned(to, 4), value, 4);
    to += ES_DEPTHWISE_TILE;
  }
  return to;
}

/* Copies input rows `row` to `end` - 1, which count from the top of the padding. `input` begins at the first of
 * the tile's channels. */
static void copy_rows(const es_conv2d *layer, const int8_t *input, int32_t row, int32_t end, int32_t columns,
                      int32_t channels, int8_t *to) {
  const int32_t in_channels = layer->in_channels;
  const int32_t before = smaller(layer->pad_left, columns);
  const int32_t inside = smaller(layer->in_width, columns - before);
  const int8_t padding = layer->input_zero_point;
  for (; row < end; ++row) {
    const int32_t in_row = row - layer->pad_top;
    if (in_row < 0 || in_row >= layer->in_height) {
      to = fill(to, padding, columns);
      continue;
    }
    const int8_t *from = input + in_row * layer->in_width * in_channels;
    to = fill(to, padding, before);
    if (in_channels % ES_DEPTHWISE_TILE == 0) {
      for (int32_t i = inside; i > 0; --i) {
        copy_word(to, from);
        from += in_channels;
        to += ES_DEPTHWISE_TILE;
      }
    } else {
      for (int32_t i = inside; i > 0; --i) {
        for (int32_t k = 0; k < channels; ++k) {
          to[k] = from[k];
        }
        from += in_channels;
        to += ES_DEPTHWISE_TILE;
      }
    }
    to = fill(to, padding, columns - before - inside);
  }
}

void es_depthwise_tiles_s8(const es_conv2d *layer, int32_t out_width, es_depthwise_kernel *kernel,
                           const int8_t *input, int8_t *output, void *scratch) {
  const strip_size size = measure(layer, out_width);
  const int32_t pitch = ES_DEPTHWISE_TILE * size.columns;
  const int32_t taps = layer->kernel_height * layer->kernel_width;
  const int32_t out_row_bytes = layer->out_width * layer->out_channels;
  es_channel *const channels = (es_channel *)scratch;
  int8_t *const copy = (int8_t *)&channels[ES_DEPTHWISE_TILE];
  for (int32_t tile = 0; tile < layer->out_channels; tile += ES_DEPTHWISE_TILE) {
    const int32_t count = smaller(layer->out_channels - tile, ES_DEPTHWISE_TILE);
    int32_t copied = 0; /* input rows, those of padding included */
    es_unpack_channels(&layer->channels, tile, count, channels);
    for (int32_t y = 0; y < layer->out_height; y += size.rows) {
      const int32_t rows = smaller(size.rows, layer->out_height - y);
      const int32_t top = y * layer->stride_height;
      const int32_t end = top + (rows - 1) * layer->stride_height + size.extent;
      if (copied > top) {
        memmove(copy, copy + size.rows * layer->stride_height * pitch, (size_t)((copied - top) * pitch));
      } else {
        copied = top;
      }
      copy_rows(layer, input + tile, copied, end, size.columns, count, copy + (copied - top) * pitch);
      copied = end;
      for (int32_t k = 0; k < count; ++k) {
        es_depthwise_strip strip = {copy + k,
                                    layer->weights + (tile + k) * taps,
                                    pitch,
                                    channels[k],
                                    output + y * out_row_bytes + tile + k,
                                    layer->out_channels,
                                    layer->out_width,
                                    rows,
                                    layer->stride_height * pitch};
        kernel(layer, &strip);
      }
    }
  }
}
