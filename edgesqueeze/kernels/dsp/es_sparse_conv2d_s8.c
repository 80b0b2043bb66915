/* Convolution that skips weights of zero, int8, for cores with the DSP extension.
 * SPDX-License-Identifier: Apache-2.0
 *
 * Eight pixels at a time: of every input four words hold the eight values as int16. A byte of the stream is looked
 * up in a table of words: the bytes to the next input in the lower half, its weight in the upper half.
 */
#include <stddef.h>

#include "es_assembly_dsp.h"
#include "es_sparse_window_s8.h"

enum {
  PIXELS = 8,
  BYTES = 256,              /* different bytes of a stream */
  INPUT_BYTES = 2 * PIXELS, /* of one widened input */
  VALUES = ES_SPARSE_VALUES
};

/* Adds one weight's products to the sums of eight pixels. 52 bytes of code.
 *
 *   r0  table           r12    entry         lr  next byte of the stream
 *   r1  next inputs     r2-r3  two inputs    r4-r11  sums */
#define STEP                         \
  "ldrb r2, [lr], #1\n"              \
  "ldr r12, [r0, r2, lsl #2]\n"      \
  "uxtah r1, r1, r12\n"              \
  "ldrd r2, r3, [r1], #8\n"          \
  "smlabt r4, r2, r12, r4\n"         \
  "smlatt r5, r2, r12, r5\n"         \
  "smlabt r6, r3, r12, r6\n"         \
  "smlatt r7, r3, r12, r7\n"         \
  "ldrd r2, r3, [r1], #8\n"          \
  "smlabt r8, r2, r12, r8\n"         \
  "smlatt r9, r2, r12, r9\n"         \
  "smlabt r10, r3, r12, r10\n"       \
  "smlatt r11, r3, r12, r11\n"

/* What one output channel needs. The order of the members is known to the assembly. */
typedef struct {
  int32_t *sums;             /* where its sums go, not scaled; NULL: its outputs are written */
  const es_channel *channel; /* its bias is doubled */
  int8_t *output;            /* of the first pixel */
  int32_t pitch;             /* bytes from the output of a pixel to that of the next */
} sparse_channel;

/* Scales a sum, which may be r4 to r10, and writes it.
 *
 *   r0  bias        r12  addend    r2  next output    r11  spare
 *   r1  multiplier  lr   shift     r3  pitch */
#define WRITE(sum)                         \
  "add " sum ", r0, " sum ", lsl #1\n"     \
  "add r11, r12, " sum ", asr #31\n"       \
  "smmlar " sum ", " sum ", r1, r11\n"     \
  "asr " sum ", " sum ", lr\n"             \
  "ssat " sum ", #8, " sum "\n"            \
  "strb " sum ", [r2]\n"                   \
  "add r2, r2, r3\n"

/* One output channel of eight pixels: a count of bytes, as uint16, then the bytes. Returns where the next one's
 * stream begins. */
ES_ASSEMBLY static const uint8_t *compute_channel(const int16_t *widened ES_UNUSED,
                                                  const uint8_t *stream ES_UNUSED,
                                                  const sparse_channel *channel ES_UNUSED,
                                                  const uint32_t *table ES_UNUSED) {
  __asm__ volatile(
      "push {r2, r4-r11, lr}\n"
      "mov lr, r1\n"
      "mov r1, r0\n"
      "mov r0, r3\n"
      "ldrh r12, [lr], #2\n"
      "movs r4, #0\n"
      "movs r5, #0\n"
      "movs r6, #0\n"
      "movs r7, #0\n"
      "mov r8, #0\n"
      "mov r9, #0\n"
      "mov r10, #0\n"
      "mov r11, #0\n"
      "cmp r12, #0\n"
      "beq.w 2f\n"
      "add r2, r12, #7\n"
      "lsr r2, r2, #3\n" /* rounds of 8 */
      "push {r2}\n"
      "rsb r12, r12, #0\n"
      "and r12, r12, #7\n" /* steps to leave out in the first round */
      "mov r3, #52\n"
      "adr.w r2, 1f\n"
      "mla r2, r12, r3, r2\n"
      "orr r2, r2, #1\n" /* Thumb state */
      "bx r2\n"
      ".balign 4\n"
      "1:\n"
      ".rept 8\n" STEP ".endr\n"
      "ldr r2, [sp]\n"
      "subs r2, r2, #1\n"
      "str r2, [sp]\n"
      "bne.w 1b\n"
      "add sp, sp, #4\n"
      "2:\n"
      "pop {r0}\n"
      "push {r11, lr}\n" /* the last sum, and where the next stream begins */
      "ldm r0, {r0-r3}\n"
      "cmp r0, #0\n"
      "bne.w 3f\n"
      "ldm r1, {r0, r1, r12, lr}\n" /* bias, multiplier, addend, shift */
      WRITE("r4")
      WRITE("r5")
      WRITE("r6")
      WRITE("r7")
      WRITE("r8")
      WRITE("r9")
      WRITE("r10")
      "ldr r4, [sp]\n"
      WRITE("r4")
      "pop {r1, r2}\n"
      "mov r0, r2\n"
      "pop {r4-r11, pc}\n"
      "3:\n"
      "stm r0, {r4-r11}\n"
      "pop {r1, r2}\n"
      "mov r0, r2\n"
      "pop {r4-r11, pc}\n");
}

/* Fewer than eight pixels. */
static void write_some(const sparse_channel *channel, int32_t count) {
  es_channel values = *channel->channel;
  values.bias /= 2;
  for (int32_t i = 0; i < count; ++i) {
    channel->output[i * channel->pitch] = es_requantize_s8(values.bias + channel->sums[i], &values);
  }
}

static void fill_table(const int8_t *values, uint32_t *table) {
  for (uint32_t run = 0; run < BYTES / VALUES; ++run) {
    for (int32_t i = 0; i < VALUES; ++i) {
      *table++ = (uint32_t)values[i] << 16 | run * INPUT_BYTES;
    }
  }
}

int32_t es_sparse_conv2d_s8_scratch_bytes(const es_sparse_conv2d *sparse) {
  return (int32_t)sizeof(es_channel) * sparse->layer.out_channels + BYTES * (int32_t)sizeof(uint32_t) +
         INPUT_BYTES * es_sparse_window_taps(&sparse->layer);
}

void es_sparse_conv2d_s8(const es_sparse_conv2d *sparse, const int8_t *input, int8_t *output, void *scratch) {
  const es_conv2d *const layer = &sparse->layer;
  const int32_t count = layer->out_channels;
  es_channel *const channels = (es_channel *)scratch;
  uint32_t *const table = (uint32_t *)(channels + count);
  int16_t *const widened = (int16_t *)(table + BYTES);
  int32_t sums[PIXELS];
  int32_t y = -layer->pad_top;
  int32_t x = -layer->pad_left;
  int32_t x_left = layer->out_width;
  es_unpack_channels(&layer->channels, 0, count, channels);
  for (int32_t i = 0; i < count; ++i) {
    channels[i].bias *= 2;
  }
  fill_table((const int8_t *)sparse->stream, table);
  for (int32_t left = layer->out_height * layer->out_width; left > 0; left -= PIXELS) {
    const int32_t pixels = left < PIXELS ? left : PIXELS;
    const uint8_t *stream = sparse->stream + VALUES;
    for (int32_t i = 0; i < pixels; ++i) {
      es_sparse_window_s8(layer, input, y, x, widened + i, PIXELS);
      x += layer->stride_width;
      if (--x_left == 0) {
        x_left = layer->out_width;
        x = -layer->pad_left;
        y += layer->stride_height;
      }
    }
    sparse_channel one = {pixels < PIXELS ? sums : NULL, channels, output, count};
    for (int32_t i = 0; i < count; ++i) {
      stream = compute_channel(widened, stream, &one, table);
      if (pixels < PIXELS) {
        write_some(&one, pixels);
      }
      ++one.channel;
      ++one.output;
    }
    output += PIXELS * count;
  }
}
