/* Fully connected layer that skips blocks of zeros, 4 outputs x 1 input, int8, for cores with the DSP extension.
 * SPDX-License-Identifier: Apache-2.0
 *
 * Two inputs at a time, which need not be neighbours; two outputs share a word as in es_conv_core_dsp.h. Weights: see
 * es_packed.h.
 */
#include "es_assembly_dsp.h"
#include "es_blocks_s8.h"

/* What the assembly gets, and moves on; the order of the members is known to it. */
typedef struct {
  const int8_t *input;
  const int8_t *words;
  const uint8_t *places;
  int32_t segments;
  int32_t sums[ES_DENSE_OUTPUTS];
} group_run;

/* The sums of one group of outputs.
 *
 *   r1  input     r4, r5    places, then words     r7, r9   sums of outputs 1 and 3
 *   r2  words     r6        where to enter         r8, r10  256 times those of outputs 0 and 2, plus r7 and r9
 *   r3  places    r11       segments left          r12  two inputs    lr  rounds left */
ES_ASSEMBLY static void add_products(group_run *run ES_UNUSED) {
  __asm__ volatile(
      "push {r4-r11, lr}\n"
      "ldm r0, {r1-r3, r11}\n"
      "movs r7, #0\n"
      "mov r8, #0\n"
      "mov r9, #0\n"
      "mov r10, #0\n"
      "1:\n" /* next segment */
      "ldrb r12, [r3], #1\n"
      "adr.w r6, 3f\n"
      "orr r6, r6, #1\n"    /* Thumb state */
      "and r5, r12, #7\n"   /* pairs in the first round, of 48 bytes of code each */
      "add r5, r5, r5, lsl #1\n"
      "sub r6, r6, r5, lsl #4\n"
      "lsr lr, r12, #3\n"
      "bx r6\n"
      ".balign 4\n"
      "2:\n"
      ".rept 8\n"
      "ldrb r4, [r3], #1\n"
      "ldrb r5, [r3], #1\n"
      "ldrsb.w r4, [r1, r4]\n"
      "ldrsb.w r5, [r1, r5]\n"
      "pkhbt r12, r4, r5, lsl #16\n"
      "ldrd r4, r5, [r2], #8\n"
      "smlad r8, r12, r4, r8\n"
      "sxtb16 r4, r4\n"
      "smlad r10, r12, r5, r10\n"
      "sxtb16 r5, r5\n"
      "smlad r7, r12, r4, r7\n"
      "smlad r9, r12, r5, r9\n"
      ".endr\n"
      "3:\n"
      "subs lr, lr, #1\n"
      "bpl.w 2b\n"
      "add r1, r1, #256\n" /* ES_DENSE_SEGMENT */
      "subs r11, r11, #1\n"
      "bne.w 1b\n"
      "sub r8, r8, r7\n"
      "sub r10, r10, r9\n"
      "asr r8, r8, #8\n"
      "asr r10, r10, #8\n"
      "add r1, r0, #16\n"
      "stm r1, {r8}\n"
      "strd r7, r10, [r0, #20]\n"
      "str r9, [r0, #28]\n"
      "strd r2, r3, [r0, #4]\n"
      "pop {r4-r11, pc}\n");
}

/* As es_requantize_s8: SMMLAR takes the upper half of the product, so the accumulator is doubled. */
static inline int8_t scale(int32_t accumulator, const es_channel *channel) {
  int32_t value = channel->addend + (accumulator >> 31);
  __asm__("smmlar %0, %1, %2, %3"
          : "=r"(value)
          : "r"(accumulator * 2), "r"(channel->multiplier), "r"(value));
  value >>= channel->shift;
  __asm__("ssat %0, #8, %1" : "=r"(value) : "r"(value));
  return (int8_t)value;
}

int32_t es_fully_connected_blocks_s8_scratch_bytes(const es_fully_connected *layer) {
  (void)layer;
  return 0;
}

void es_fully_connected_blocks_s8(const es_fully_connected *layer, const int8_t *input, int8_t *output,
                                  void *scratch) {
  const int32_t outputs = layer->out_features;
  const int32_t shared = layer->channels.format == ES_CHANNELS_SHARED;
  const int32_t *const biases = (const int32_t *)layer->channels.records;
  es_channel channels[ES_DENSE_OUTPUTS];
  group_run run;
  (void)scratch;
  run.input = input;
  run.words = es_blocks_words(layer->weights);
  run.places = es_blocks_skips(layer->weights);
  run.segments = (layer->in_features + ES_DENSE_SEGMENT - 1) / ES_DENSE_SEGMENT;
  es_unpack_channels(&layer->channels, 0, 1, channels);
  for (int32_t first = 0; first < outputs; first += ES_DENSE_OUTPUTS) {
    const int32_t count = outputs - first < ES_DENSE_OUTPUTS ? outputs - first : ES_DENSE_OUTPUTS;
    add_products(&run);
    if (shared) { /* one channel's parameters, and biases */
      for (int32_t i = 0; i < count; ++i) {
        *output++ = scale(run.sums[i] + biases[first + i], channels);
      }
    } else {
      es_unpack_channels(&layer->channels, first, count, channels);
      for (int32_t i = 0; i < count; ++i) {
        *output++ = scale(run.sums[i] + channels[i].bias, &channels[i]);
      }
    }
  }
}
