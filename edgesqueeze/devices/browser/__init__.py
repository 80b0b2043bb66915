"""Phones and computers that run a .tflite in their browser: a page served here, with LiteRT.js."""
