/* 4-bit indices to the weights that es_factored_conv2d_s8 reads.
 * SPDX-License-Identifier: Apache-2.0
 *
 * The inputs of an output channel are counted by their values, then put into lists that have room for ways through
 * zeros, and moved together.
 */
#include <string.h>

#include "es_factored_s8.h"

enum { VALUES = 16, OFFSET = 128 /* of inputs in words */ };

/* What stands behind the values: how the inputs of an output channel are passed, from the last one on. */
typedef struct {
  uint16_t taps;    /* inputs */
  uint16_t last;    /* where the last one begins, in units */
  uint8_t read;     /* units of an input */
  uint8_t columns;  /* of the kernel */
  uint8_t units;    /* of a kernel row and channel */
  uint8_t groups;   /* kernel rows and channels in a segment, */
  uint8_t rest;     /* and in the last one */
  uint8_t bytes;    /* of this and the steps, a multiple of 4 */
  uint8_t segments;
  uint8_t steps[1]; /* from an input to the next one, column by column */
} plan;

/* The inputs that have one value. */
typedef struct {
  uint8_t *end;
  int32_t last; /* where the words of the last one end, in units */
} list;

/* Goes from the last input of a list to the zeros from which the input at `at` can be reached, or a later one of its
 * segment. In front of that segment zeros begin at `below`. */
__attribute__((noinline)) static void pass_zeros(const plan *plan, list *list, int32_t at, int32_t below) {
  const int32_t segment = plan->groups * plan->units + plan->read;
  int32_t zeros = below + segment;
  while (zeros + plan->read + segment < list->last) {
    zeros += segment;
  }
  for (; list->last - at > ES_FACTORED_MOST; zeros -= segment) {
    *list->end++ = (uint8_t)(list->last - zeros);
    list->last = zeros + plan->read;
  }
}

/* Counts the weights of an output channel by their indices. */
static void count_values(const plan *plan, const uint8_t *indices, uint16_t *counts) {
  memset(counts, 0, VALUES * sizeof *counts);
  for (int32_t left = plan->taps; left > 1; left -= 2) {
    const int32_t both = *indices++;
    ++counts[both & 15];
    ++counts[both >> 4];
  }
  if ((plan->taps & 1) != 0) {
    ++counts[*indices & 15];
  }
}

/* Puts the inputs of an output channel into lists, without those of the index `zero`. */
static void fill_lists(const plan *plan, const uint8_t *indices, int32_t zero, list *lists) {
  const int32_t read = plan->read;
  const uint8_t *const end = plan->steps + plan->columns;
  int32_t at = plan->last, room = plan->rest, bits = 1;
  for (int32_t segment = plan->segments; segment > 0; --segment) {
    const int32_t below = at - room * plan->units;
    for (; room > 0; --room) {
      for (const uint8_t *step = plan->steps; step != end; ++step) {
        if (bits == 1) { /* the byte is used up */
          bits = *indices++ | 256;
        }
        const int32_t index = bits & 15;
        bits >>= 4;
        if (index != zero) {
          list *const one = &lists[index];
          if (one->last - at > ES_FACTORED_MOST) {
            pass_zeros(plan, one, at, below);
          }
          *one->end++ = (uint8_t)(one->last - at);
          one->last = at + read;
        }
        at -= *step;
      }
    }
    at -= read;
    room = plan->groups;
  }
}

/* What stands in front of so many inputs: rounds and, of the first one, what is left out. */
static uint8_t code_of(int32_t inputs) {
  const int32_t rounds = (inputs + ES_FACTORED_ROUND - 2) / ES_FACTORED_ROUND;
  return (uint8_t)(rounds << 4 | (ES_FACTORED_ROUND * rounds + 1 - inputs));
}

/* Writes the weights of an output channel. Returns where the next one's go. */
static uint8_t *unpack_channel(const plan *plan, const int8_t *values, const uint8_t *indices, uint8_t *to,
                               int32_t *correction) {
  const int32_t zero = values[0] == 0 ? 0 : -1;
  uint16_t counts[VALUES];
  list lists[VALUES];
  uint8_t *const head = to;
  int32_t sum = 0;
  count_values(plan, indices, counts);
  counts[0] = zero == 0 ? 0 : counts[0];
  for (int32_t i = 0; i < VALUES; ++i) {
    if (counts[i] > 0) {
      *++to = (uint8_t)values[i];
      sum += counts[i] * values[i];
    }
  }
  *correction = -OFFSET * sum;
  *head = (uint8_t)(to - head);
  uint8_t *const begin = to + 2; /* behind the first code */
  uint8_t *next = begin;
  for (int32_t i = 0; i < VALUES; ++i) {
    lists[i].end = next;
    lists[i].last = plan->last + plan->read;
    next += counts[i] > 0 ? counts[i] + plan->segments : 0;
  }
  fill_lists(plan, indices, zero, lists);
  const uint8_t *from = begin;
  for (int32_t i = 0; i < VALUES; ++i) {
    if (counts[i] > 0) {
      const int32_t inputs = (int32_t)(lists[i].end - from);
      *++to = code_of(inputs);
      if (to + 1 == from) {
        to += inputs;
      } else {
        for (const uint8_t *one = from; one != lists[i].end;) {
          *++to = *one++;
        }
      }
      from += counts[i] + plan->segments;
    }
  }
  return to + 1;
}

const uint8_t *es_unpack_factored_s8(const uint8_t *first, const uint8_t *stream, int8_t *weights, int32_t count,
                                     void *table) {
  const int8_t *const values = (const int8_t *)first;
  const plan *const sizes = (const plan *)(const void *)(first + VALUES);
  const int32_t bytes = (sizes->taps + 1) / 2;
  int32_t *const corrections = (int32_t *)(void *)(weights + ES_FACTORED_HEAD);
  uint8_t *to = (uint8_t *)(corrections + count);
  (void)table;
  memset(weights, 0, ES_FACTORED_HEAD);
  weights[0] = VALUES;
  if (stream == first) {
    stream += VALUES + sizes->bytes;
  }
  for (int32_t i = 0; i < count; ++i, stream += bytes) {
    to = unpack_channel(sizes, values, stream, to, &corrections[i]);
  }
  return stream + (-(bytes * count) & 3);
}
