/* Average pooling with the DSP extension: four channels of one output pixel at a time.
 * SPDX-License-Identifier: Apache-2.0
 */
#include <string.h>

#include "es_pool.h"

/* Inlined, it would be there several times, or its loop unrolled. */
#define ES_APART static __attribute__((__noinline__))

/* Of so many pixels the sums fit into 16 bits, with what is added for rounding. */
enum { MOST = 128 };

/* How to divide by a number of pixels. */
typedef struct {
  int32_t count, half;
  int32_t shift; /* count is 2^shift; -1: it is no power of two */
} divisor;

ES_APART divisor divisor_of(int32_t count) {
  divisor by = {count, count / 2, -1};
  if ((count & (count - 1)) == 0) {
    for (by.shift = 0; 1 << by.shift < count; ++by.shift) {
    }
  }
  return by;
}

/* A sum divided by the number of pixels, halves away from zero, within the range of the fused activation. */
static inline int32_t mean_of(const es_pool *layer, divisor by, int32_t sum) {
  int32_t mean;
  if (by.shift >= 0) {
    mean = (sum + by.half + (sum < 0 && by.half > 0 ? -1 : 0)) >> by.shift;
  } else {
    mean = (sum > 0 ? sum + by.half : sum - by.half) / by.count;
  }
  mean = mean < layer->minimum ? layer->minimum : mean;
  return mean < layer->maximum ? mean : layer->maximum;
}

/* Adds bytes 0 and 2 of a word to two sums of 16 bits. */
static inline uint32_t add_even(uint32_t sums, uint32_t word) {
  uint32_t result;
  __asm__("sxtab16 %0, %1, %2" : "=r"(result) : "r"(sums), "r"(word));
  return result;
}

/* Adds bytes 1 and 3. */
static inline uint32_t add_odd(uint32_t sums, uint32_t word) {
  uint32_t result;
  __asm__("sxtab16 %0, %1, %2, ror #8" : "=r"(result) : "r"(sums), "r"(word));
  return result;
}

static inline uint32_t add_halves(uint32_t a, uint32_t b) {
  uint32_t result;
  __asm__("sadd16 %0, %1, %2" : "=r"(result) : "r"(a), "r"(b));
  return result;
}

static inline uint32_t subtract_halves(uint32_t a, uint32_t b) {
  uint32_t result;
  __asm__("ssub16 %0, %1, %2" : "=r"(result) : "r"(a), "r"(b));
  return result;
}

/* Two sums of 2^shift int8 to means in bytes 0 and 2: halves away from zero. */
static inline uint32_t means_2(uint32_t sums, divisor by) {
  const uint32_t ones = by.half > 0 ? 0x00010001u : 0u;
  const uint32_t rounded = add_halves(sums, (uint32_t)by.half * 0x00010001u);
  return (subtract_halves(rounded, (sums >> 15) & ones) >> by.shift) & 0x00FF00FFu;
}

/* Means of at least one sum. */
ES_APART void write_means(const es_pool *layer, divisor by, const int32_t *sums, int32_t outputs,
                          int8_t *output) {
  const int32_t *const end = sums + outputs;
  do {
    *output++ = (int8_t)mean_of(layer, by, *sums++);
  } while (sums != end);
}

/* Means of the channels 0 and 2 and of the channels 1 and 3. */
static inline void write_4(const es_pool *layer, divisor by, uint32_t even, uint32_t odd, int8_t *output) {
  if (by.shift >= 0 && layer->minimum == -128 && layer->maximum == 127) {
    const uint32_t word = means_2(even, by) | means_2(odd, by) << 8;
    memcpy(output, &word, sizeof word);
    return;
  }
  const int32_t sums[4] = {(int16_t)even, (int16_t)odd, (int32_t)even >> 16, (int32_t)odd >> 16};
  write_means(layer, by, sums, 4, output);
}

/* Four channels of at most MOST pixels. */
ES_APART void mean_4(const es_pool *layer, const es_area *area, divisor by, int8_t *output) {
  uint32_t even = 0, odd = 0;
  const int8_t *row = area->first;
  for (int32_t y = area->rows; y > 0; --y, row += area->row_stride) {
    const int8_t *pixel = row;
    for (int32_t x = area->columns; x > 0; --x, pixel += area->column_stride) {
      uint32_t word;
      memcpy(&word, pixel, sizeof word);
      even = add_even(even, word);
      odd = add_odd(odd, word);
    }
  }
  write_4(layer, by, even, odd, output);
}

/* The channels of 2x2 pixels by fours, without the range of a fused activation. */
ES_APART void mean_2x2(const es_area *area, int32_t channels, int8_t *output) {
  const divisor by = {4, 2, 2};
  const int32_t right = area->column_stride, below = area->row_stride;
  const int8_t *pixel = area->first;
  for (; channels >= 4; channels -= 4, pixel += 4, output += 4) {
    uint32_t a, b, c, d;
    memcpy(&a, pixel, sizeof a);
    memcpy(&b, pixel + right, sizeof b);
    memcpy(&c, pixel + below, sizeof c);
    memcpy(&d, pixel + below + right, sizeof d);
    const uint32_t even = add_even(add_even(add_even(add_even(0, a), b), c), d);
    const uint32_t odd = add_odd(add_odd(add_odd(add_odd(0, a), b), c), d);
    const uint32_t word = means_2(even, by) | means_2(odd, by) << 8;
    memcpy(output, &word, sizeof word);
  }
}

/* What is left of a pixel's channels, or all of a large window. */
ES_APART void mean_any(const es_pool *layer, const es_area *area, divisor by, int32_t left, int8_t *output) {
  es_area window = *area;
  while (left > 0) {
    int32_t sums[8];
    const int32_t outputs = es_sum_s8(&window, left, sums);
    write_means(layer, by, sums, outputs, output);
    output += outputs;
    window.first += outputs;
    left -= outputs;
  }
}

void es_average_pool_s8(const es_pool *layer, const int8_t *input, int8_t *output) {
  divisor by = divisor_of(1);
  for (int32_t out_y = 0; out_y < layer->out_height; ++out_y) {
    for (int32_t out_x = 0; out_x < layer->out_width; ++out_x) {
      es_area window = es_window_of(layer, input, out_y, out_x);
      int32_t left = layer->channels;
      if (window.rows * window.columns != by.count) {
        by = divisor_of(window.rows * window.columns);
      }
      if (window.rows == 2 && window.columns == 2 && layer->minimum == -128 && layer->maximum == 127) {
        mean_2x2(&window, left, output);
        output += left & ~3;
        window.first += left & ~3;
        left &= 3;
      } else if (by.count <= MOST) {
        for (; left >= 4; left -= 4, output += 4, window.first += 4) {
          mean_4(layer, &window, by, output);
        }
      }
      if (left > 0) {
        mean_any(layer, &window, by, left, output);
        output += left;
      }
    }
  }
}
