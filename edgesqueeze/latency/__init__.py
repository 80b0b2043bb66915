"""How long a model takes on a device: instructions, cycles, milliseconds, and how sure that is."""
