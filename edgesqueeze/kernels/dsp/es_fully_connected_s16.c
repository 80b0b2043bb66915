/* Fully connected layer of some rows, int16 activations and int8 weights, for cores with the DSP extension.
 * SPDX-License-Identifier: Apache-2.0
 *
 * Weights: groups of 4 outputs; in a group, for every 4 inputs a word of each output, with the inputs in the order
 * 0, 2, 1, 3. Inputs and outputs are padded with zeros to multiples of 4.
 */
#include <string.h>

#include "es_assembly_dsp.h"
#include "es_s16.h"

enum {
  OUTPUTS = 4,
  PART = 120, /* steps of 4 inputs whose products' sum fits into 32 bits */
  UNROLLED = 8,
  STEP_CODE_BYTES = 74
};

/* The order of the members is known to the assembly. */
typedef struct {
  const int16_t *inputs;
  const int8_t *weights;
  const int16_t *end; /* of the inputs */
  int32_t entry;      /* bytes of code by which the first round of the unrolled loop is shorter */
  int32_t sums[OUTPUTS];
} group_run;

/* Adds products to the sums of a group.
 *
 *   r0   inputs     r11, r12  inputs 0 and 1, 2 and 3 of a step     r7-r10  sums
 *   r1   weights    r2-r6     weights of a step                     lr      end of the inputs
 */
ES_ASSEMBLY static void add_products(group_run *run ES_UNUSED) {
  __asm__ volatile(
      "push {r0, r4-r11, lr}\n"
      "mov r2, r0\n"
      "ldmia r2!, {r0, r1, lr}\n"
      "ldm r2, {r4, r7-r10}\n"
      "adr.w r3, 1f\n"
      "add r4, r4, r3\n"
      "bx r4\n"
      ".balign 4\n"
      "1:\n"
      ".rept 8\n" /* UNROLLED */
      "ldmia r1!, {r2, r3, r4, r5}\n"
      "ldr r11, [r0], #4\n"
      "ldr r12, [r0], #4\n"
      "sxtb16 r6, r2\n"
      "smlad r7, r11, r6, r7\n"
      "sxtb16 r6, r3\n"
      "smlad r8, r11, r6, r8\n"
      "sxtb16 r6, r4\n"
      "smlad r9, r11, r6, r9\n"
      "sxtb16 r6, r5\n"
      "smlad r10, r11, r6, r10\n"
      "sxtb16 r2, r2, ror #8\n"
      "smlad r7, r12, r2, r7\n"
      "sxtb16 r3, r3, ror #8\n"
      "smlad r8, r12, r3, r8\n"
      "sxtb16 r4, r4, ror #8\n"
      "smlad r9, r12, r4, r9\n"
      "sxtb16 r5, r5, ror #8\n"
      "smlad r10, r12, r5, r10\n"
      ".endr\n"
      "cmp r0, lr\n"
      "bne.w 1b\n"
      "ldr r0, [sp], #4\n"
      "str r1, [r0, #4]\n"
      "add r0, r0, #16\n"
      "stm r0, {r7-r10}\n"
      "pop {r4-r11, pc}\n");
}

/* Some whole steps of inputs, at least one. */
static void add_steps(group_run *run, const int16_t *input, int32_t steps) {
  run->inputs = input;
  run->end = input + 4 * steps;
  run->entry = (-steps & (UNROLLED - 1)) * STEP_CODE_BYTES + 1; /* Thumb state */
  add_products(run);
}

/* The sums of a group; inputs that are no whole step come from a copy, behind which are zeros. */
static void sum_up(group_run *run, const int16_t *input, int32_t count, int64_t sums[OUTPUTS]) {
  int16_t last[4] = {0, 0, 0, 0};
  if ((count & 3) != 0) {
    memcpy(last, input + (count & ~(int32_t)3), (size_t)(count & 3) * sizeof last[0]);
  }
  for (int32_t i = 0; i < OUTPUTS; ++i) {
    sums[i] = 0;
  }
  while (count > 0) {
    const int32_t steps = count / 4 < PART ? count / 4 : PART;
    for (int32_t i = 0; i < OUTPUTS; ++i) {
      run->sums[i] = 0;
    }
    if (steps > 0) {
      add_steps(run, input, steps);
    }
    input += 4 * steps;
    count -= 4 * steps;
    if (count > 0 && count < 4) {
      add_steps(run, last, 1);
      count = 0;
    }
    for (int32_t i = 0; i < OUTPUTS; ++i) {
      sums[i] += run->sums[i];
    }
  }
}

void es_fully_connected_s16(const es_fully_connected_wide *layer, const int16_t *input, int16_t *output) {
  const int32_t outputs = layer->out_features;
  for (int32_t row = layer->rows; row > 0; --row, input += layer->in_features) {
    group_run run;
    run.weights = layer->weights;
    for (int32_t channel = 0; channel < outputs;) {
      int64_t sums[OUTPUTS];
      sum_up(&run, input, layer->in_features, sums);
      for (int32_t i = 0; i < OUTPUTS && channel < outputs; ++i, ++channel) {
        *output++ = es_requantize_s16(sums[i], &layer->output, channel);
      }
    }
  }
}
