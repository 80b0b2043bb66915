/* Max pooling with the DSP extension: eight channels of one output pixel at a time.
 * SPDX-License-Identifier: Apache-2.0
 */
#include <string.h>

#include "es_pool.h"

static inline uint32_t load_4(const int8_t *from) {
  uint32_t bytes;
  memcpy(&bytes, from, sizeof bytes);
  return bytes;
}

static inline uint32_t four_of(int8_t value) { return (uint8_t)value * UINT32_C(0x01010101); }

/* The larger of four pairs of int8. SSUB8 leaves in the GE flags which of a's bytes are not below b's, and
 * SEL chooses by them. */
static inline uint32_t max_4(uint32_t a, uint32_t b) {
  uint32_t differences;
  __asm__("ssub8 %1, %0, %2\n\tsel %0, %0, %2" : "+r"(a), "=&r"(differences) : "r"(b) : "cc");
  return a;
}

/* The smaller of four pairs of int8, written. */
static inline void write_min_4(uint32_t a, uint32_t b, int8_t *output) {
  uint32_t differences;
  __asm__("ssub8 %1, %0, %2\n\tsel %0, %2, %0" : "+r"(a), "=&r"(differences) : "r"(b) : "cc");
  memcpy(output, &a, sizeof a);
}

/* Raises low and high to the largest values of channels 0 to 3 and 4 to 7 of an area.
 *   pixel   the pixel to be read, row by row
 *   y, x    rows that are left, pixels of the row that are left
 *   a, b    the pixel's channels 0 to 3 and 4 to 7
 *   t       differences that nobody needs
 *   skip    bytes from behind a row to the next row
 * SSUB8 and SEL leave the flags of SUBS alone. */
static inline void max_area_8(const es_area *area, uint32_t *low, uint32_t *high) {
  const int32_t skip = area->row_stride - area->columns * area->column_stride;
  const int8_t *pixel = area->first;
  int32_t y = area->rows, x;
  uint32_t a, b, t;
  __asm__("1:\n\t"
          "mov %[x], %[columns]\n"
          "2:\n\t"
          "ldr %[a], [%[pixel]]\n\t"
          "ldr %[b], [%[pixel], #4]\n\t"
          "add %[pixel], %[pixel], %[stride]\n\t"
          "ssub8 %[t], %[low], %[a]\n\t"
          "sel %[low], %[low], %[a]\n\t"
          "ssub8 %[t], %[high], %[b]\n\t"
          "sel %[high], %[high], %[b]\n\t"
          "subs %[x], %[x], #1\n\t"
          "bne 2b\n\t"
          "add %[pixel], %[pixel], %[skip]\n\t"
          "subs %[y], %[y], #1\n\t"
          "bne 1b"
          : [pixel] "+&r"(pixel), [y] "+&r"(y), [low] "+&r"(*low), [high] "+&r"(*high), [x] "=&r"(x),
            [a] "=&r"(a), [b] "=&r"(b), [t] "=&r"(t)
          : [columns] "r"(area->columns), [stride] "r"(area->column_stride), [skip] "r"(skip)
          : "cc", "memory");
}

/* The largest value of each of the first four channels of an area, but at least the given ones. */
static uint32_t max_area_4(const es_area *area, uint32_t largest) {
  const int8_t *row = area->first;
  for (int32_t y = area->rows; y != 0; --y) {
    const int8_t *pixel = row;
    for (int32_t x = area->columns; x != 0; --x) {
      largest = max_4(largest, load_4(pixel));
      pixel += area->column_stride;
    }
    row += area->row_stride;
  }
  return largest;
}

/* The largest value of the first channel, but at least the given one. */
static int32_t max_area_1(const es_area *area, int32_t largest) {
  const int8_t *row = area->first;
  for (int32_t y = area->rows; y != 0; --y) {
    const int8_t *pixel = row;
    for (int32_t x = area->columns; x != 0; --x) {
      largest = *pixel > largest ? *pixel : largest;
      pixel += area->column_stride;
    }
    row += area->row_stride;
  }
  return largest;
}

/* All channels of an output pixel, from the first input channel of its window on. */
static void write_pixel(const es_pool *layer, es_area window, int8_t *output) {
  const uint32_t minima = four_of(layer->minimum), maxima = four_of(layer->maximum);
  int32_t left = layer->channels;
  for (; left >= 8; left -= 8) {
    uint32_t low = minima, high = minima;
    max_area_8(&window, &low, &high);
    write_min_4(low, maxima, output);
    write_min_4(high, maxima, output + 4);
    window.first += 8;
    output += 8;
  }
  if (left >= 4) {
    write_min_4(max_area_4(&window, minima), maxima, output);
    window.first += 4;
    output += 4;
    left -= 4;
  }
  for (; left > 0; --left) {
    const int32_t largest = max_area_1(&window, layer->minimum);
    *output++ = (int8_t)(largest < layer->maximum ? largest : layer->maximum);
    ++window.first;
  }
}

void es_max_pool_s8(const es_pool *layer, const int8_t *input, int8_t *output) {
  for (int32_t out_y = 0; out_y < layer->out_height; ++out_y) {
    for (int32_t out_x = 0; out_x < layer->out_width; ++out_x) {
      write_pixel(layer, es_window_of(layer, input, out_y, out_x), output);
      output += layer->channels;
    }
  }
}
