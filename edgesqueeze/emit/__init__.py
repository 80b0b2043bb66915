"""Deployable files for firmware: a .tflite as C++ for TFLite Micro, with the memory that it needs."""
