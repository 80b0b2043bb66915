#ifndef TENSORFLOW_LITE_MICRO_MICRO_MUTABLE_OP_RESOLVER_H_
#define TENSORFLOW_LITE_MICRO_MICRO_MUTABLE_OP_RESOLVER_H_

#include "tensorflow/lite/c/common.h"

#define STUB_OPERATOR(method) \
  TfLiteStatus method(int registration = 0) { return Add(#method, registration); }

namespace tflite {

class MicroOpResolver {
 public:
  virtual ~MicroOpResolver() {}
};

template <unsigned int tOpCount>
class MicroMutableOpResolver : public MicroOpResolver {
 public:
  STUB_OPERATOR(AddAdd)
  STUB_OPERATOR(AddAssignVariable)
  STUB_OPERATOR(AddAveragePool2D)
  STUB_OPERATOR(AddCallOnce)
  STUB_OPERATOR(AddConv2D)
  STUB_OPERATOR(AddDepthwiseConv2D)
  STUB_OPERATOR(AddDequantize)
  STUB_OPERATOR(AddEthosU)
  STUB_OPERATOR(AddFullyConnected)
  STUB_OPERATOR(AddMaxPool2D)
  STUB_OPERATOR(AddQuantize)
  STUB_OPERATOR(AddReadVariable)
  STUB_OPERATOR(AddReshape)
  STUB_OPERATOR(AddSoftmax)
  STUB_OPERATOR(AddSvdf)
  STUB_OPERATOR(AddUnidirectionalSequenceLSTM)
  STUB_OPERATOR(AddVarHandle)

  unsigned int count = 0;
  const char* names[tOpCount] = {};

 private:
  TfLiteStatus Add(const char* name, int) {
    if (count == tOpCount) return kTfLiteError;
    names[count++] = name;
    return kTfLiteOk;
  }
};

}  // namespace tflite

#endif  // TENSORFLOW_LITE_MICRO_MICRO_MUTABLE_OP_RESOLVER_H_
