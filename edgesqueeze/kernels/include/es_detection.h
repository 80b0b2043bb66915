/* Boxes of a detector: decoding, and removal of those that overlap better ones, float32.
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef ES_DETECTION_H
#define ES_DETECTION_H

#include <math.h>
#include <stdint.h>

/* What encoded boxes are divided by. */
typedef struct {
  float y, x, height, width;
} es_detection_scale;

typedef struct {
  const float *anchors; /* [boxes][4]: centre and size, as y, x, height, width */
  es_detection_scale scale;
  float score_threshold, overlap_threshold;
  int32_t boxes, columns, first, classes; /* scores of a box: columns in all, those of classes from first on */
  int32_t detections;                     /* boxes that are given */
  int32_t per_class;                      /* boxes of one class; 0: a box has its best class only */
} es_detection;

/* Takes encodings [boxes][4] and scores [boxes][columns]. Writes corners [detections][4] as ymin, xmin, ymax, xmax,
 * and class, score [detections], the best first, and how many there are; what is not used is 0. Of equal scores
 * the first comes first. */
void es_detection_postprocess_f32(const es_detection *layer, const float *encodings, const float *scores,
                                  float *corners, float *classes, float *found_scores, float *count,
                                  void *scratch);
int32_t es_detection_postprocess_f32_scratch_bytes(const es_detection *layer);

#endif /* ES_DETECTION_H */
