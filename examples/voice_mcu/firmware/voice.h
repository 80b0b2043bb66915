/* From a stream of sound to spoken digits: finds words, computes their features, asks the network.
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef VOICE_H
#define VOICE_H

#include <stdint.h>

#include "digits.h"
#include "mfcc.h"

enum {
  VOICE_NOTHING = -1, /* no word has ended */
  VOICE_UNKNOWN = 10, /* a word that is no digit, or not clear enough */
  VOICE_SILENCE = 11, /* a noise */
  VOICE_TOO_LONG = 12 /* a sentence: the network was not asked */
};

enum {
  VOICE_STEPS = 40, /* frames of the network's input: a second */
  VOICE_BEFORE = 2, /* frames that are kept in front of a word */
  VOICE_PAUSE = 8,  /* frames of silence that end a word */
  VOICE_LEAST = 4,  /* frames of speech that a word has at least */
  VOICE_FRAMES = VOICE_STEPS + VOICE_PAUSE
};

typedef struct {
  int16_t samples[MFCC_WINDOW];
  mfcc_frame frames[VOICE_FRAMES];
  int32_t count;  /* frames that are kept */
  int32_t speech; /* frames of speech among them, 0 between words */
  int32_t pause;  /* frames of silence since */
  int32_t noise;  /* loudness of the background, 1/256 of an octave of power, 4 binary places more */
  int started;
  int too_long;
  digits_model model;
  uint8_t arena[DIGITS_ARENA_BYTES] DIGITS_ARENA_ALIGNED;
} voice;

/* Returns 0, or what digits_init() refuses. */
int voice_init(voice *v);

/* Takes the next 200 samples. Returns a digit, or one of the constants above. */
int voice_push(voice *v, const int16_t *samples);

/* The frames of one word as the network's input. */
void voice_features(const mfcc_frame *frames, int count, int8_t *input);

/* Runs the network on its input: a digit, VOICE_UNKNOWN or VOICE_SILENCE. */
int voice_classify(voice *v);

#endif /* VOICE_H */
