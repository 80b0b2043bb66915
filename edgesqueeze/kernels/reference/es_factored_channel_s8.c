/* An output channel of eight pixels of a convolution, from weights that are sorted by their values.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "es_factored_s8.h"

#if defined(__ARM_ARCH_6M__) || defined(__ARM_ARCH_8M_BASE__)

/* Adds 16 inputs to the sums r8 to r11, in 16 bytes of code each.
 *
 *   r0  next index    r1  end of the words of the last one    r2, r4-r7  spare */
#define STEPS(shift)                                    \
  ".irp i,0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15\n"      \
  "ldrb r2, [r0, #\\i]\n"                               \
  "lsls r2, r2, #" shift "\n"                           \
  "subs r1, r1, r2\n"                                   \
  "ldm r1!, {r4-r7}\n"                                  \
  "add r8, r4\n"                                        \
  "add r9, r5\n"                                        \
  "add r10, r6\n"                                       \
  "add r11, r7\n"                                       \
  ".endr\n"

/* The products of the sums in a word and the value r3. */
#define PRODUCTS(word, first, second) \
  "uxth r4, " word "\n"               \
  "muls r4, r3, r4\n"                 \
  "add " first ", r4\n"               \
  "lsrs " word ", " word ", #16\n"    \
  "muls " word ", r3, " word "\n"     \
  "add " second ", " word "\n"

/* For units of 2^shift bytes. r3: next packed sums, r12: rounds, lr: end of the packed sums; on the stack: that, the
 * values, the channel, the end of the words, the next weights. */
#define CHANNEL_OF_UNITS(name, shift)                                                                                \
  __attribute__((naked, noinline)) static const uint8_t *name(                                                       \
      const es_factored_channel *channel __attribute__((unused)), const uint8_t *weights __attribute__((unused))) {  \
    __asm__ volatile(                                                                                                \
        ".syntax unified\n"                                                                                          \
        "push {r4-r7, lr}\n"                                                                                         \
        "mov r4, r8\n"                                                                                               \
        "mov r5, r9\n"                                                                                               \
        "mov r6, r10\n"                                                                                              \
        "mov r7, r11\n"                                                                                              \
        "push {r4-r7}\n"                                                                                             \
        "sub sp, #20\n"                                                                                              \
        "str r0, [sp, #8]\n"                                                                                         \
        "ldr r2, [r0]\n"                                                                                             \
        "ldr r3, [r0, #4]\n"                                                                                         \
        "str r2, [sp, #12]\n"                                                                                        \
        "ldrb r4, [r1]\n"                                                                                            \
        "adds r0, r1, #1\n"                                                                                          \
        "str r0, [sp, #4]\n"                                                                                         \
        "adds r0, r0, r4\n"                                                                                          \
        "lsls r4, r4, #4\n"                                                                                          \
        "adds r4, r3, r4\n"                                                                                          \
        "str r4, [sp]\n"                                                                                             \
        "mov lr, r4\n"                                                                                               \
        "b 5f\n"                                                                                                     \
        "1:\n" /* a value: its first input */                                                                        \
        "ldr r1, [sp, #12]\n"                                                                                        \
        "ldrb r2, [r0, #1]\n"                                                                                        \
        "lsls r2, r2, #" shift "\n"                                                                                  \
        "subs r1, r1, r2\n"                                                                                          \
        "ldm r1!, {r4-r7}\n"                                                                                         \
        "mov r8, r4\n"                                                                                               \
        "mov r9, r5\n"                                                                                               \
        "mov r10, r6\n"                                                                                              \
        "mov r11, r7\n"                                                                                              \
        "ldrb r4, [r0]\n"                                                                                            \
        "adds r0, r0, #2\n"                                                                                          \
        "lsrs r5, r4, #4\n" /* rounds */                                                                             \
        "bne 2f\n"                                                                                                   \
        "b 4f\n"                                                                                                     \
        "2:\n"                                                                                                       \
        "mov r12, r5\n"                                                                                              \
        "lsls r4, r4, #28\n"                                                                                         \
        "lsrs r4, r4, #24\n" /* bytes of the steps to leave out in the first round */                                \
        "lsrs r5, r4, #4\n"                                                                                          \
        "subs r0, r0, r5\n"                                                                                          \
        "add pc, r4\n"                                                                                               \
        "nop\n"                                                                                                      \
        "3:\n"                                                                                                       \
        STEPS(shift)                                                                                                 \
        "adds r0, r0, #16\n"                                                                                         \
        "mov r2, r12\n"                                                                                              \
        "subs r2, r2, #1\n"                                                                                          \
        "beq 4f\n"                                                                                                   \
        "mov r12, r2\n"                                                                                              \
        "b 3b\n"                                                                                                     \
        "4:\n"                                                                                                       \
        "mov r4, r8\n"                                                                                               \
        "mov r5, r9\n"                                                                                               \
        "mov r6, r10\n"                                                                                              \
        "mov r7, r11\n"                                                                                              \
        "stm r3!, {r4-r7}\n"                                                                                         \
        "5:\n"                                                                                                       \
        "cmp r3, lr\n"                                                                                               \
        "beq 6f\n"                                                                                                   \
        "b 1b\n"                                                                                                     \
        "6:\n" /* sums: r8 to r12, lr, r6, r7 */                                                                     \
        "str r0, [sp, #16]\n"                                                                                        \
        "ldr r5, [sp, #4]\n"                                                                                         \
        "ldr r6, [sp, #8]\n"                                                                                         \
        "ldr r0, [r6, #4]\n"                                                                                         \
        "ldr r6, [r6, #12]\n"                                                                                        \
        "ldr r6, [r6]\n" /* bias */                                                                                  \
        "mov r8, r6\n"                                                                                               \
        "mov r9, r6\n"                                                                                               \
        "mov r10, r6\n"                                                                                              \
        "mov r11, r6\n"                                                                                              \
        "mov r12, r6\n"                                                                                              \
        "mov lr, r6\n"                                                                                               \
        "mov r7, r6\n"                                                                                               \
        "b 8f\n"                                                                                                     \
        "7:\n" /* a value times the sums of its inputs */                                                            \
        "ldrb r3, [r5]\n"                                                                                            \
        "sxtb r3, r3\n"                                                                                              \
        "adds r5, r5, #1\n"                                                                                          \
        "ldm r0!, {r1, r2}\n"                                                                                        \
        PRODUCTS("r1", "r8", "r9")                                                                                   \
        PRODUCTS("r2", "r10", "r11")                                                                                 \
        "ldm r0!, {r1, r2}\n"                                                                                        \
        PRODUCTS("r1", "r12", "lr")                                                                                  \
        PRODUCTS("r2", "r6", "r7")                                                                                   \
        "8:\n"                                                                                                       \
        "ldr r4, [sp]\n"                                                                                             \
        "cmp r0, r4\n"                                                                                               \
        "bne 7b\n"                                                                                                   \
        "ldr r5, [sp, #8]\n"                                                                                         \
        "ldr r3, [r5, #8]\n"                                                                                         \
        "mov r0, r8\n"                                                                                               \
        "mov r1, r10\n"                                                                                              \
        "mov r2, r12\n"                                                                                              \
        "stm r3!, {r0-r2, r6}\n"                                                                                     \
        "mov r0, r9\n"                                                                                               \
        "mov r1, r11\n"                                                                                              \
        "mov r2, lr\n"                                                                                               \
        "stm r3!, {r0-r2, r7}\n"                                                                                     \
        "ldr r0, [r5, #8]\n"                                                                                         \
        "ldr r7, [r5, #16]\n"                                                                                        \
        "ldr r4, [r5, #20]\n"                                                                                        \
        "mov r9, r4\n"                                                                                               \
        "ldr r4, [r5, #24]\n"                                                                                        \
        "adds r4, r0, r4\n"                                                                                          \
        "mov r12, r4\n"                                                                                              \
        "movs r4, #128\n"                                                                                            \
        "lsls r4, r4, #8\n"                                                                                          \
        "mov r10, r4\n"                                                                                              \
        "ldr r5, [r5, #12]\n"                                                                                        \
        "ldr r4, [r5, #8]\n"                                                                                         \
        "mov r8, r4\n"                                                                                               \
        "ldr r3, [r5, #12]\n"                                                                                        \
        "ldr r1, [r5, #4]\n"                                                                                         \
        "sxth r2, r1\n"                                                                                              \
        "subs r1, r1, r2\n"                                                                                          \
        "lsrs r1, r1, #16\n"                                                                                         \
        "9:\n" /* es_scale_s8 of every sum: r0 next sum, r1 and r2 halves of the multiplier, r3 shift, */            \
        "ldm r0!, {r4}\n" /* r7 output, r8 addend, r9 pitch, r10 0x8000, r12 end of the sums */                      \
        "asrs r6, r4, #31\n"                                                                                         \
        "add r6, r8\n"                                                                                               \
        "mov r11, r6\n"                                                                                              \
        "lsls r4, r4, #1\n"                                                                                          \
        "sxth r5, r4\n"                                                                                              \
        "subs r4, r4, r5\n"                                                                                          \
        "asrs r4, r4, #16\n"                                                                                         \
        "movs r6, r5\n"                                                                                              \
        "muls r6, r2, r6\n"                                                                                          \
        "asrs r6, r6, #16\n"                                                                                         \
        "muls r5, r1, r5\n"                                                                                          \
        "adds r5, r5, r6\n"                                                                                          \
        "movs r6, r4\n"                                                                                              \
        "muls r6, r2, r6\n"                                                                                          \
        "adds r5, r5, r6\n"                                                                                          \
        "add r5, r10\n"                                                                                              \
        "asrs r5, r5, #16\n"                                                                                         \
        "muls r4, r1, r4\n"                                                                                          \
        "adds r4, r4, r5\n"                                                                                          \
        "add r4, r11\n"                                                                                              \
        "asrs r4, r3\n"                                                                                              \
        "sxtb r5, r4\n"                                                                                              \
        "cmp r5, r4\n"                                                                                               \
        "bne 11f\n"                                                                                                  \
        "10:\n"                                                                                                      \
        "strb r5, [r7]\n"                                                                                            \
        "add r7, r9\n"                                                                                               \
        "cmp r0, r12\n"                                                                                              \
        "bne 9b\n"                                                                                                   \
        "ldr r0, [sp, #16]\n"                                                                                        \
        "add sp, #20\n"                                                                                              \
        "pop {r4-r7}\n"                                                                                              \
        "mov r8, r4\n"                                                                                               \
        "mov r9, r5\n"                                                                                               \
        "mov r10, r6\n"                                                                                              \
        "mov r11, r7\n"                                                                                              \
        "pop {r4-r7, pc}\n"                                                                                          \
        "11:\n" /* -128 or 127 */                                                                                    \
        "movs r5, #127\n"                                                                                            \
        "asrs r4, r4, #31\n"                                                                                         \
        "eors r5, r4\n"                                                                                              \
        "b 10b\n");                                                                                                  \
  }

#elif defined(__ARM_ARCH_7M__)

/* Adds 16 inputs to the sums r4 to r7, in 18 bytes of code each.
 *
 *   r0  next index    r1  last word    r2, r8-r11  spare */
#define STEPS(shift)                               \
  ".irp i,0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15\n" \
  "ldrb r2, [r0, #\\i]\n"                          \
  "sub r1, r1, r2, lsl #" shift "\n"               \
  "ldm r1!, {r8-r11}\n"                            \
  "add r4, r8\n"                                   \
  "add r5, r9\n"                                   \
  "add r6, r10\n"                                  \
  "add r7, r11\n"                                  \
  ".endr\n"

/* The products of the sums in a word and the value r12. */
#define PRODUCTS(word, first, second)     \
  "uxth lr, " word "\n"                   \
  "mla " first ", lr, r12, " first "\n"   \
  "lsrs " word ", " word ", #16\n"        \
  "mla " second ", " word ", r12, " second "\n"

/* For units of 2^shift bytes. r3: next packed sums, r12: rounds, lr: end of the words, on the stack: end of the packed sums,
 * values, packed sums, sums. */
#define SUMS_OF_UNITS(name, shift)                                                                                   \
  __attribute__((naked, noinline)) static const uint8_t *name(                                                       \
      const uint32_t *end __attribute__((unused)), const uint8_t *weights __attribute__((unused)),                   \
      uint32_t *packed __attribute__((unused)), int32_t *sums __attribute__((unused))) {                             \
    __asm__ volatile(                                                                                                \
        ".syntax unified\n"                                                                                          \
        "push {r4-r11, lr}\n"                                                                                        \
        "mov lr, r0\n"                                                                                               \
        "ldrb r4, [r1], #1\n"                                                                                        \
        "add r0, r1, r4\n"                                                                                           \
        "add r4, r2, r4, lsl #4\n"                                                                                   \
        "push {r3}\n"                                                                                                \
        "push {r1, r2}\n"                                                                                            \
        "push {r4}\n"                                                                                                \
        "mov r3, r2\n"                                                                                               \
        "b 5f\n"                                                                                                     \
        "1:\n" /* a value: its first input */                                                                        \
        "ldrb r2, [r0, #1]\n"                                                                                        \
        "sub r1, lr, r2, lsl #" shift "\n"                                                                           \
        "ldm r1!, {r4-r7}\n"                                                                                         \
        "ldrb r2, [r0], #2\n"                                                                                        \
        "lsrs r12, r2, #4\n"                                                                                         \
        "beq.w 4f\n"                                                                                                 \
        "and r2, r2, #15\n" /* steps to leave out in the first round */                                              \
        "subs r0, r0, r2\n"                                                                                          \
        "add r2, r2, r2, lsl #3\n"                                                                                   \
        "lsls r2, r2, #1\n"                                                                                          \
        "add pc, r2\n"                                                                                               \
        "nop\n"                                                                                                      \
        "3:\n"                                                                                                       \
        STEPS(shift)                                                                                                 \
        "adds r0, r0, #16\n"                                                                                         \
        "subs r12, r12, #1\n"                                                                                        \
        "bne.w 3b\n"                                                                                                 \
        "4:\n"                                                                                                       \
        "stm r3!, {r4-r7}\n"                                                                                         \
        "5:\n"                                                                                                       \
        "ldr r4, [sp]\n"                                                                                             \
        "cmp r3, r4\n"                                                                                               \
        "bne.w 1b\n"                                                                                                 \
        "ldrd r1, r3, [sp, #4]\n"                                                                                    \
        "str r0, [sp, #4]\n"                                                                                         \
        "mov r0, r3\n"                                                                                               \
        "ldr r4, [sp, #12]\n"                                                                                        \
        "ldr r4, [r4]\n"                                                                                             \
        "mov r5, r4\n"                                                                                               \
        "mov r6, r4\n"                                                                                               \
        "mov r7, r4\n"                                                                                               \
        "mov r8, r4\n"                                                                                               \
        "mov r9, r4\n"                                                                                               \
        "mov r10, r4\n"                                                                                              \
        "mov r11, r4\n"                                                                                              \
        "b 8f\n"                                                                                                     \
        "7:\n" /* a value times the sums of its inputs */                                                            \
        "ldrsb r12, [r1], #1\n"                                                                                      \
        "ldrd r2, r3, [r0], #8\n"                                                                                    \
        PRODUCTS("r2", "r4", "r8")                                                                                   \
        PRODUCTS("r3", "r5", "r9")                                                                                   \
        "ldrd r2, r3, [r0], #8\n"                                                                                    \
        PRODUCTS("r2", "r6", "r10")                                                                                  \
        PRODUCTS("r3", "r7", "r11")                                                                                  \
        "8:\n"                                                                                                       \
        "ldr r2, [sp]\n"                                                                                             \
        "cmp r0, r2\n"                                                                                               \
        "bne 7b\n"                                                                                                   \
        "ldr r0, [sp, #12]\n"                                                                                        \
        "stm r0, {r4-r11}\n"                                                                                         \
        "ldr r0, [sp, #4]\n"                                                                                         \
        "add sp, sp, #16\n"                                                                                          \
        "pop {r4-r11, pc}\n");                                                                                       \
  }

#endif

#if defined(CHANNEL_OF_UNITS)

CHANNEL_OF_UNITS(channel_of_words, "2")
CHANNEL_OF_UNITS(channel_of_fours, "4")

const uint8_t *es_factored_channel_s8(const es_factored_channel *channel, const uint8_t *weights, int32_t shift) {
  return shift == 2 ? channel_of_words(channel, weights) : channel_of_fours(channel, weights);
}

#else

#include "es_scale_s8.h"

#if defined(SUMS_OF_UNITS)

SUMS_OF_UNITS(sums_of_words, "2")
SUMS_OF_UNITS(sums_of_fours, "4")

/* The sums of eight pixels; the first one holds the bias of all. */
static const uint8_t *add_products(const es_factored_channel *channel, const uint8_t *weights, int32_t shift) {
  return shift == 2 ? sums_of_words(channel->end, weights, channel->packed, channel->sums)
                    : sums_of_fours(channel->end, weights, channel->packed, channel->sums);
}

#else

/* The sums of eight pixels; the first one holds the bias of all. */
static const uint8_t *add_products(const es_factored_channel *channel, const uint8_t *weights, int32_t shift) {
  const int32_t values = *weights;
  const int8_t *const value = (const int8_t *)weights + 1;
  const int32_t unit = 1 << (shift - 2);
  int32_t *const sums = channel->sums;
  weights += 1 + values;
  for (int32_t i = 1; i < ES_FACTORED_PIXELS; ++i) {
    sums[i] = sums[0];
  }
  for (int32_t i = 0; i < values; ++i) {
    const uint32_t *last = channel->end;
    uint32_t packed[ES_FACTORED_WORDS] = {0, 0, 0, 0};
    const int32_t code = *weights++;
    for (int32_t left = ES_FACTORED_ROUND * (code >> 4) - (code & 15) + 1; left > 0; --left) {
      last -= *weights++ * unit;
      for (int32_t k = 0; k < ES_FACTORED_WORDS; ++k) {
        packed[k] += *last++;
      }
    }
    for (int32_t k = 0; k < ES_FACTORED_WORDS; ++k) {
      sums[k] += value[i] * (int32_t)(packed[k] & 0xFFFFu);
      sums[k + ES_FACTORED_WORDS] += value[i] * (int32_t)(packed[k] >> 16);
    }
  }
  return weights;
}

#endif

const uint8_t *es_factored_channel_s8(const es_factored_channel *channel, const uint8_t *weights, int32_t shift) {
  int8_t *output = channel->output;
  *channel->sums = channel->channel->bias;
  weights = add_products(channel, weights, shift);
  for (int32_t i = 0; i < channel->sum_bytes / (int32_t)sizeof(int32_t); ++i, output += channel->pitch) {
    *output = es_scale_s8(channel->sums[i], channel->channel);
  }
  return weights;
}

#endif
