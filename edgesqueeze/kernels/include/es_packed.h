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

/* 3-bit indices of 8 values, which the stream begins with. Of 32 weights in three words every word holds five pairs,
 * from the lowest bits on, and two bits of the sixteenth one; the second index of a pair is the upper one. For the MVE
 * set 64 weights in 24 bytes: 16 bytes with the lower two bits of indices that are 16 apart, from the lowest bits on,
 * and the third bits of all 64. */
es_unpacker es_unpack_small_palette_s8;

/* The 16 values; a part is one bit for every two weights, in words, the highest bit first, and for every two
 * that are not both zero their byte of indices. */
es_unpacker es_unpack_pairmap_s8;

/* The same values, the first of which is zero. A part is the number of its bytes, as uint32, and a byte for every
 * nonzero weight: zeros in front of it in the upper half, its index in the lower. Index 0 is one more zero. */
es_unpacker es_unpack_runs_s8;

/* Any values. A part is one bit for every weight, in words, the highest bit first, and the nonzero weights. */
es_unpacker es_unpack_bitmap_s8;

/* Any values, as codes of at most 12 bits. The stream begins with the number of codes of each length, as a byte, and
 * their values, padded to whole words: canonical codes, of which a shorter one is lower, and a value further behind
 * higher. A part is the number of its bytes, as uint32, and the codes in words of 16 bits, the highest bit first, with
 * zeros behind them as far as they are read: at least 32 bits. */
es_unpacker es_unpack_huffman_s8;

/* Any values. A part is its weights, padded to whole words: memory may be faster than flash. */
es_unpacker es_unpack_copy_s8;

/* The same streams for kernels of the DSP set in which two outputs share words of 256 * even + odd: of two weights
 * in a row the first is the odd output's. */
es_unpacker es_unpack_palette_pairs_s8;
es_unpacker es_unpack_small_palette_pairs_s8;
es_unpacker es_unpack_pairmap_pairs_s8;
es_unpacker es_unpack_runs_pairs_s8;
es_unpacker es_unpack_bitmap_pairs_s8;
es_unpacker es_unpack_huffman_pairs_s8;

typedef struct {
  es_conv2d layer; /* its weights are not used */
  const uint8_t *stream;
} es_sparse_conv2d;

/* A convolution that reads its weights from runs as they are: a weight of zero takes no time. The stream is 16
 * values, the first of which is zero, and for every output channel the number of its bytes, as uint16, and the bytes
 * of runs (see es_unpack_runs_s8) in the order kernel row, kernel column, input channel. With the DSP extension the
 * magnitudes of a channel's weights add up to at most 32,767. The output may overlap the input as for es_conv2d_s8. */
void es_sparse_conv2d_s8(const es_sparse_conv2d *layer, const int8_t *input, int8_t *output, void *scratch);
int32_t es_sparse_conv2d_s8_scratch_bytes(const es_sparse_conv2d *layer);

/* The same with two bytes for every weight that is not zero: the zeros in front of it, and the weight. There are no
 * values in front; a channel begins with the number of its weights, as uint16. After 255 zeros a weight of zero may
 * follow. */
void es_sparse_any_conv2d_s8(const es_sparse_conv2d *layer, const int8_t *input, int8_t *output, void *scratch);
int32_t es_sparse_any_conv2d_s8_scratch_bytes(const es_sparse_conv2d *layer);

typedef struct {
  es_fully_connected layer; /* its weights are not used */
  const uint8_t *stream;
} es_sparse_fully_connected;

/* The same for a fully connected layer of one input vector. Output and input do not overlap. */
void es_sparse_fully_connected_s8(const es_sparse_fully_connected *layer, const int8_t *input, int8_t *output,
                                  void *scratch);
int32_t es_sparse_fully_connected_s8_scratch_bytes(const es_sparse_fully_connected *layer);

/* A convolution that skips blocks of 2 outputs x 4 inputs whose weights are all zero. Its weights are, in memory or
 * in flash, 4-byte aligned:
 *
 *   - int32: bytes from here to the skips;
 *   - of every block that is not skipped 4 words of int16, 256 * (weight of the even output) + (that of the odd one),
 *     for its inputs 0, 2, 1 and 3; missing ones have zeros;
 *   - the skips, of every two outputs: the number of their blocks, at most 255, and of each block three times the
 *     number of blocks that are skipped in front of it.
 *
 * Blocks are counted through the kernel rows, columns and channels of a row being one; a row's last block may be
 * smaller, but where rows have 5, 9, 13, ... inputs, their last ones are in blocks of four rows behind all others,
 * in the order 0, 1, 2, 3. An even output's sum without its bias fits into 24 bits. The output may overlap the input
 * as for es_conv2d_s8. */
void es_conv2d_blocks_s8(const es_conv2d *layer, const int8_t *input, int8_t *output, void *scratch);
int32_t es_conv2d_blocks_s8_scratch_bytes(const es_conv2d *layer);

/* Unpacks such weights: a part is the number of bytes of its indices and of its skips, both uint32, a byte of two
 * indices for every word, the even output's in the upper half, and the skips, padded to whole words. */
es_unpacker es_unpack_blocks_s8;

/* A convolution whose outputs, 16 at a time, skip the inputs that none of them needs; the number of outputs is a
 * multiple of 4. Its weights are, in memory or in flash:
 *
 *   - int32: bytes from here to the places;
 *   - of every group of outputs the weights of the inputs that it needs, at least of one: of two outputs the first 1 to
 *     16 weights of either, so that a multiple of 16 remains, then alternately 16 of either;
 *   - the places, of every group and every 255 inputs: how many it needs, and their places among the 255.
 *
 * Inputs are in the order kernel column, row, channel. The output may overlap the input as for es_conv2d_s8. */
void es_conv2d_columns_s8(const es_conv2d *layer, const int8_t *input, int8_t *output, void *scratch);
int32_t es_conv2d_columns_s8_scratch_bytes(const es_conv2d *layer);

/* Unpacks such weights. A part is the number of its weights and the bytes of its places, both uint32, its indices as
 * those of es_unpack_palette_s8, and the places, padded to whole words. The 16 values stand 16 bytes behind the
 * beginning of the stream, and the indices of the first part behind them. */
es_unpacker es_unpack_columns_s8;

/* A convolution whose weights are sorted by their values: inputs of one weight are added up, then multiplied once. Its
 * weights are, in memory or in flash, 4-byte aligned:
 *
 *   - the largest number of values of an output channel, as a byte, and three bytes more;
 *   - of every output channel, as int32, what its sums have too much: -128 times the sum of its weights;
 *   - of every output channel the number of its values, as a byte, the values, and of every value a code and its inputs,
 *     at most 241: 16 * (rounds of 16 that the others than the first take) + (how many of 16 the first round has not),
 *     and of every input, in descending order, how many units its words begin below the end of the words of the one in
 *     front of it. es_factored_s8.h says what words are, and where they stand.
 *
 * The output may overlap the input as for es_conv2d_s8, as far as groups do not go beyond a row. */
void es_factored_conv2d_s8(const es_conv2d *layer, const int8_t *input, int8_t *output, void *scratch);
int32_t es_factored_conv2d_s8_scratch_bytes(const es_conv2d *layer);

/* Unpacks such weights: behind the values stands how inputs are passed (es_unpack_factored_s8.c), and a part is the
 * indices of one output channel after the other, two a byte, the second one in the upper half, in that order. */
es_unpacker es_unpack_factored_s8;

/* A fully connected layer of one input vector that skips blocks of 4 outputs x 1 input. Its weights are 4-byte aligned:
 *
 *   - int32: bytes from here to the places;
 *   - of every two blocks that are not skipped 4 words of int16 as above: outputs 0 and 1 with the first block's input
 *     and with the second one's, outputs 2 and 3 with both;
 *   - the places: of every four outputs and every 256 inputs the number of such pairs of blocks, and of each pair the
 *     places of its two inputs among the 256. A second block that is missing has weights of zero.
 *
 * Sums of outputs 0 and 2 of four without their biases fit into 24 bits. Output and input do not overlap. */
void es_fully_connected_blocks_s8(const es_fully_connected *layer, const int8_t *input, int8_t *output,
                                  void *scratch);
int32_t es_fully_connected_blocks_s8_scratch_bytes(const es_fully_connected *layer);

/* The same with weights as bytes, any of them:
 *
 *   - int32: bytes from here to the places;
 *   - of every four outputs, the last of which may be missing, and every 255 inputs the weights of the inputs that they
 *     need, output after output;
 *   - the places, of the same: how many inputs they need, and their places among the 255.
 *
 * Output and input do not overlap. */
void es_fully_connected_columns_s8(const es_fully_connected *layer, const int8_t *input, int8_t *output,
                                   void *scratch);
int32_t es_fully_connected_columns_s8_scratch_bytes(const es_fully_connected *layer);

/* A fully connected layer of one input vector whose weights are sorted by their values: inputs of one weight are added
 * up, then multiplied once. Its weights are, of every output, the number of its values, as a byte, and of every value
 * for every 255 inputs how many of them have it, at most 32, and their places among the 255, and the value. A value
 * that more have is there several times. Output and input do not overlap. */
void es_factored_fully_connected_s8(const es_fully_connected *layer, const int8_t *input, int8_t *output,
                                    void *scratch);
int32_t es_factored_fully_connected_s8_scratch_bytes(const es_fully_connected *layer);

#endif /* ES_PACKED_H */
