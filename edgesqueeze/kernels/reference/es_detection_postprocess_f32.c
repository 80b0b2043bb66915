/* Boxes of a detector, float32, portable.
 * SPDX-License-Identifier: Apache-2.0
 *
 * The best box that is left is given, and all that overlap it too much are taken out, until none is left: that is
 * what going through sorted boxes comes to, without sorting them.
 */
#include <string.h>

#include "es_detection.h"

typedef struct {
  float ymin, xmin, ymax, xmax;
} corners_of;

/* What lies in scratch memory. */
typedef struct {
  corners_of *boxes;
  float *best;    /* the score of a box that counts */
  int32_t *chosen; /* boxes of one class */
  uint8_t *left;  /* whether a box is still there */
} work;

int32_t es_detection_postprocess_f32_scratch_bytes(const es_detection *layer) {
  return (4 * 4 + 4 + 1) * layer->boxes + 4 * layer->detections;
}

static void decode(const es_detection *layer, const float *codes, corners_of *boxes) {
  const float *anchor = layer->anchors;
  for (int32_t i = layer->boxes; i > 0; --i, codes += 4, anchor += 4, ++boxes) {
    const float y = codes[0] / layer->scale.y * anchor[2] + anchor[0];
    const float x = codes[1] / layer->scale.x * anchor[3] + anchor[1];
    const float half_height = 0.5f * expf(codes[2] / layer->scale.height) * anchor[2];
    const float half_width = 0.5f * expf(codes[3] / layer->scale.width) * anchor[3];
    boxes->ymin = y - half_height;
    boxes->xmin = x - half_width;
    boxes->ymax = y + half_height;
    boxes->xmax = x + half_width;
  }
}

static float larger(float one, float other) { return one > other ? one : other; }
static float smaller(float one, float other) { return one < other ? one : other; }

/* The area that two boxes share, as a part of what they cover. */
static float overlap_of(const corners_of *one, const corners_of *other) {
  const float area = (one->ymax - one->ymin) * (one->xmax - one->xmin);
  const float other_area = (other->ymax - other->ymin) * (other->xmax - other->xmin);
  if (area <= 0.0f || other_area <= 0.0f) {
    return 0.0f;
  }
  const float height = smaller(one->ymax, other->ymax) - larger(one->ymin, other->ymin);
  const float width = smaller(one->xmax, other->xmax) - larger(one->xmin, other->xmin);
  const float shared = larger(height, 0.0f) * larger(width, 0.0f);
  return shared / (area + other_area - shared);
}

/* Chooses the best boxes by their scores in place->best, most of them; returns how many. */
static int32_t choose(const es_detection *layer, const work *place, int32_t most) {
  int32_t count = 0;
  for (int32_t i = 0; i < layer->boxes; ++i) {
    place->left[i] = place->best[i] >= layer->score_threshold ? 1 : 0;
  }
  while (count < most) {
    int32_t found = -1;
    for (int32_t i = 0; i < layer->boxes; ++i) {
      if (place->left[i] && (found < 0 || place->best[i] > place->best[found])) {
        found = i;
      }
    }
    if (found < 0) {
      break;
    }
    place->chosen[count++] = found;
    place->left[found] = 0;
    for (int32_t i = 0; i < layer->boxes; ++i) {
      if (place->left[i] &&
          overlap_of(&place->boxes[found], &place->boxes[i]) > layer->overlap_threshold) {
        place->left[i] = 0;
      }
    }
  }
  return count;
}

/* Puts a box among those that are given, behind those of the same score; returns how many there are then. */
static int32_t insert(const es_detection *layer, const corners_of *box, float class_number, float score,
                      int32_t count, float *corners, float *classes, float *found_scores) {
  int32_t at = count < layer->detections ? count : layer->detections - 1;
  if (count == layer->detections && !(score > found_scores[at])) {
    return count;
  }
  for (; at > 0 && score > found_scores[at - 1]; --at) {
    (void)memcpy(corners + 4 * at, corners + 4 * (at - 1), sizeof *box);
    classes[at] = classes[at - 1];
    found_scores[at] = found_scores[at - 1];
  }
  (void)memcpy(corners + 4 * at, box, sizeof *box);
  classes[at] = class_number;
  found_scores[at] = score;
  return count < layer->detections ? count + 1 : count;
}

static int32_t best_class(const float *scores, int32_t classes) {
  int32_t best = 0;
  for (int32_t i = 1; i < classes; ++i) {
    best = scores[i] > scores[best] ? i : best;
  }
  return best;
}

void es_detection_postprocess_f32(const es_detection *layer, const float *encodings, const float *scores,
                                  float *corners, float *classes, float *found_scores, float *count,
                                  void *scratch) {
  const int32_t boxes = layer->boxes, columns = layer->columns;
  work place;
  place.boxes = scratch;
  place.best = (float *)(void *)(place.boxes + boxes);
  place.chosen = (int32_t *)(void *)(place.best + boxes);
  place.left = (uint8_t *)(void *)(place.chosen + layer->detections);
  decode(layer, encodings, place.boxes);
  scores += layer->first;
  for (int32_t i = 0; i < layer->detections; ++i) {
    classes[i] = found_scores[i] = 0.0f;
    (void)memset(corners + 4 * i, 0, sizeof *place.boxes);
  }
  int32_t total = 0;
  for (int32_t number = 0; number < (layer->per_class > 0 ? layer->classes : 1); ++number) {
    for (int32_t i = 0; i < boxes; ++i) {
      const float *const row = scores + i * columns;
      place.best[i] = row[layer->per_class > 0 ? number : best_class(row, layer->classes)];
    }
    const int32_t chosen =
        choose(layer, &place, layer->per_class > 0 ? layer->per_class : layer->detections);
    for (int32_t i = 0; i < chosen; ++i) {
      const int32_t box = place.chosen[i];
      const int32_t kind =
          layer->per_class > 0 ? number : best_class(scores + box * columns, layer->classes);
      total = insert(layer, &place.boxes[box], (float)kind, place.best[box], total, corners, classes,
                     found_scores);
    }
  }
  *count = (float)total;
}
