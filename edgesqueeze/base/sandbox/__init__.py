"""A process that may compute and read what it was given, and nothing else: limits, Landlock, seccomp."""
