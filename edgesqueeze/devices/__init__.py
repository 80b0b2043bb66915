"""A .tflite measured on a Linux board, over the user's own OpenSSH client; or the same on this computer.

``ssh_host`` names the board, ``ssh_connection`` reaches it, ``ssh_start`` brings ``agent`` there, ``session``
gives it jobs, ``look`` says what the board is, ``measure`` makes one record of it all.
"""
