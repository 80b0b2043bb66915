/* SPDX-License-Identifier: Apache-2.0
 *
 * A spectrum of 200 bins of 20 Hz, 128 triangles on the mel scale, logarithms, a cosine transform: what
 * torchaudio.transforms.MFCC(8000, n_mfcc=13) does in floating point. Shifts of negative numbers are
 * arithmetic, as with all common compilers.
 */
#include "mfcc.h"

#include "mfcc_tables.h"

enum {
  HALF = MFCC_WINDOW / 2, /* even and odd samples are real and imaginary parts of one transform */
  BINS = HALF + 1,
  WINDOW_SHIFT = 8,
  TURN_SHIFT = 20,
  POWER_SHIFT = 14,
  COSINE_SHIFT = 12,
  PLACES = 8, /* binary places of a logarithm */
  RADIX_MAX = 8
};

typedef struct {
  int32_t re, im;
} complex32;

static int32_t rounded(int64_t sum, int shift) {
  return (int32_t)((sum + (INT64_C(1) << (shift - 1))) >> shift);
}

/* One step of Stockham's transform of HALF numbers. Every sum is of `radix` numbers that are
 * `parts * stride` apart, each turned by a multiple of 1 / HALF of a circle. */
static void step(const complex32 *in, complex32 *out, int radix, int stride) {
  const int parts = HALF / stride / radix;
  for (int p = 0; p < parts; ++p) {
    for (int k = 0; k < radix; ++k) {
      const int32_t *turns[RADIX_MAX];
      int turn = stride * k * p % HALF;
      for (int j = 0; j < radix; ++j) {
        turns[j] = mfcc_turns[2 * turn];
        turn += stride * k * parts;
        turn -= turn >= HALF ? HALF : 0;
      }
      for (int q = 0; q < stride; ++q) {
        const complex32 *x = &in[q + stride * p];
        int64_t re = 0, im = 0;
        for (int j = 0; j < radix; ++j, x += stride * parts) {
          re += (int64_t)x->re * turns[j][0] - (int64_t)x->im * turns[j][1];
          im += (int64_t)x->re * turns[j][1] + (int64_t)x->im * turns[j][0];
        }
        out[q + stride * (radix * p + k)].re = rounded(re, TURN_SHIFT);
        out[q + stride * (radix * p + k)].im = rounded(im, TURN_SHIFT);
      }
    }
  }
}

/* The power of one bin, from the transform of even and odd samples: twice the bin is
 * z[k] + z*[-k] - i turn(k) (z[k] - z*[-k]). */
static uint64_t power(const complex32 *z, int bin) {
  const complex32 one = z[bin % HALF], other = z[(HALF - bin) % HALF];
  const int32_t *turn = mfcc_turns[bin];
  const int64_t odd_re = (int64_t)one.im + other.im, odd_im = (int64_t)other.re - one.re;
  const int64_t re = (int64_t)one.re + other.re +
                     rounded(odd_re * turn[0] - odd_im * turn[1], TURN_SHIFT);
  const int64_t im = (int64_t)one.im - other.im +
                     rounded(odd_re * turn[1] + odd_im * turn[0], TURN_SHIFT);
  return ((uint64_t)(re * re) + (uint64_t)(im * im)) >> POWER_SHIFT;
}

static int16_t logarithm(uint64_t value) {
  int top = 0;
  for (int width = 32; width > 0; width /= 2) {
    if (value >> top >> width != 0) {
      top += width;
    }
  }
  const uint64_t behind = top >= PLACES ? value >> (top - PLACES) : value << (PLACES - top);
  return (int16_t)(value == 0 ? 0 : (top << PLACES) + mfcc_logarithms[behind & 0xff]);
}

void mfcc_bands(const int16_t *samples, mfcc_frame *frame) {
  complex32 a[HALF], b[HALF];
  for (int i = 0; i < HALF; ++i) {
    a[i].re = (samples[2 * i] * mfcc_window[2 * i]) >> WINDOW_SHIFT;
    a[i].im = (samples[2 * i + 1] * mfcc_window[2 * i + 1]) >> WINDOW_SHIFT;
  }
  step(a, b, 8, 1);
  step(b, a, 5, 8);
  step(a, b, 5, 40);

  uint64_t energies[MFCC_BANDS] = {0};
  for (int bin = 1; bin < BINS - 1; ++bin) {
    const mfcc_share *share = &mfcc_shares[bin - 1];
    const uint64_t one = power(b, bin);
    energies[share->falling] += one * share->falling_weight;
    energies[share->rising] += one * share->rising_weight;
  }
  for (int band = 0; band < MFCC_BANDS; ++band) {
    frame->level[band] = logarithm(energies[band]);
  }
}

void mfcc_coefficients(const mfcc_frame *frames, int count, int32_t (*result)[MFCC_COEFFICIENTS]) {
  int32_t floor = MFCC_LEAST + MFCC_RANGE;
  for (int i = 0; i < count; ++i) {
    for (int band = 0; band < MFCC_BANDS; ++band) {
      floor = frames[i].level[band] > floor ? frames[i].level[band] : floor;
    }
  }
  floor -= MFCC_RANGE;
  for (int i = 0; i < count; ++i) {
    for (int c = 0; c < MFCC_COEFFICIENTS; ++c) {
      int32_t sum = c == 0 ? (floor - MFCC_FULL_SCALE) * MFCC_ALL_BANDS : 0;
      for (int band = 0; band < MFCC_BANDS; ++band) {
        const int32_t above = frames[i].level[band] - floor;
        sum += above > 0 ? above * mfcc_cosines[c][band] : 0;
      }
      result[i][c] = (sum + (1 << (COSINE_SHIFT - 1))) >> COSINE_SHIFT;
    }
  }
}
