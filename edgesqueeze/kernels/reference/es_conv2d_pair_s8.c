/* All output channels of two pixels of a convolution, portable.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "es_conv2d_pair_s8.h"

#include <string.h>
#if defined(__SSE2__)
#include <emmintrin.h>
#endif

#include "es_scale_s8.h"

void es_conv2d_spread_s8(const int8_t *inputs, int32_t taps, int8_t *copy) {
  int32_t left = taps;
  if (((uintptr_t)inputs & 3u) == 0u) {
    for (; left >= 4; left -= 4) {
      memcpy(__builtin_assume_aligned(copy, 4), __builtin_assume_aligned(inputs, 4), 4);
      inputs += 4;
      copy += 8;
    }
  }
  for (int32_t i = 0; i < left; ++i) {
    copy[i + (i & ~3)] = inputs[i];
  }
}

/* Four output channels of two pixels at a time: eight accumulators, so that a weight is loaded once for two
 * products and an input once for four. With the pointers that fills the registers of Armv7-M. */
#if defined(__ARM_ARCH_7M__)

/* One tap, given the addresses of its inputs and weights. Loads that follow each other overlap on Cortex-M3,
 * unless they change their base register: of the four taps in a loop only the first does. */
#define TAP(first, second, weight_0, weight_1, weight_2, weight_3) \
  "ldrsb r12, " second "\n"                                        \
  "ldrsb r3, " first "\n"                                          \
  "ldrsb lr, " weight_0 "\n"                                       \
  "mla r4, lr, r3, r4\n"                                           \
  "mla r5, lr, r12, r5\n"                                          \
  "ldrsb lr, " weight_1 "\n"                                       \
  "mla r6, lr, r3, r6\n"                                           \
  "mla r7, lr, r12, r7\n"                                          \
  "ldrsb lr, " weight_2 "\n"                                       \
  "mla r8, lr, r3, r8\n"                                           \
  "mla r9, lr, r12, r9\n"                                          \
  "ldrsb lr, " weight_3 "\n"                                       \
  "mla r10, lr, r3, r10\n"                                         \
  "mla r11, lr, r12, r11\n"

/* Requantizes one channel of both pixels. r0: multiplier, r1: addend, r2: shift, r12 and lr: product; the
 * es_channel is `multiplier` - 4 bytes behind r3. */
#define SCALE(multiplier, addend, x, y) \
  "ldr r0, [r3, #" multiplier "]\n"     \
  "ldrd r1, r2, [r3, #" addend "]\n"    \
  "add lr, r1, " x ", asr #31\n"        \
  "add r1, r1, " y ", asr #31\n"        \
  "lsl " x ", " x ", #1\n"              \
  "mov r12, #0x80000000\n"              \
  "smlal r12, lr, " x ", r0\n"          \
  "lsl " y ", " y ", #1\n"              \
  "mov r12, #0x80000000\n"              \
  "smlal r12, r1, " y ", r0\n"          \
  "asr lr, lr, r2\n"                    \
  "asr r1, r1, r2\n"                    \
  "ssat " x ", #8, lr\n"                \
  "ssat " y ", #8, r1\n"

/* Blocks of four channels; moves `pair` on behind them.
 * r0: weights, r1: inputs, r2: taps that are left; r4, r6, r8, r10: sums of the first pixel, r5, r7, r9, r11: of
 * the second; on the stack: `pair`. */
static void blocks_of_four(es_conv2d_pair *pair) {
  register es_conv2d_pair *r0 __asm__("r0") = pair;
  __asm__ volatile(
      "push {r0, r4-r11, lr}\n"
      "1:\n" /* a block: sums begin with the biases */
      "ldm r0, {r0-r3}\n" /* weights, inputs, taps, channels */
      "ldr r4, [r3]\n"
      "ldr r6, [r3, #16]\n"
      "ldr r8, [r3, #32]\n"
      "ldr r10, [r3, #48]\n"
      "mov r5, r4\n"
      "mov r7, r6\n"
      "mov r9, r8\n"
      "mov r11, r10\n"
      "subs r2, r2, #4\n"
      "blt 3f\n"
      "2:\n" /* four taps */
      TAP("[r1], #8", "[r1, #4]", "[r0], #16", "[r0, #-15]", "[r0, #-14]", "[r0, #-13]")
      TAP("[r1, #-7]", "[r1, #-3]", "[r0, #-12]", "[r0, #-11]", "[r0, #-10]", "[r0, #-9]")
      TAP("[r1, #-6]", "[r1, #-2]", "[r0, #-8]", "[r0, #-7]", "[r0, #-6]", "[r0, #-5]")
      TAP("[r1, #-5]", "[r1, #-1]", "[r0, #-4]", "[r0, #-3]", "[r0, #-2]", "[r0, #-1]")
      "subs r2, r2, #4\n"
      "bge 2b\n"
      "3:\n"
      "adds r2, r2, #4\n"
      "beq 5f\n"
      "4:\n" /* what is left over, tap by tap */
      TAP("[r1], #1", "[r1, #4]", "[r0], #4", "[r0, #-3]", "[r0, #-2]", "[r0, #-1]")
      "subs r2, r2, #1\n"
      "bne 4b\n"
      "5:\n"
      "ldr r1, [sp]\n"
      "ldr r3, [r1, #12]\n" /* channels */
      "str r0, [r1]\n" /* weights of the next block */
      SCALE("4", "8", "r4", "r5")
      SCALE("20", "24", "r6", "r7")
      SCALE("36", "40", "r8", "r9")
      SCALE("52", "56", "r10", "r11")
      "ldr r0, [sp]\n"
      "add r3, r3, #64\n"
      "ldrd r1, r2, [r0, #16]\n" /* first, second */
      "strb r5, [r2], #1\n"
      "strb r7, [r2], #1\n"
      "strb r9, [r2], #1\n"
      "strb r11, [r2], #1\n"
      "strb r4, [r1], #1\n"
      "strb r6, [r1], #1\n"
      "strb r8, [r1], #1\n"
      "strb r10, [r1], #1\n"
      "ldr r4, [r0, #24]\n" /* channels that are left */
      "strd r3, r1, [r0, #12]\n"
      "sub r4, r4, #4\n"
      "strd r2, r4, [r0, #20]\n"
      "cmp r4, #4\n"
      "bge 1b\n"
      "pop {r0, r4-r11, lr}\n"
      : "+r"(r0)
      :
      : "r1", "r2", "r3", "r12", "cc", "memory");
}

#else

/* Sums of one channel. */
typedef struct {
  int32_t first, second;
} sums;

/* Adds the products of all taps to the sums of four channels. */
#if defined(__ARM_ARCH_6M__)

/* One tap. r0: weights, r1: inputs; the tap is the `i`-th from there. */
#define TAP(i, weight_0, weight_1, weight_2, weight_3) \
  "ldrb r2, [r1, #" i "]\n"                            \
  "ldrb r3, [r1, #4 + " i "]\n"                        \
  "sxtb r2, r2\n"                                      \
  "sxtb r3, r3\n"                                      \
  PRODUCTS(weight_0, "r8", "r9")                       \
  PRODUCTS(weight_1, "r10", "r11")                     \
  PRODUCTS(weight_2, "r12", "lr")                      \
  PRODUCTS(weight_3, "r6", "r7")

/* One weight times the inputs of both pixels. */
#define PRODUCTS(offset, first, second) \
  "ldrb r4, [r0, #" offset "]\n"        \
  "sxtb r4, r4\n"                       \
  "movs r5, r4\n"                       \
  "muls r5, r2, r5\n"                   \
  "muls r4, r3, r4\n"                   \
  "add " first ", r5\n"                 \
  "add " second ", r4\n"

/* The sums: r8 to r11, r12, lr, r6, r7. On the stack: `sum`, taps that are left. */
static void add_taps(sums *sum, const int8_t *weights, const int8_t *inputs, int32_t taps) {
  register sums *r0 __asm__("r0") = sum;
  register const int8_t *r1 __asm__("r1") = weights;
  register const int8_t *r2 __asm__("r2") = inputs;
  register int32_t r3 __asm__("r3") = taps;
  __asm__ volatile(
      ".syntax unified\n"
      "push {r4-r7, lr}\n"
      "mov r4, r8\n"
      "mov r5, r9\n"
      "mov r6, r10\n"
      "mov r7, r11\n"
      "push {r4-r7}\n"
      "push {r0, r3}\n"
      "ldm r0!, {r4-r7}\n"
      "mov r8, r4\n"
      "mov r9, r5\n"
      "mov r10, r6\n"
      "mov r11, r7\n"
      "ldm r0!, {r4-r7}\n"
      "mov r12, r4\n"
      "mov lr, r5\n"
      "movs r0, r1\n"
      "movs r1, r2\n"
      "b 2f\n"
      "1:\n" /* four taps */
      "str r3, [sp, #4]\n"
      TAP("0", "0", "1", "2", "3")
      TAP("1", "4", "5", "6", "7")
      TAP("2", "8", "9", "10", "11")
      TAP("3", "12", "13", "14", "15")
      "adds r0, r0, #16\n"
      "adds r1, r1, #8\n"
      "ldr r3, [sp, #4]\n"
      "2:\n"
      "subs r3, r3, #4\n"
      "bmi 3f\n"
      "b 1b\n"
      "3:\n"
      "adds r3, r3, #4\n"
      "beq 5f\n"
      "4:\n" /* what is left over, tap by tap */
      "str r3, [sp, #4]\n"
      TAP("0", "0", "1", "2", "3")
      "adds r0, r0, #4\n"
      "adds r1, r1, #1\n"
      "ldr r3, [sp, #4]\n"
      "subs r3, r3, #1\n"
      "bne 4b\n"
      "5:\n"
      "pop {r0, r3}\n"
      "mov r2, r8\n"
      "mov r3, r9\n"
      "mov r4, r10\n"
      "mov r5, r11\n"
      "stm r0!, {r2-r5}\n"
      "mov r4, r12\n"
      "mov r5, lr\n"
      "stm r0!, {r4-r7}\n"
      "pop {r4-r7}\n"
      "mov r8, r4\n"
      "mov r9, r5\n"
      "mov r10, r6\n"
      "mov r11, r7\n"
      "pop {r4-r7}\n"
      "pop {r3}\n"
      "mov lr, r3\n"
      : "+r"(r0), "+r"(r1), "+r"(r2), "+r"(r3)
      :
      : "r12", "cc", "memory");
}

#else

static inline void add_tap(sums *sum, const int8_t *weights, int32_t first, int32_t second) {
  sum[0].first += weights[0] * first;
  sum[0].second += weights[0] * second;
  sum[1].first += weights[1] * first;
  sum[1].second += weights[1] * second;
  sum[2].first += weights[2] * first;
  sum[2].second += weights[2] * second;
  sum[3].first += weights[3] * first;
  sum[3].second += weights[3] * second;
}

#if defined(__SSE2__)

/* Eight int8 of a register's lower half as int16. */
static inline __m128i widened(__m128i bytes) {
  return _mm_srai_epi16(_mm_unpacklo_epi8(bytes, bytes), 8);
}

/* Whole groups of four taps. Weights of two taps are put side by side for each channel, so that one
 * instruction multiplies both with their inputs and adds the products. Returns the taps that are left. */
static int32_t add_groups(sums *sum, const int8_t *weights, const int8_t *inputs, int32_t taps) {
  __m128i first = _mm_set_epi32(sum[3].first, sum[2].first, sum[1].first, sum[0].first);
  __m128i second = _mm_set_epi32(sum[3].second, sum[2].second, sum[1].second, sum[0].second);
  int32_t results[8];
  for (; taps >= 4; taps -= 4, weights += 16, inputs += 8) {
    const __m128i w = _mm_loadu_si128((const __m128i *)(const void *)weights);
    const __m128i upper = _mm_srli_si128(w, 8);
    const __m128i w01 = widened(_mm_unpacklo_epi8(w, _mm_srli_si128(w, 4)));
    const __m128i w23 = widened(_mm_unpacklo_epi8(upper, _mm_srli_si128(upper, 4)));
    const __m128i x = widened(_mm_loadl_epi64((const __m128i *)(const void *)inputs));
    first = _mm_add_epi32(first, _mm_madd_epi16(w01, _mm_shuffle_epi32(x, 0x00)));
    first = _mm_add_epi32(first, _mm_madd_epi16(w23, _mm_shuffle_epi32(x, 0x55)));
    second = _mm_add_epi32(second, _mm_madd_epi16(w01, _mm_shuffle_epi32(x, 0xAA)));
    second = _mm_add_epi32(second, _mm_madd_epi16(w23, _mm_shuffle_epi32(x, 0xFF)));
  }
  _mm_storeu_si128((__m128i *)(void *)results, first);
  _mm_storeu_si128((__m128i *)(void *)(results + 4), second);
  for (int32_t i = 0; i < 4; ++i) {
    sum[i].first = results[i];
    sum[i].second = results[i + 4];
  }
  return taps;
}

#else

static inline int32_t add_groups(sums *sum, const int8_t *weights, const int8_t *inputs, int32_t taps) {
  (void)sum;
  (void)weights;
  (void)inputs;
  return taps;
}

#endif

static void add_taps(sums *sum, const int8_t *weights, const int8_t *inputs, int32_t taps) {
  const int32_t rest = add_groups(sum, weights, inputs, taps);
  weights += 4 * (taps - rest);
  inputs += 2 * (taps - rest);
  for (int32_t left = rest; left > 0; left -= 4) {
    const int32_t count = left < 4 ? left : 4;
    for (int32_t i = 0; i < count; ++i) {
      add_tap(sum, weights, inputs[i], inputs[i + 4]);
      weights += 4;
    }
    inputs += 8;
  }
}

#endif

/* Blocks of four channels; moves `pair` on behind them. */
static void blocks_of_four(es_conv2d_pair *pair) {
  do {
    sums sum[4];
    for (int32_t i = 0; i < 4; ++i) {
      sum[i].first = pair->channels[i].bias;
      sum[i].second = pair->channels[i].bias;
    }
    add_taps(sum, pair->weights, pair->inputs, pair->taps);
    for (int32_t i = 0; i < 4; ++i) {
      *pair->second++ = es_scale_s8(sum[i].second, pair->channels);
      *pair->first++ = es_scale_s8(sum[i].first, pair->channels);
      ++pair->channels;
    }
    pair->weights += 4 * pair->taps;
    pair->out_channels -= 4;
  } while (pair->out_channels >= 4);
}

#endif

static void one_channel(es_conv2d_pair *pair) {
  int32_t first = pair->channels->bias, second = first;
  const int8_t *inputs = pair->inputs;
  for (int32_t i = 0; i < pair->taps; ++i) {
    const int32_t weight = *pair->weights++;
    first += weight * inputs[i + (i & ~3)];
    second += weight * inputs[i + (i & ~3) + 4];
  }
  *pair->second++ = es_scale_s8(second, pair->channels);
  *pair->first++ = es_scale_s8(first, pair->channels);
  ++pair->channels;
  --pair->out_channels;
}

void es_conv2d_pair_s8(const es_conv2d_pair *pair) {
  es_conv2d_pair rest = *pair;
  if (rest.out_channels >= 4) {
    blocks_of_four(&rest);
  }
  while (rest.out_channels > 0) {
    one_channel(&rest);
  }
}
