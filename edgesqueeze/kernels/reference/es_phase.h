/* Transposed convolutions from the output's side. Of a row of the output, and of a column, only every stride-th tap of
 * the kernel meets an input, so that the taps fall into as many phases; those of a phase meet neighbouring inputs.
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef ES_PHASE_H
#define ES_PHASE_H

#include <stdint.h>

/* What meets a row or a column of the output. */
typedef struct {
  int32_t phase;
  int32_t count;  /* of its taps */
  int32_t first;  /* the first row or column that they meet; it, and others, may lie outside of the input */
  int32_t before; /* how many taps belong to earlier phases */
} es_phase;

/* place counts from where the first input's window begins. */
static inline es_phase es_phase_at(int32_t place, int32_t stride, int32_t kernel) {
  const int32_t whole = kernel / stride, rest = kernel - whole * stride;
  es_phase found;
  found.phase = place % stride;
  found.count = whole + (found.phase < rest ? 1 : 0);
  found.first = place / stride - (found.count - 1);
  found.before = whole * found.phase + (found.phase < rest ? found.phase : rest);
  return found;
}

/* How many of count inputs from `first` on lie before the input's start; those behind its end are told by
 * es_inside_phase. */
static inline int32_t es_outside_phase(const es_phase *phase) {
  const int32_t outside = phase->first < 0 ? -phase->first : 0;
  return outside < phase->count ? outside : phase->count;
}

/* How many of them lie inside. */
static inline int32_t es_inside_phase(const es_phase *phase, int32_t size) {
  const int32_t start = phase->first < 0 ? 0 : phase->first, end = phase->first + phase->count;
  const int32_t inside = (end < size ? end : size) - start;
  return inside > 0 ? inside : 0;
}

#endif /* ES_PHASE_H */
