/* Fully connected layer, int8, portable.
 * SPDX-License-Identifier: Apache-2.0
 *
 * Weights: blocks of eight outputs, in each block input after input eight weights; then, of more than three
 * remaining outputs, a block of four; then outputs one after the other.
 */
#include "es_conv.h"
#include "es_scale_s8.h"

#if defined(__SSE2__)
#include <emmintrin.h>
#endif

enum { BLOCK = 8, HALF = 4 };

/* Adds to four sums the products of all inputs: an input is loaded once for four products. From the weights of
 * an input to those of the next: `step`. */
static void add_four(int32_t *sums, const int8_t *weights, int32_t step, const int8_t *input,
                     int32_t in_features) {
  int32_t sum_0 = sums[0], sum_1 = sums[1], sum_2 = sums[2], sum_3 = sums[3];
  for (int32_t i = 0; i < in_features; ++i) {
    const int32_t x = input[i];
    sum_0 += weights[0] * x;
    sum_1 += weights[1] * x;
    sum_2 += weights[2] * x;
    sum_3 += weights[3] * x;
    weights += step;
  }
  sums[0] = sum_0;
  sums[1] = sum_1;
  sums[2] = sum_2;
  sums[3] = sum_3;
}

/* The same for eight sums. Sums, pointers and operands fill the registers of Armv7-M, which GCC does not manage
 * without memory. */
#if defined(__ARM_ARCH_7M__)

/* Two weights times the input in r12. Loads that follow each other overlap on Cortex-M3. */
#define TWO(address_0, address_1, sum_0, sum_1) \
  "ldrsb lr, " address_0 "\n"                   \
  "ldrsb r0, " address_1 "\n"                   \
  "mla " sum_0 ", lr, r12, " sum_0 "\n"         \
  "mla " sum_1 ", r0, r12, " sum_1 "\n"

/* One input. r1: next weight, r2: next input, r4 to r11: sums. */
#define ADD_INPUT                             \
  "ldrsb r12, [r2], #1\n"                     \
  TWO("[r1], #8", "[r1, #-7]", "r4", "r5")    \
  TWO("[r1, #-6]", "[r1, #-5]", "r6", "r7")   \
  TWO("[r1, #-4]", "[r1, #-3]", "r8", "r9")   \
  TWO("[r1, #-2]", "[r1, #-1]", "r10", "r11")

static void add_eight(int32_t *sums, const int8_t *weights, const int8_t *input, int32_t in_features) {
  register int32_t *r0 __asm__("r0") = sums;
  register const int8_t *r1 __asm__("r1") = weights;
  register const int8_t *r2 __asm__("r2") = input;
  register int32_t r3 __asm__("r3") = in_features;
  __asm__ volatile(
      "push {r0, r4-r11, lr}\n"
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
      "ldr r0, [sp]\n"
      "stm r0, {r4-r11}\n"
      "pop {r0, r4-r11, lr}\n"
      : "+r"(r0), "+r"(r1), "+r"(r2), "+r"(r3)
      :
      : "r12", "cc", "memory");
}

#elif defined(__arm__)

static void add_eight(int32_t *sums, const int8_t *weights, const int8_t *input, int32_t in_features) {
  add_four(sums, weights, BLOCK, input, in_features);
  add_four(sums + HALF, weights + HALF, BLOCK, input, in_features);
}

#else

#if defined(__SSE2__)

/* Eight sums, two inputs at a time: their weights are put side by side, so that one instruction multiplies
 * both and adds the products. Returns the inputs that are left. */
static int32_t add_twos(int32_t *sums, const int8_t *weights, const int8_t *input, int32_t in_features) {
  __m128i low = _mm_loadu_si128((const __m128i *)(const void *)sums);
  __m128i high = _mm_loadu_si128((const __m128i *)(const void *)(sums + HALF));
  int32_t left = in_features;
  for (; left >= 2; left -= 2, weights += 2 * BLOCK, input += 2) {
    const __m128i w = _mm_loadu_si128((const __m128i *)(const void *)weights);
    const __m128i pairs = _mm_unpacklo_epi8(w, _mm_srli_si128(w, BLOCK));
    const __m128i x = _mm_set1_epi32((int32_t)((uint32_t)(uint16_t)input[0] | ((uint32_t)input[1] << 16)));
    low = _mm_add_epi32(low, _mm_madd_epi16(_mm_srai_epi16(_mm_unpacklo_epi8(pairs, pairs), 8), x));
    high = _mm_add_epi32(high, _mm_madd_epi16(_mm_srai_epi16(_mm_unpackhi_epi8(pairs, pairs), 8), x));
  }
  _mm_storeu_si128((__m128i *)(void *)sums, low);
  _mm_storeu_si128((__m128i *)(void *)(sums + HALF), high);
  return left;
}

#else

static inline int32_t add_twos(int32_t *sums, const int8_t *weights, const int8_t *input,
                               int32_t in_features) {
  (void)sums;
  (void)weights;
  (void)input;
  return in_features;
}

#endif

/* In a form that compilers turn into vector instructions where there are any. */
static void add_eight(int32_t *sums, const int8_t *weights, const int8_t *input, int32_t in_features) {
  const int32_t left = add_twos(sums, weights, input, in_features);
  int32_t local[BLOCK];
  weights += BLOCK * (in_features - left);
  for (int32_t k = 0; k < BLOCK; ++k) {
    local[k] = sums[k];
  }
  for (int32_t i = in_features - left; i < in_features; ++i) {
    const int32_t x = input[i];
    for (int32_t k = 0; k < BLOCK; ++k) {
      local[k] += weights[k] * x;
    }
    weights += BLOCK;
  }
  for (int32_t k = 0; k < BLOCK; ++k) {
    sums[k] = local[k];
  }
}

#endif

/* One block of `count` outputs, eight or four. */
static void block(const int8_t *weights, const es_channel *channels, const int8_t *input,
                  int32_t in_features, int32_t count, int8_t *output) {
  int32_t sums[BLOCK];
  for (int32_t i = 0; i < count; ++i) {
    sums[i] = channels[i].bias;
  }
  if (count == BLOCK) {
    add_eight(sums, weights, input, in_features);
  } else {
    add_four(sums, weights, HALF, input, in_features);
  }
  for (int32_t i = 0; i < count; ++i) {
    output[i] = es_scale_s8(sums[i], &channels[i]);
  }
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
    if (count > 1) {
      block(weights, channels, input, in_features, count, output);
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
