/* Operators that move values: padding, concatenation, splitting, slicing, transposition, gathering, casts.
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef ES_SHAPE_H
#define ES_SHAPE_H

#include <stdint.h>
#include <string.h>
#if defined(__ARM_FEATURE_MVE)
#include <arm_mve.h>
#endif

/* A block of a tensor with up to four dimensions, the outermost first. Strides and offsets in bytes. */
typedef struct {
  int32_t size[4];
  int32_t input_stride[4];
  int32_t output_stride[4];
  int32_t input_offset;
  int32_t output_offset;
} es_copy;

/* Copies a block from one tensor into another, with different strides: a part of a concatenation, split,
 * slice or transposition. Bytes are copied one after the other in the block's order. */
void es_copy_s8(const es_copy *layer, const int8_t *input, int8_t *output);

/* Padding of a tensor with up to three dimensions, the outermost first. */
typedef struct {
  int32_t before[3];
  int32_t size[3]; /* of the input */
  int32_t after[3];
  int8_t value;
} es_pad;

/* Copies a tensor into a larger one and fills the rest with a value. The output may overlap the input as the
 * generator's memory plan says: it is written in order of addresses. */
void es_pad_s8(const es_pad *layer, const int8_t *input, int8_t *output);

/* Pieces of a tensor at places that are computed, along one dimension. */
typedef struct {
  int32_t batches; /* each has places of its own */
  int32_t outer;   /* elements of the dimensions between */
  int32_t count;   /* pieces along the dimension */
  int32_t bytes;   /* of a piece */
  int32_t places;  /* in a batch */
} es_gather;

/* Copies the pieces at places [batches][places]; a place outside of 0 to count - 1 counts as the nearest inside.
 * Output and input do not overlap. */
void es_gather_s8(const es_gather *layer, const int8_t *input, const int32_t *places, int8_t *output);

enum { ES_BOOL, ES_INT8, ES_UINT8, ES_INT16, ES_INT32, ES_FLOAT32 };

typedef struct {
  int32_t count;
  int8_t from; /* types of the input and the output */
  int8_t to;
} es_casting;

/* Numbers as those of another type, as C converts them. Real numbers beyond int32 count as the nearest in it, and NaN
 * as 0; of whole numbers the lowest bits stay. The output may be the same memory where its type is not larger. */
void es_cast(const es_casting *layer, const void *input, void *output);

/* Copies count bytes upwards, many at a time. Where the memory overlaps, to is below from. */
static inline void es_move_s8(int8_t *to, const int8_t *from, int32_t count) {
#if defined(__ARM_FEATURE_MVE)
  for (; count > 0; count -= 16) {
    const mve_pred16_t valid = vctp8q((uint32_t)count);
    vstrbq_p_s8(to, vldrbq_z_s8(from, valid), valid);
    from += 16;
    to += 16;
  }
#else
  int32_t word;
  for (; count >= (int32_t)sizeof word; count -= (int32_t)sizeof word) {
    memcpy(&word, from, sizeof word);
    memcpy(to, &word, sizeof word);
    from += sizeof word;
    to += sizeof word;
  }
  for (; count > 0; --count) {
    *to++ = *from++;
  }
#endif
}

#endif /* ES_SHAPE_H */
