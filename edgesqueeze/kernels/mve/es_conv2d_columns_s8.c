/* Convolution that skips inputs that no output of a group of 16 needs, int8, for MVE.
 * SPDX-License-Identifier: Apache-2.0
 *
 * Of every group of outputs the inputs that it needs are gathered; then they are multiplied as if there were no
 * others. Weights: see es_packed.h and es_multiply_s8.h.
 */
#include "es_blocks_s8.h"
#include "es_columns_s8.h"
#include "es_conv_window_mve.h"
#include "es_multiply_s8.h"

enum {
  STEP = 16,           /* multiplications of one VMLADAVA */
  STEPS_A_ROUND = 4,   /* as es_multiply_any_s8 unrolls them */
  STEP_CODE_BYTES = 56 /* of its code */
};

/* What the assembly gets; the order of the members is known to it. */
typedef struct {
  const int8_t *const *list; /* of the pixels, from their first input on */
  int32_t fours;             /* of pixels */
  const uint8_t *places;
  int32_t count; /* of the places, at least 1 */
  int8_t *to;    /* for the first pixel */
  int32_t step;  /* bytes from one pixel to the next */
  int32_t base;  /* what is added to the places */
} gathering;

/* Gathers the inputs at some places, 16 at a time, of all pixels.
 *
 *   r1  list        r3  next places    r5  next inputs of the first pixel    r7   base
 *   r2  fours       r4  places left    r6  step                              lr   fours left
 *   r8  next pixel  r9  where its inputs go                                  r10-r12, r0  pixels */
__attribute__((naked, noinline)) static void gather(const gathering *work __attribute__((unused))) {
  __asm__ volatile(
      "push {r4-r11, lr}\n"
      "ldm r0, {r1-r7}\n"
      "1:\n"
      "vctp.8 r4\n"
      "mov r8, r1\n"
      "vpst\n"
      "vldrbt.u8 q0, [r3], #16\n"
      "mov r9, r5\n"
      "dls lr, r2\n"
      "2:\n"
      "ldrd r10, r11, [r8], #8\n"
      "ldrd r12, r0, [r8], #8\n"
      "add r10, r10, r7\n"
      "add r11, r11, r7\n"
      "add r12, r12, r7\n"
      "add r0, r0, r7\n"
      "vpstttt\n"
      "vldrbt.u8 q1, [r10, q0]\n"
      "vldrbt.u8 q2, [r11, q0]\n"
      "vldrbt.u8 q3, [r12, q0]\n"
      "vstrbt.8 q1, [r9]\n"
      "add r9, r9, r6\n"
      "vpst\n"
      "vstrbt.8 q2, [r9]\n"
      "add r9, r9, r6\n"
      "vpstt\n"
      "vldrbt.u8 q1, [r0, q0]\n"
      "vstrbt.8 q3, [r9]\n"
      "add r9, r9, r6\n"
      "vpst\n"
      "vstrbt.8 q1, [r9]\n"
      "add r9, r9, r6\n"
      "le lr, 2b\n"
      "adds r5, r5, #16\n"
      "subs r4, r4, #16\n"
      "bgt 1b\n"
      "pop {r4-r11, pc}\n");
}

/* What stays the same for all pixels. */
typedef struct {
  const es_conv2d *layer;
  const es_channel *channels;
  int8_t *gathered;
  int32_t segments; /* that the places are in */
} column_pixels;

/* Sets what depends on how many inputs a group of outputs needs. */
static inline void set_taps(es_multiply *block, int32_t taps) {
  const int32_t steps = (taps - 1) / STEP; /* after the first */
  block->tail = taps - steps * STEP;
  block->skip = STEP - block->tail;
  block->rounds = (steps + STEPS_A_ROUND - 1) / STEPS_A_ROUND;
  block->first_round = steps == 0 ? 0 : STEP_CODE_BYTES * ((steps - 1) % STEPS_A_ROUND + 1);
}

/* Gathers what a group of outputs needs of some pixels. Returns where the next group's places are. */
static const uint8_t *gather_group(const column_pixels *work, const int8_t *const *list, int32_t pixels,
                                   const uint8_t *places, int32_t step) {
  gathering run;
  run.list = list;
  run.fours = (pixels + 3) / 4;
  run.to = work->gathered;
  run.step = step;
  run.base = 0;
  for (int32_t left = work->segments; left > 0; --left, run.base += ES_COLUMNS_SEGMENT) {
    run.count = *places++;
    if (run.count > 0) {
      run.places = places;
      gather(&run);
      run.to += run.count;
      places += run.count;
    }
  }
  return places;
}

static int32_t count_places(const uint8_t *places, int32_t segments) {
  int32_t sum = 0;
  for (; segments > 0; --segments) {
    sum += *places;
    places += *places + 1;
  }
  return sum;
}

static inline void compute(void *context, const int8_t **list, int32_t count, int8_t *output) {
  const column_pixels *const work = (const column_pixels *)context;
  const int8_t *gathered[ES_CONV_BATCH];
  const uint8_t *places = es_blocks_skips(work->layer->weights);
  es_conv2d part;
  es_multiply block;
  part.out_pitch = es_conv2d_pitch(work->layer);
  block.weights = es_blocks_words(work->layer->weights);
  block.channels = work->channels;
  for (int32_t i = count; i % ES_MULTIPLY_PIXELS != 0; ++i) {
    list[i] = list[count - 1];
  }
  for (int32_t left = work->layer->out_channels; left > 0; left -= ES_COLUMNS_OUTPUTS) {
    const int32_t outputs = left < ES_COLUMNS_OUTPUTS ? left : ES_COLUMNS_OUTPUTS;
    const int32_t taps = count_places(places, work->segments);
    places = gather_group(work, list, count, places, taps);
    set_taps(&block, taps);
    block.channels_end = block.channels + outputs;
    part.out_channels = (int16_t)outputs;
    es_multiply_list(gathered, work->gathered - block.skip, taps, count);
    es_multiply_pixels(&block, &part, gathered, count, output, NULL);
    block.weights += outputs * taps;
    block.channels = block.channels_end;
    output += outputs;
  }
}

static int32_t batch_of(int32_t taps) {
  return taps <= 64 ? ES_CONV_BATCH : (taps <= 640 ? 8 : ES_MULTIPLY_PIXELS);
}

/* The most inputs that a group of outputs needs. */
static int32_t most_places(const es_conv2d *layer) {
  const int32_t segments = (taps_of(layer) + ES_COLUMNS_SEGMENT - 1) / ES_COLUMNS_SEGMENT;
  const uint8_t *places = es_blocks_skips(layer->weights);
  int32_t most = 0;
  for (int32_t left = layer->out_channels; left > 0; left -= ES_COLUMNS_OUTPUTS) {
    const int32_t count = count_places(places, segments);
    most = count > most ? count : most;
    places += count + segments;
  }
  return most;
}

int32_t es_conv2d_columns_s8_scratch_bytes(const es_conv2d *layer) {
  const int32_t taps = taps_of(layer);
  const int32_t batch = batch_of(taps);
  return (int32_t)sizeof(es_channel) * layer->out_channels + inputs_bytes(batch, taps) + places_bytes(layer) +
         inputs_bytes(batch, most_places(layer));
}

/* Pixels whose inputs lie side by side, and are not overwritten. */
static void compute_in_place(column_pixels *work, const int8_t *input, int8_t *output) {
  const es_conv2d *const layer = work->layer;
  const int8_t *list[ES_CONV_BATCH];
  for (int32_t left = layer->out_height * layer->out_width; left > 0; left -= ES_CONV_BATCH) {
    const int32_t count = left < ES_CONV_BATCH ? left : ES_CONV_BATCH;
    es_multiply_list(list, input, layer->in_channels, count);
    compute(work, list, count, output);
    input += count * layer->in_channels;
    output += count * es_conv2d_pitch(layer);
  }
}

void es_conv2d_columns_s8(const es_conv2d *layer, const int8_t *input, int8_t *output, void *scratch) {
  const int32_t taps = taps_of(layer);
  const int32_t batch = batch_of(taps);
  const int32_t in_pixels = layer->in_height * layer->in_width;
  es_channel *const channels = (es_channel *)scratch;
  int8_t *const inputs = (int8_t *)&channels[layer->out_channels];
  const int8_t *const output_end = output + layer->out_height * layer->out_width * es_conv2d_pitch(layer);
  const int separate = (uintptr_t)output_end <= (uintptr_t)input ||
                       (uintptr_t)(input + in_pixels * layer->in_channels) <= (uintptr_t)output;
  column_pixels work;
  es_multiply block;
  es_multiply_begin(&block, layer, taps, channels);
  work.layer = layer;
  work.channels = channels;
  work.gathered = inputs + inputs_bytes(batch, taps) + places_bytes(layer);
  work.segments = (taps + ES_COLUMNS_SEGMENT - 1) / ES_COLUMNS_SEGMENT;
  /* A pointwise layer's pixels are in one row. */
  if (separate && batch == ES_CONV_BATCH && taps == layer->in_channels && layer->stride_width == 1 &&
      layer->out_height == 1 && layer->out_width == in_pixels) {
    compute_in_place(&work, input, output);
  } else {
    es_conv_windows(layer, batch, input, output, inputs, 0, compute, &work);
  }
}
