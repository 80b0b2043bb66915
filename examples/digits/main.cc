// Firmware that tells a handwritten digit: the model runs in TensorFlow Lite
// Micro. Build it with digits_model.cc, which EdgeSqueeze wrote, and with TFLM.

#include "digits_model.h"

#include <cmath>
#include <cstdint>
#include <cstdio>

#include "tensorflow/lite/micro/micro_interpreter.h"
#include "tensorflow/lite/micro/micro_mutable_op_resolver.h"
#include "tensorflow/lite/schema/schema_generated.h"

namespace {

alignas(16) std::uint8_t arena[digits_model::kArenaBytes];

// A zero from the data set, 0 (white) to 16 (black).
constexpr std::uint8_t kSample[digits_model::kInputElements] = {
    0, 0, 5,  13, 9,  1,  0,  0,  //
    0, 0, 13, 15, 10, 15, 5,  0,  //
    0, 3, 15, 2,  0,  11, 8,  0,  //
    0, 4, 12, 0,  0,  8,  8,  0,  //
    0, 5, 8,  0,  0,  9,  8,  0,  //
    0, 4, 11, 0,  1,  12, 7,  0,  //
    0, 2, 14, 5,  10, 12, 0,  0,  //
    0, 0, 6,  13, 10, 0,  0,  0,
};

// real = scale * (quantized - zero point), solved for the quantized value.
digits_model::InputType Quantize(float real) {
  const int value = static_cast<int>(std::lround(real / digits_model::kInputScale)) +
                    digits_model::kInputZeroPoint;
  return static_cast<digits_model::InputType>(value < -128 ? -128 : value > 127 ? 127 : value);
}

}  // namespace

// The digit in an image of 8x8 pixels from 0 to 16, or -1 if the model cannot run.
int ClassifyDigit(const std::uint8_t* pixels) {
  using namespace digits_model;
  static tflite::MicroMutableOpResolver<kOperatorCount> resolver;
  static tflite::MicroInterpreter interpreter(tflite::GetModel(g_digits_model_data), resolver,
                                              arena, kArenaBytes);
  static const bool ready =
      RegisterOps(resolver) == kTfLiteOk && interpreter.AllocateTensors() == kTfLiteOk;
  if (!ready) return -1;

  InputType* input = interpreter.typed_input_tensor<InputType>(0);
  for (std::size_t i = 0; i < kInputElements; ++i) input[i] = Quantize(pixels[i] / 16.0f);
  if (interpreter.Invoke() != kTfLiteOk) return -1;

  const OutputType* scores = interpreter.typed_output_tensor<OutputType>(0);
  int best = 0;
  for (std::size_t i = 1; i < kOutputElements; ++i) {
    if (scores[i] > scores[best]) best = static_cast<int>(i);
  }
  return best;
}

int main() {
  std::printf("digit: %d\n", ClassifyDigit(kSample));
  return 0;
}
