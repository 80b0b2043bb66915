/* Copies the inputs of a convolution column by column, int8, for MVE.
 * SPDX-License-Identifier: Apache-2.0
 *
 * An input column of a convolution is, in one column of the image, the pixels of all kernel rows,
 * one below the other. With columns side by side in scratch memory the inputs of an output pixel
 * are contiguous, and neighbouring output pixels share columns.
 */
#ifndef ES_COLUMNS_S8_H
#define ES_COLUMNS_S8_H

#include "es_types.h"

/* The order of the members is known to the assembly. */
typedef struct {
  const int8_t *from;    /* upper left pixel */
  int8_t *to;            /* its place */
  int32_t columns;       /* at least 1 */
  int32_t rows;          /* at least 1 */
  int32_t row_step;      /* bytes from one input row to the next */
  int32_t column_step;   /* bytes from one input column to the next */
  int32_t channels;      /* bytes of a pixel; also from one row to the next in scratch memory */
  int32_t column_bytes;  /* from one column to the next in scratch memory */
  const uint8_t *places; /* of the bytes of a row of neighbouring columns, up to 255 */
} es_columns;

/* Any number of channels. */
void es_columns_copy(const es_columns *columns);

/* Neighbouring columns that all lie within 256 bytes: whole rows at once. */
void es_columns_scatter(const es_columns *columns);

/* Sets memory, and copies it. */
void es_fill_bytes(int8_t *to, int8_t value, int32_t count);
void es_copy_bytes(int8_t *to, const int8_t *from, int32_t count);

#endif /* ES_COLUMNS_S8_H */
