/* Fully connected layer, int8, portable.
 * SPDX-License-Identifier: Apache-2.0
 *
 * Weights: blocks of eight outputs, in each block input after input eight weights; then, of more than three
 * remaining outputs, a block of four; then outputs one after the other.
 */
#include "es_conv.h"
#include "es_scale_s8.h"

enum { BLOCK = 8, HALF = 4 };

/* Adds to eight sums the products of all inputs: an input is loaded once for eight products. Sums, pointers
 * and operands fill the registers of Armv7-M, which GCC does not manage without memory. */
#if defined(__ARM_ARCH_7M__)

/* One input. r1: next weight, r2: next input. */
#define ADD_INPUT           \
  "ldrsb r12, [r2], #1\n"   \
  "ldrsb lr, [r1], #1\n"    \
  "mla r4, lr, r12, r4\n"   \
  "ldrsb lr, [r1], #1\n"    \
  "mla r5, lr, r12, r5\n"   \
  "ldrsb lr, [r1], #1\n"    \
  "mla r6, lr, r12, r6\n"   \
  "ldrsb lr, [r1], #1\n"    \
  "mla r7, lr, r12, r7\n"   \
  "ldrsb lr, [r1], #1\n"    \
  "mla r8, lr, r12, r8\n"   \
  "ldrsb lr, [r1], #1\n"    \
  "mla r9, lr, r12, r9\n"   \
  "ldrsb lr, [r1], #1\n"    \
  "mla r10, lr, r12, r10\n" \
  "ldrsb lr, [r1], #1\n"    \
  "mla r11, lr, r12, r11\n"

static void add_products(int32_t *sums, const int8_t *weights, const int8_t *input, int32_t in_features) {
  register int32_t *r0 __asm__("r0") = sums;
  register const int8_t *r1 __asm__("r1") = weights;
  register const int8_t *r2 __asm__("r2") = input;
  register int32_t r3 __asm__("r3") = in_features;
  __asm__ volatile(
      "push {r4-r11, lr}\n"
      "ldm r0, {r4-r11}\n"
      "subs r3, r3, #4\n"
      "blt 2f\n"
      "1:\n" /* four inputs */
      ".rept 4\n" ADD_INPUT ".endr\n"
      "subs r3, r3, #4\n"
      "bge 1b\n"
      "2:\n"
      "adds r3, r3, #4\n"
      "beq 4f\n"
      "3:\n" /* what is left over, one by one */
      ADD_INPUT
      "subs r3, r3, #1\n"
      "bne 3b\n"
      "4:\n"
      "stm r0, {r4-r11}\n"
      "pop {r4-r11, lr}\n"
      : "+r"(r0), "+r"(r1), "+r"(r2), "+r"(r3)
      :
      : "r12", "cc", "memory");
}

#else

static void add_products(int32_t *sums, const int8_t *weights, const int8_t *input, int32_t in_features) {
  int32_t sum_0 = sums[0], sum_1 = sums[1], sum_2 = sums[2], sum_3 = sums[3];
  int32_t sum_4 = sums[4], sum_5 = sums[5], sum_6 = sums[6], sum_7 = sums[7];
  for (int32_t i = 0; i < in_features; ++i) {
    const int32_t x = input[i];
    sum_0 += weights[0] * x;
    sum_1 += weights[1] * x;
    sum_2 += weights[2] * x;
    sum_3 += weights[3] * x;
    sum_4 += weights[4] * x;
    sum_5 += weights[5] * x;
    sum_6 += weights[6] * x;
    sum_7 += weights[7] * x;
    weights += BLOCK;
  }
  sums[0] = sum_0;
  sums[1] = sum_1;
  sums[2] = sum_2;
  sums[3] = sum_3;
  sums[4] = sum_4;
  sums[5] = sum_5;
  sums[6] = sum_6;
  sums[7] = sum_7;
}

#endif

static void eight_outputs(const int8_t *weights, const es_channel *channels, const int8_t *input,
                          int32_t in_features, int8_t *output) {
  int32_t sums[BLOCK];
  for (int32_t i = 0; i < BLOCK; ++i) {
    sums[i] = channels[i].bias;
  }
  add_products(sums, weights, input, in_features);
  for (int32_t i = 0; i < BLOCK; ++i) {
    output[i] = es_scale_s8(sums[i], &channels[i]);
  }
}

static void four_outputs(const int8_t *weights, const es_channel *channels, const int8_t *input,
                         int32_t in_features, int8_t *output) {
  int32_t sum_0 = channels[0].bias, sum_1 = channels[1].bias;
  int32_t sum_2 = channels[2].bias, sum_3 = channels[3].bias;
  for (int32_t i = 0; i < in_features; ++i) {
    const int32_t x = input[i];
    sum_0 += weights[0] * x;
    sum_1 += weights[1] * x;
    sum_2 += weights[2] * x;
    sum_3 += weights[3] * x;
    weights += HALF;
  }
  output[0] = es_scale_s8(sum_0, &channels[0]);
  output[1] = es_scale_s8(sum_1, &channels[1]);
  output[2] = es_scale_s8(sum_2, &channels[2]);
  output[3] = es_scale_s8(sum_3, &channels[3]);
}

static void one_output(const int8_t *weights, const es_channel *channel, const int8_t *input,
                       int32_t in_features, int8_t *output) {
  int32_t sum = channel->bias;
  for (int32_t i = 0; i < in_features; ++i) {
    sum += weights[i] * input[i];
  }
  *output = es_scale_s8(sum, channel);
}

void es_fully_connected_s8(const es_fully_connected *layer, const int8_t *input, int8_t *output,
                           void *scratch) {
  const int32_t in_features = layer->in_features;
  const int8_t *weights = layer->weights;
  es_channel *const channels = (es_channel *)scratch;
  int32_t count;
  for (int32_t first = 0; first < layer->out_features; first += count) {
    const int32_t left = layer->out_features - first;
    count = left >= BLOCK ? BLOCK : (left >= HALF ? HALF : 1);
    es_unpack_channels(&layer->channels, first, count, channels);
    if (count == BLOCK) {
      eight_outputs(weights, channels, input, in_features, output);
    } else if (count == HALF) {
      four_outputs(weights, channels, input, in_features, output);
    } else {
      one_output(weights, channels, input, in_features, output);
    }
    weights += count * in_features;
    output += count;
  }
}

int32_t es_fully_connected_s8_scratch_bytes(const es_fully_connected *layer) {
  (void)layer;
  return BLOCK * (int32_t)sizeof(es_channel);
}
