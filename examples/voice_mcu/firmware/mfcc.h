/* From sound to the features of a word, in integers: 13 mel-frequency cepstral coefficients (MFCC)
 * for every 25 ms. features.py computes the same in Python, bit for bit.
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef MFCC_H
#define MFCC_H

#include <stdint.h>

enum {
  MFCC_RATE = 8000,       /* samples a second */
  MFCC_HOP = 200,         /* samples from one frame to the next */
  MFCC_WINDOW = 400,      /* samples that a frame is computed from */
  MFCC_BANDS = 128,       /* triangles on the mel scale */
  MFCC_COEFFICIENTS = 13,
  MFCC_UNIT = 256         /* a decibel */
};

/* Energies of the bands in one frame, as logarithms to base 2 with 8 binary places. */
typedef struct {
  int16_t level[MFCC_BANDS];
} mfcc_frame;

/* The bands of one frame of 400 samples. */
void mfcc_bands(const int16_t *samples, mfcc_frame *frame);

/* The coefficients of some frames together: what lies 80 dB below the loudest band of them all
 * counts as silence. */
void mfcc_coefficients(const mfcc_frame *frames, int count, int32_t (*result)[MFCC_COEFFICIENTS]);

#endif /* MFCC_H */
