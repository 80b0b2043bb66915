/* Sums of channels over an area with the DSP extension: eight channels at once, or one.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "es_pool.h"

/* So many int8 can be added in 16 bits. */
enum { MOST = 256 };

static inline int32_t smaller(int32_t a, int32_t b) { return a < b ? a : b; }

/* Adds eight channels of at most 256 pixels to their sums. SXTAB16 widens bytes 0 and 2 of a register, or
 * after a rotation bytes 1 and 3, and adds them to the halves of another.
 *   pixel           the pixel to be read, row by row
 *   y, x            rows that are left, pixels of the row that are left
 *   a, b            the pixel's channels 0 to 3 and 4 to 7
 *   s02 s13 s46 s57 sums of two channels each, the lower channel in the lower half
 *   skip            bytes from behind a row to the next row */
static inline void add_8(const es_area *area, int32_t sums[8]) {
  /* In memory, because registers run short in builds for debugging. */
  const int32_t columns = area->columns;
  const int32_t skip = area->row_stride - columns * area->column_stride;
  const int8_t *pixel = area->first;
  int32_t y = area->rows, x, s02 = 0, s13 = 0, s46 = 0, s57 = 0;
  uint32_t a, b;
  __asm__("1:\n\t"
          "ldr %[x], %[columns]\n"
          "2:\n\t"
          "ldr %[a], [%[pixel]]\n\t"
          "ldr %[b], [%[pixel], #4]\n\t"
          "add %[pixel], %[pixel], %[stride]\n\t"
          "sxtab16 %[s02], %[s02], %[a]\n\t"
          "sxtab16 %[s13], %[s13], %[a], ror #8\n\t"
          "sxtab16 %[s46], %[s46], %[b]\n\t"
          "sxtab16 %[s57], %[s57], %[b], ror #8\n\t"
          "subs %[x], %[x], #1\n\t"
          "bne 2b\n\t"
          "ldr %[x], %[skip]\n\t"
          "add %[pixel], %[pixel], %[x]\n\t"
          "subs %[y], %[y], #1\n\t"
          "bne 1b"
          : [pixel] "+&r"(pixel), [y] "+&r"(y), [s02] "+&r"(s02), [s13] "+&r"(s13), [s46] "+&r"(s46),
            [s57] "+&r"(s57), [x] "=&r"(x), [a] "=&r"(a), [b] "=&r"(b)
          : [columns] "m"(columns), [stride] "r"(area->column_stride), [skip] "m"(skip)
          : "cc", "memory");
  sums[0] += (int16_t)s02;
  sums[1] += (int16_t)s13;
  sums[2] += s02 >> 16;
  sums[3] += s13 >> 16;
  sums[4] += (int16_t)s46;
  sums[5] += (int16_t)s57;
  sums[6] += s46 >> 16;
  sums[7] += s57 >> 16;
}

/* Eight channels of any area, in parts of at most 256 pixels. */
static void sum_8(const es_area *area, int32_t sums[8]) {
  const int32_t most_rows = area->columns < MOST ? MOST / area->columns : 1;
  es_area part = *area;
  /* Not a loop, which GCC would turn into a call of memset. */
  sums[0] = sums[1] = sums[2] = sums[3] = 0;
  sums[4] = sums[5] = sums[6] = sums[7] = 0;
  for (int32_t y = area->rows; y > 0; y -= most_rows) {
    const int8_t *const row = part.first;
    part.rows = smaller(y, most_rows);
    for (int32_t x = area->columns; x > 0; x -= MOST) {
      part.columns = smaller(x, MOST);
      add_8(&part, sums);
      part.first += MOST * part.column_stride;
    }
    part.first = row + most_rows * part.row_stride;
  }
}

static int32_t sum_1(const es_area *area) {
  int32_t sum = 0;
  const int8_t *row = area->first;
  for (int32_t y = area->rows; y != 0; --y) {
    const int8_t *pixel = row;
    for (int32_t x = area->columns; x != 0; --x) {
      sum += *pixel;
      pixel += area->column_stride;
    }
    row += area->row_stride;
  }
  return sum;
}

int32_t es_sum_s8(const es_area *area, int32_t channels, int32_t sums[8]) {
  if (channels >= 8) {
    sum_8(area, sums);
    return 8;
  }
  sums[0] = sum_1(area);
  return 1;
}
