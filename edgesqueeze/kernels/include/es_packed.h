/* Layers whose weights are packed in flash, int8.
 * SPDX-License-Identifier: Apache-2.0
 *
 * The weights of a layer, or of a group of its output channels at a time, are unpacked to scratch memory in the
 * order that the kernel of the layer wants; then that kernel runs on them. What is unpacked is called a part.
 *
 * A stream begins with what the whole layer needs, such as the values that occur; one part after the other
 * follows, each padded to a multiple of 4 bytes. Streams are 16-byte aligned.
 */
#ifndef ES_PACKED_H
#define ES_PACKED_H

#include "es_conv.h"

/* Unpacks the next part. `stream` is where it begins in flash; the first part gets the beginning of the stream,
 * and fills `table`, if the format has one, for the parts that follow. `weights` and `table` are 16-byte
 * aligned; behind the `count` weights up to 31 bytes more may be overwritten. Returns where the stream goes
 * on. */
typedef const uint8_t *es_unpacker(const uint8_t *first, const uint8_t *stream, int8_t *weights, int32_t count,
                                   void *table);

typedef struct {
  es_unpacker *unpack;
  const uint8_t *stream;
  int32_t weights;      /* of the layer, with the padding that its kernel wants */
  int32_t part_weights; /* of a part; the last one may be shorter */
  int16_t part_outputs; /* output channels of a part */
  int16_t record_bytes; /* of a channel's record in flash */
  int32_t table;        /* bytes from the start of scratch memory, where the weights go, to the table, */
  int32_t work;         /* and to the scratch memory of the layer's kernel */
} es_packed;

/* Any kernel of es_conv.h for convolutions. */
typedef void es_conv2d_kernel(const es_conv2d *layer, const int8_t *input, int8_t *output, void *scratch);

typedef struct {
  es_conv2d_kernel *kernel;
  es_conv2d layer; /* its weights are not used */
  es_packed packed;
} es_packed_conv2d;

/* A convolution of any kind. In several parts, output and input do not overlap; in one, as for the kernel. */
void es_packed_conv2d_s8(const es_packed_conv2d *layer, const int8_t *input, int8_t *output, void *scratch);

typedef struct {
  es_fully_connected layer; /* its weights are not used */
  es_packed packed;
} es_packed_fully_connected;

/* A fully connected layer of one input vector. Output and input do not overlap. */
void es_packed_fully_connected_s8(const es_packed_fully_connected *layer, const int8_t *input, int8_t *output,
                                  void *scratch);

/* 4-bit indices of 16 values, which the stream begins with: two a byte, the second one in the upper half; for the
 * MVE set 32 in 16 bytes, of which the lower halves come first. */
es_unpacker es_unpack_palette_s8;

/* The same values; a part is one bit for every two weights, in words, the highest bit first, and for every two
 * that are not both zero their byte of indices. */
es_unpacker es_unpack_pairmap_s8;

/* The same values, the first of which is zero. A part is the number of its bytes, as uint32, and a byte for every
 * nonzero weight: zeros in front of it in the upper half, its index in the lower. Index 0 is one more zero. */
es_unpacker es_unpack_runs_s8;

/* Any values. A part is one bit for every weight, in words, the highest bit first, and the nonzero weights. */
es_unpacker es_unpack_bitmap_s8;

/* The same streams for kernels of the DSP set in which two outputs share words of 256 * even + odd: of two weights
 * in a row the first is the odd output's. */
es_unpacker es_unpack_palette_pairs_s8;
es_unpacker es_unpack_pairmap_pairs_s8;
es_unpacker es_unpack_runs_pairs_s8;
es_unpacker es_unpack_bitmap_pairs_s8;

typedef struct {
  es_conv2d layer; /* its weights are not used */
  const uint8_t *stream;
} es_sparse_conv2d;

/* A convolution that reads its weights from runs as they are: a weight of zero takes no time. The stream is 16
 * values, the first of which is zero, and for every output channel the number of its bytes, as uint16, and the bytes
 * of runs (see es_unpack_runs_s8) in the order kernel row, kernel column, input channel. The output may overlap the
 * input as for es_conv2d_s8. */
void es_sparse_conv2d_s8(const es_sparse_conv2d *layer, const int8_t *input, int8_t *output, void *scratch);
int32_t es_sparse_conv2d_s8_scratch_bytes(const es_sparse_conv2d *layer);

typedef struct {
  es_fully_connected layer; /* its weights are not used */
  const uint8_t *stream;
} es_sparse_fully_connected;

/* The same for a fully connected layer of one input vector. Output and input do not overlap. */
void es_sparse_fully_connected_s8(const es_sparse_fully_connected *layer, const int8_t *input, int8_t *output,
                                  void *scratch);
int32_t es_sparse_fully_connected_s8_scratch_bytes(const es_sparse_fully_connected *layer);

#endif /* ES_PACKED_H */
