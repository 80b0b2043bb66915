/* Weights sorted by their values, and inputs as kernels want them that read such weights.
 * SPDX-License-Identifier: Apache-2.0
 *
 * Inputs of an output pixel that have the same weight are added up first and multiplied once. Eight pixels of a row
 * are computed together. A word holds an input of two pixels that are four apart, plus 128, as uint16, so that one
 * instruction adds two inputs: four words for an input of the eight pixels. The words of a kernel row and channel
 * stand next to each other, and neighbouring columns of the kernel share them. Inputs are read from the last to the
 * first, so that the words of two may overlap.
 */
#ifndef ES_FACTORED_S8_H
#define ES_FACTORED_S8_H

#include "es_packed.h"

enum {
  ES_FACTORED_PIXELS = 8,
  ES_FACTORED_WORDS = 4, /* of an input of eight pixels */
  ES_FACTORED_MOST = 255, /* units from the end of an input to the beginning of the next one */
  ES_FACTORED_ROUND = 16, /* inputs that are added in a round */
  ES_FACTORED_HEAD = 4    /* bytes in front of the weights */
};

/* Where the words of eight pixels' inputs stand. Behind every segment but the last there is an input of words of
 * zero, from which its first input and that in front of the segment can be reached. */
typedef struct {
  int32_t runs;    /* of columns in a kernel row that share words */
  int32_t words;   /* of a kernel row and channel */
  int32_t shift;   /* a unit is 2^shift bytes: a word, or four where no columns share words */
  int32_t groups;  /* kernel rows and channels in a segment */
  int32_t segment; /* words of a segment and the input behind it */
} es_factored_layout;

static inline es_factored_layout es_factored_layout_of(const es_conv2d *layer) {
  const int32_t width = layer->kernel_width;
  const int32_t shared = layer->dilation_width == 1 && layer->stride_width < width;
  const int32_t unit = shared ? 1 : ES_FACTORED_WORDS;
  es_factored_layout layout;
  layout.runs = shared ? layer->stride_width : width;
  layout.words = (ES_FACTORED_WORDS - 1) * layout.runs + width;
  layout.shift = shared ? 2 : 4;
  layout.groups = (ES_FACTORED_MOST * unit - 2 * ES_FACTORED_WORDS) / layout.words;
  layout.segment = layout.groups * layout.words + ES_FACTORED_WORDS;
  return layout;
}

/* An output channel of eight pixels. The order of the members is known to assembly. */
typedef struct {
  const uint32_t *end;       /* behind the words of the inputs */
  uint32_t *packed;          /* memory for four words a value */
  int32_t *sums;             /* memory for eight sums */
  const es_channel *channel;
  int8_t *output;            /* of the first pixel */
  int32_t pitch;             /* bytes from the output of a pixel to that of the next */
  int32_t sum_bytes;         /* of those pixels that are written */
} es_factored_channel;

/* Computes and writes it. Returns where the weights of the next output channel begin. `shift` is the layout's. */
const uint8_t *es_factored_channel_s8(const es_factored_channel *channel, const uint8_t *weights, int32_t shift);

#endif /* ES_FACTORED_S8_H */
