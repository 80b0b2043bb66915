/* SPDX-License-Identifier: Apache-2.0 */
#include "voice.h"

#include <string.h>

#include "voice_scaling.h"

#ifndef VOICE_PART
#define VOICE_PART(number) ((void)0) /* what follows is counted apart, in an emulator */
#endif

enum {
  LOUDER = 850,  /* 10 dB above the background is speech */
  NOISE_PLACES = 4,
  NOISE_RISE = 24, /* 0.7 dB a second */
  SCALING_SHIFT = 16
};

int voice_init(voice *v) {
  memset(v, 0, sizeof *v);
  return digits_init(&v->model, v->arena, sizeof v->arena);
}

static int32_t loudness(const mfcc_frame *frame) {
  int32_t sum = 0;
  for (int band = 0; band < MFCC_BANDS; ++band) {
    sum += frame->level[band];
  }
  return sum / MFCC_BANDS;
}

/* Whether a frame is louder than the background, which is followed here: quickly down, slowly up. */
static int is_speech(voice *v, int32_t level) {
  const int32_t fine = level << NOISE_PLACES;
  if (!v->started) {
    v->started = 1;
    v->noise = fine;
  } else if (fine < v->noise) {
    v->noise -= (v->noise - fine) / 4;
  } else {
    v->noise += NOISE_RISE;
  }
  return fine > v->noise + (LOUDER << NOISE_PLACES);
}

static void keep_last(voice *v, int32_t count) {
  memmove(v->frames, &v->frames[v->count - count], (size_t)count * sizeof v->frames[0]);
  v->count = count;
}

void voice_features(const mfcc_frame *frames, int count, int8_t *input) {
  static int32_t features[VOICE_STEPS][MFCC_COEFFICIENTS];
  mfcc_coefficients(frames, count, features);
  int quietest = 0;
  int32_t loudest = features[0][0];
  for (int i = 1; i < count; ++i) {
    quietest = features[i][0] < features[quietest][0] ? i : quietest;
    loudest = features[i][0] > loudest ? features[i][0] : loudest;
  }
  const int before = (VOICE_STEPS - count) / 2;
  for (int c = 0; c < MFCC_COEFFICIENTS; ++c) {
    int32_t level = loudest;
    if (c > 0) {
      int32_t sum = 0;
      for (int i = 0; i < count; ++i) {
        sum += features[i][c];
      }
      level = sum / count;
    }
    for (int step = 0; step < VOICE_STEPS; ++step) {
      const int from = step >= before && step < before + count ? step - before : quietest;
      const int64_t scaled = (int64_t)(features[from][c] - level - voice_mean[c]) * voice_factor[c];
      const int64_t rounded = (scaled + (1 << (SCALING_SHIFT - 1))) >> SCALING_SHIFT;
      const int32_t value = (int32_t)rounded + VOICE_ZERO_POINT;
      input[step * MFCC_COEFFICIENTS + c] = (int8_t)(value < -128 ? -128 : value > 127 ? 127 : value);
    }
  }
}

int voice_classify(voice *v) {
  digits_invoke(&v->model);
  const int8_t *scores = digits_output(&v->model);
  int best = 0;
  for (int i = 1; i <= VOICE_SILENCE; ++i) {
    best = scores[i] > scores[best] ? i : best;
  }
  return best < VOICE_UNKNOWN && scores[best] < VOICE_LEAST_SCORE ? VOICE_UNKNOWN : best;
}

/* The word between two pauses; nothing if it was too short to be one. */
static int end_word(voice *v) {
  const int32_t count = v->count - v->pause + 1;
  int found = VOICE_NOTHING;
  if (v->too_long) {
    found = VOICE_TOO_LONG;
  } else if (v->speech >= VOICE_LEAST) {
    VOICE_PART(2);
    voice_features(v->frames, count > VOICE_STEPS ? VOICE_STEPS : count, digits_input(&v->model));
    VOICE_PART(3);
    found = voice_classify(v);
    VOICE_PART(1);
  }
  v->speech = v->pause = v->too_long = 0;
  keep_last(v, VOICE_BEFORE);
  return found;
}

int voice_push(voice *v, const int16_t *samples) {
  memmove(v->samples, &v->samples[MFCC_HOP], sizeof v->samples - MFCC_HOP * sizeof *samples);
  memcpy(&v->samples[MFCC_WINDOW - MFCC_HOP], samples, MFCC_HOP * sizeof *samples);
  if (v->count == VOICE_FRAMES) {
    v->too_long = 1;
    keep_last(v, VOICE_FRAMES - 1);
  }
  mfcc_bands(v->samples, &v->frames[v->count]);
  const int speech = is_speech(v, loudness(&v->frames[v->count]));
  ++v->count;
  if (speech) {
    ++v->speech;
    v->pause = 0;
  } else if (v->speech > 0) {
    ++v->pause;
  } else if (v->count > VOICE_BEFORE) {
    keep_last(v, VOICE_BEFORE);
  }
  return v->pause == VOICE_PAUSE ? end_word(v) : VOICE_NOTHING;
}
