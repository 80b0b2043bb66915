/* Fully connected layer, int8, for cores with the DSP extension.
 * SPDX-License-Identifier: Apache-2.0
 *
 * Weights: groups of 4 outputs; in a group, for every 4 inputs 4 words: outputs 0 and 1 with inputs 0 and 2,
 * the same with inputs 1 and 3, and both for outputs 2 and 3. Two outputs share a word as two channels do in
 * es_conv_core_dsp.h. Inputs and outputs are padded with zero weights to multiples of 4.
 *
 * Up to MOST_WIDENED inputs are widened to int16 once, in scratch memory; more are widened for every group.
 */
#include <string.h>

#include "es_assembly_dsp.h"
#include "es_conv.h"

enum {
  OUTPUTS = 4,
  MOST_WIDENED = 256,
  /* So many inputs keep an even output's sum within the 24 bits that its words allow, whatever the weights are. */
  MOST_INPUTS = 512
};

/* What the assembly gets; the order of the members is known to it. */
typedef struct {
  const void *inputs;
  int32_t steps; /* of 4 inputs */
  const int8_t *weights;
  int32_t widened; /* whether the inputs are int16, inputs 0, 2, 1 and 3 of a step */
  int8_t *output;
  const int32_t *biases;
  int32_t groups; /* 0: of one group add the sums to those at `sums`, and write no output */
  int32_t multiplier, addend, shift;
  int32_t *sums;
} group_run;

/* Computes groups of outputs that share multiplier, addend and shift, or the sums of one group.
 *
 *   r0      inputs             r12, lr  inputs 0 and 2, 1 and 3 of a step
 *   r1      weights            r2-r5    weights of a step
 *   r6      end of the inputs  r7, r9   sums of outputs 1 and 3
 *   r11     output             r8, r10  256 times the sums of outputs 0 and 2, plus those of outputs 1 and 3
 *
 * Stack: 0 inputs, 4 their end, 8 four zeros, 24 where to enter the loop, 28 biases, 32 groups left,
 * 36 multiplier, addend, shift, 48 sums. One LDM starts a group: it sets r0 and r6, clears the sums and jumps
 * into the unrolled loop so that what is left of the steps after full rounds comes first. */
ES_ASSEMBLY static void compute_groups(const group_run *run ES_UNUSED) {
  __asm__ volatile(
      "push {r4-r11, lr}\n"
      "sub sp, sp, #52\n"
      "mov r12, r0\n"
      "ldmia r12!, {r0-r3, r11}\n"
      "ldm r12, {r4-r9}\n"
      "add r12, sp, #28\n"
      "stm r12, {r4-r9}\n"
      "rsb r4, r1, #0\n"
      "cbz r3, 1f\n"
      "add r6, r0, r1, lsl #3\n"
      "and r4, r4, #7\n"         /* steps to leave out in the first round */
      "rsb r4, r4, r4, lsl #3\n" /* 56 bytes of code each */
      "adr.w r5, 4f\n"
      "add r5, r5, r4, lsl #3\n"
      "b 2f\n"
      "1:\n"
      "add r6, r0, r1, lsl #2\n"
      "and r4, r4, #3\n"
      "adr.w r5, 5f\n"
      "add r5, r5, r4, lsl #6\n" /* 64 bytes of code each */
      "2:\n"
      "orr r5, r5, #1\n" /* Thumb state */
      "mov r1, r2\n"
      "movs r2, #0\n"
      "movs r3, #0\n"
      "strd r0, r6, [sp]\n"
      "strd r2, r3, [sp, #8]\n"
      "strd r2, r3, [sp, #16]\n"
      "str r5, [sp, #24]\n"
      "3:\n" /* next group */
      "ldm sp, {r0, r6-r10, pc}\n"

      ".balign 4\n"
      "4:\n" /* widened inputs */
      ".rept 8\n"
      "ldmia.w r1!, {r2-r5}\n"
      "ldrd r12, lr, [r0], #8\n"
      "smlad r8, r12, r2, r8\n"
      "smlad r8, lr, r3, r8\n"
      "smlad r10, r12, r4, r10\n"
      "smlad r10, lr, r5, r10\n"
      "sxtb16 r2, r2\n"
      "sxtb16 r3, r3\n"
      "sxtb16 r4, r4\n"
      "sxtb16 r5, r5\n"
      "smlad r7, r12, r2, r7\n"
      "smlad r9, r12, r4, r9\n"
      "smlad r7, lr, r3, r7\n"
      "smlad r9, lr, r5, r9\n"
      ".endr\n"
      "cmp r0, r6\n"
      "bne.w 4b\n"
      "b 6f\n"

      ".balign 4\n"
      "5:\n" /* inputs of one byte */
      ".rept 4\n"
      "ldmia.w r1!, {r2-r5}\n"
      "ldr r12, [r0], #4\n"
      "sxtb16 lr, r12, ror #8\n"
      "sxtb16 r12, r12\n"
      "smlad r8, r12, r2, r8\n"
      "smlad r8, lr, r3, r8\n"
      "smlad r10, r12, r4, r10\n"
      "smlad r10, lr, r5, r10\n"
      "sxtb16 r2, r2\n"
      "sxtb16 r3, r3\n"
      "sxtb16 r4, r4\n"
      "sxtb16 r5, r5\n"
      "smlad r7, r12, r2, r7\n"
      "smlad r9, r12, r4, r9\n"
      "smlad r7, lr, r3, r7\n"
      "smlad r9, lr, r5, r9\n"
      ".endr\n"
      "cmp r0, r6\n"
      "bne.w 5b\n"

      "6:\n"
      "add r12, sp, #28\n"
      "ldm r12, {r0, r2-r5}\n" /* biases, groups left, multiplier, addend, shift */
      "sub r8, r8, r7\n"
      "sub r10, r10, r9\n"
      "cbz r2, 7f\n"
      "ldmia r0!, {r6, r12}\n"
      "add r7, r7, r12\n"
      "add r8, r6, r8, asr #8\n"
      "ldmia r0!, {r6, r12}\n"
      "add r9, r9, r12\n"
      "add r10, r6, r10, asr #8\n"
      "subs r2, r2, #1\n" /* the flags survive until the loop's end */
      "strd r0, r2, [sp, #28]\n"
      "add r6, r4, r7, asr #31\n" /* addend, one less for negative sums */
      "lsl r7, r7, #1\n"
      "smmlar r7, r7, r3, r6\n"
      "add r6, r4, r8, asr #31\n"
      "lsl r8, r8, #1\n"
      "smmlar r8, r8, r3, r6\n"
      "add r6, r4, r9, asr #31\n"
      "lsl r9, r9, #1\n"
      "smmlar r9, r9, r3, r6\n"
      "add r6, r4, r10, asr #31\n"
      "lsl r10, r10, #1\n"
      "smmlar r10, r10, r3, r6\n"
      "asr r7, r7, r5\n"
      "asr r8, r8, r5\n"
      "asr r9, r9, r5\n"
      "asr r10, r10, r5\n"
      "ssat r7, #8, r7\n"
      "ssat r8, #8, r8\n"
      "ssat r9, #8, r9\n"
      "ssat r10, #8, r10\n"
      "strb r8, [r11], #1\n"
      "strb r7, [r11], #1\n"
      "strb r10, [r11], #1\n"
      "strb r9, [r11], #1\n"
      "bne.w 3b\n"
      "b 8f\n"

      "7:\n" /* sums only */
      "ldr r0, [sp, #48]\n"
      "ldm r0, {r2-r5}\n"
      "add r2, r2, r8, asr #8\n"
      "add r3, r3, r7\n"
      "add r4, r4, r10, asr #8\n"
      "add r5, r5, r9\n"
      "stm r0, {r2-r5}\n"
      "8:\n"
      "add sp, sp, #52\n"
      "pop {r4-r11, pc}\n");
}

static void widen(const int8_t *input, int32_t count, uint32_t *widened) {
  for (; count > 0; count -= 4, input += 4) {
    uint32_t word = 0;
    if (count >= 4) {
      memcpy(&word, input, 4);
    } else { /* nothing is read behind the tensor */
      memcpy(&word, input, (size_t)count);
    }
    *widened++ = es_even_bytes(word);
    *widened++ = es_odd_bytes(word);
  }
}

/* Adds a group's products to its sums: some inputs at a time; those that are no whole word from a copy. */
static void add_products(group_run *run, const int8_t *input, int32_t left) {
  int8_t last[4] = {0, 0, 0, 0};
  while (left >= 4) {
    run->inputs = input;
    run->steps = (left < MOST_INPUTS ? left : MOST_INPUTS) / 4;
    compute_groups(run);
    input += 4 * run->steps;
    left -= 4 * run->steps;
    run->weights += 4 * OUTPUTS * run->steps;
  }
  if (left > 0) {
    memcpy(last, input, (size_t)left);
    run->inputs = last;
    run->steps = 1;
    compute_groups(run);
    run->weights += 4 * OUTPUTS;
  }
}

int32_t es_fully_connected_s8_scratch_bytes(const es_fully_connected *layer) {
  const int32_t inputs = (layer->in_features + 3) & ~(int32_t)3;
  return inputs <= MOST_WIDENED ? 2 * inputs : 0;
}

void es_fully_connected_s8(const es_fully_connected *layer, const int8_t *input, int8_t *output,
                           void *scratch) {
  const int32_t inputs = layer->in_features;
  const int32_t outputs = layer->out_features;
  int32_t first = 0;
  group_run run;
  es_channel channels[OUTPUTS];
  es_unpack_channels(&layer->channels, 0, 1, channels);
  run.inputs = input;
  run.steps = (inputs + 3) / 4;
  run.weights = layer->weights;
  run.widened = inputs <= MOST_WIDENED;
  run.groups = 0;
  if (run.widened) {
    widen(input, inputs, scratch);
    run.inputs = scratch;
  }
  if (layer->channels.format == ES_CHANNELS_SHARED && outputs >= OUTPUTS &&
      (run.widened || ((inputs <= MOST_INPUTS || layer->channels.small_sums) && (inputs & 3) == 0))) {
    run.output = output;
    run.biases = layer->channels.records;
    run.groups = outputs / OUTPUTS;
    run.multiplier = channels[0].multiplier;
    run.addend = channels[0].addend;
    run.shift = channels[0].shift;
    compute_groups(&run);
    first = run.groups * OUTPUTS;
    run.weights += 4 * first * run.steps;
    run.groups = 0;
  }
  for (; first < outputs; first += OUTPUTS) {
    const int32_t count = outputs - first < OUTPUTS ? outputs - first : OUTPUTS;
    int32_t sums[OUTPUTS] = {0, 0, 0, 0};
    run.sums = sums;
    if (run.widened) {
      compute_groups(&run);
      run.weights += 4 * OUTPUTS * run.steps;
    } else {
      add_products(&run, input, inputs);
    }
    es_unpack_channels(&layer->channels, first, count, channels);
    for (int32_t i = 0; i < count; ++i) {
      output[first + i] = es_requantize_s8(sums[i] + channels[i].bias, &channels[i]);
    }
  }
}
