#ifndef TENSORFLOW_LITE_C_COMMON_H_
#define TENSORFLOW_LITE_C_COMMON_H_

enum TfLiteStatus { kTfLiteOk = 0, kTfLiteError = 1 };

#endif  // TENSORFLOW_LITE_C_COMMON_H_
