"""What a device has, and what fits it: profiles, runtimes and their operators, memory, the fit."""
