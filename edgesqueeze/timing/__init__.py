"""How long one inference takes: emulated, predicted or measured, as one document."""
