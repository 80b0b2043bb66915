"""A .tflite measured on a Linux board, over the user's own OpenSSH client; or the same on this computer.

``host`` names the board, ``connection`` reaches it, ``start`` brings ``agent`` there, ``session`` gives it
jobs, ``look`` says what the board is, ``measure`` makes one record of it all.
"""
