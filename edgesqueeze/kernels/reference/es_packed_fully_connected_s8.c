/* Fully connected layer with weights that are packed in flash.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "es_packed.h"

void es_packed_fully_connected_s8(const es_packed_fully_connected *layer, const int8_t *input, int8_t *output,
                                  void *scratch) {
  const es_packed *const packed = &layer->packed;
  const uint8_t *stream = packed->stream;
  int8_t *const memory = (int8_t *)scratch;
  int32_t outputs = layer->layer.out_features;
  int32_t left = packed->weights;
  es_fully_connected part = layer->layer;
  part.weights = memory;
  for (; outputs > 0; outputs -= packed->part_outputs, left -= packed->part_weights) {
    const int32_t count = left < packed->part_weights ? left : packed->part_weights;
    part.out_features = outputs < packed->part_outputs ? outputs : packed->part_outputs;
    stream = packed->unpack(packed->stream, stream, memory, count, memory + packed->table);
    es_fully_connected_s8(&part, input, output, memory + packed->work);
    part.channels.records = (const uint8_t *)part.channels.records + packed->part_outputs * packed->record_bytes;
    output += packed->part_outputs;
  }
}
