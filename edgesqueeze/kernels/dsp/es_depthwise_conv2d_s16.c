/* Depthwise convolution with int16 activations and int8 weights, for cores with the DSP extension.
 * SPDX-License-Identifier: Apache-2.0
 *
 * Windows of one row go a channel at a time: its inputs are copied out of a row, with zeros around them, so that two
 * neighbouring taps are a word, and one instruction multiplies both. With dilation they stand in phases: columns 0, d,
 * 2d and so on, then 1, d + 1, and so on. All other windows go pixel by pixel.
 */
#include <string.h>

#include "es_s16.h"

enum { LEAST_OUTPUTS = 8, LEAST_IN_PHASE = 8, MOST_ROW_BYTES = 4096 };

/* What belongs to a channel. */
typedef struct {
  uint32_t weights[5]; /* two taps a word; zeros beyond the last */
  int32_t bias, multiplier, addend, shift;
  int32_t relu; /* whether nothing is below zero */
} channel_data;

/* Outputs of a phase of a row: from where in the copied inputs, and to where. */
typedef struct {
  const int16_t *from;
  int32_t stride; /* values from one window to the next */
  int32_t count;
  int32_t next; /* values from one output to the next */
  int16_t *output;
} phase_data;

/* Words of a channel's weights: 2, 3 or 5. */
static int32_t words_of(const es_conv2d_wide *layer) {
  return layer->kernel_width < 5 ? 2 : layer->kernel_width < 7 ? 3 : 5;
}

/* Values in a phase. */
static int32_t phase_size(const es_conv2d_wide *layer) {
  const int32_t dilation = layer->dilation_width;
  const int32_t columns = (layer->out_width - 1) * layer->stride_width + (2 * words_of(layer) - 1) * dilation + 1;
  return (columns + dilation - 1) / dilation;
}

static int32_t row_bytes(const es_conv2d_wide *layer) { return 2 * phase_size(layer) * layer->dilation_width; }

/* Whether copies pay: for windows of 3 to 10 columns, and rows that are long enough. */
static int takes(const es_conv2d_wide *layer) {
  const int32_t least = layer->dilation_width > 1 ? LEAST_IN_PHASE * layer->dilation_width : LEAST_OUTPUTS;
  return layer->output.wide == ES_WIDE_IN_WORDS && layer->in_channels == layer->out_channels &&
         layer->kernel_height == 1 && layer->pad_top == 0 && layer->kernel_width > 2 && layer->kernel_width < 11 &&
         (layer->dilation_width == 1 || layer->stride_width == 1) && layer->out_width >= least &&
         row_bytes(layer) <= MOST_ROW_BYTES;
}

int32_t es_depthwise_conv2d_s16_scratch_bytes(const es_conv2d_wide *layer) {
  return takes(layer) ? row_bytes(layer) : 0;
}

static __attribute__((noinline)) void prepare(const es_conv2d_wide *layer, int32_t channel, channel_data *data) {
  const es_output_s16 *const output = &layer->output;
  const int8_t *from = layer->weights + channel;
  const int32_t taps = layer->kernel_width;
  memset(data->weights, 0, sizeof data->weights);
  for (int32_t i = 0; i < taps; i += 2, from += 2 * layer->out_channels) {
    data->weights[i / 2] = (uint16_t)from[0] | (i + 1 < taps ? (uint32_t)(int32_t)from[layer->out_channels] << 16 : 0);
  }
  data->bias = (int32_t)output->biases[channel];
  data->multiplier = output->scales[2 * channel];
  data->shift = output->scales[2 * channel + 1];
  data->addend = (int32_t)1 << (data->shift - 1);
  data->relu = output->minimum == 0;
}

/* Copies the inputs of a channel out of a row; what is padding stays as it is. */
static __attribute__((noinline)) void fill(const es_conv2d_wide *layer, const int16_t *input, int32_t size,
                                           int16_t *copy) {
  const int32_t dilation = layer->dilation_width, step = dilation * layer->in_channels;
  const int32_t pad = layer->pad_left, width = layer->in_width;
  for (int32_t phase = 0; phase < dilation; ++phase, copy += size) {
    /* The first column of the phase that lies inside the input. */
    const int32_t first = pad <= phase ? 0 : (pad - phase + dilation - 1) / dilation;
    const int32_t column = first * dilation + phase - pad;
    int32_t left = column < width ? (width - column + dilation - 1) / dilation : 0;
    const int16_t *from = input + column * layer->in_channels;
    int16_t *to = copy + first;
    left = left < size - first ? left : size - first;
    for (; left > 3; left -= 4, to += 4) {
      to[0] = *from;
      from += step;
      to[1] = *from;
      from += step;
      to[2] = *from;
      from += step;
      to[3] = *from;
      from += step;
    }
    for (; left > 0; --left, from += step) {
      *to++ = *from;
    }
  }
}

static inline int32_t add_taps(int32_t sum, const int16_t *from, uint32_t weights) {
  uint32_t two;
  memcpy(&two, from, sizeof two);
  __asm__("smlad %0, %1, %2, %0" : "+r"(sum) : "r"(two), "r"(weights));
  return sum;
}

/* Windows of 2, 3 or 5 words. Sums become what es_requantize_s16 gives for ES_WIDE_IN_WORDS, up to activations other than
 * RELU: SMMLA multiplies and adds what rounds the product's upper half. */
static inline __attribute__((always_inline)) void windows(const channel_data *data, const phase_data *phase, int words,
                                                          int relu) {
  const uint32_t weights0 = data->weights[0], weights1 = data->weights[1], weights2 = data->weights[2];
  const int32_t bias = data->bias, multiplier = data->multiplier, addend = data->addend, shift = data->shift;
  const int16_t *from = phase->from;
  int16_t *output = phase->output;
  const int16_t *const end = from + phase->count * phase->stride;
  for (; from != end; from += phase->stride, output += phase->next) {
    int32_t sum = add_taps(add_taps(bias, from, weights0), from + 2, weights1);
    if (words > 2) {
      sum = add_taps(sum, from + 4, weights2);
    }
    if (words > 3) {
      sum = add_taps(add_taps(sum, from + 6, data->weights[3]), from + 8, data->weights[4]);
    }
    __asm__("smmla %0, %0, %1, %2" : "+r"(sum) : "r"(multiplier), "r"(addend));
    sum >>= shift;
    if (relu) {
      __asm__("usat %0, #15, %0" : "+r"(sum));
    } else {
      __asm__("ssat %0, #16, %0" : "+r"(sum));
    }
    *output = (int16_t)sum;
  }
}

typedef void window_function(const channel_data *data, const phase_data *phase);

/* Functions of their own have registers of their own. */
#define WINDOWS(name, words, relu)                                                                   \
  static __attribute__((noinline)) void name(const channel_data *data, const phase_data *phase) { \
    windows(data, phase, words, relu);                                                              \
  }

WINDOWS(windows_2, 2, 0)
WINDOWS(windows_3, 3, 0)
WINDOWS(windows_2_relu, 2, 1)
WINDOWS(windows_3_relu, 3, 1)
WINDOWS(windows_5, 5, data->relu)

static window_function *function_for(const es_conv2d_wide *layer) {
  const int relu = layer->output.minimum == 0;
  if (words_of(layer) > 3) {
    return windows_5;
  }
  if (words_of(layer) > 2) {
    return relu ? windows_3_relu : windows_3;
  }
  return relu ? windows_2_relu : windows_2;
}

void es_depthwise_conv2d_s16(const es_conv2d_wide *layer, const int16_t *input, int16_t *output, void *scratch) {
  const int32_t channels = layer->out_channels, width = layer->out_width, dilation = layer->dilation_width;
  const int32_t next_row = layer->stride_height * layer->in_width * channels, size = phase_size(layer);
  window_function *const compute = function_for(layer);
  if (!takes(layer)) {
    es_depthwise_pixels_s16(layer, input, output);
    return;
  }
  memset(scratch, 0, (size_t)row_bytes(layer));
  for (int32_t channel = 0; channel < channels; ++channel) {
    phase_data part = {.stride = layer->stride_width, .next = dilation * channels};
    channel_data data;
    prepare(layer, channel, &data);
    for (int32_t y = 0; y < layer->out_height; ++y) {
      fill(layer, input + y * next_row + channel, size, scratch);
      part.from = scratch;
      for (int32_t phase = 0; phase < dilation; ++phase, part.from += size) {
        part.count = (width - phase + dilation - 1) / dilation;
        part.output = output + (y * width + phase) * channels + channel;
        compute(&data, &part);
      }
    }
  }
  es_clamp_outputs_s16(&layer->output, output, layer->out_height * width * channels);
}
