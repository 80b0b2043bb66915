"""How each kernel set wants its weights: one file a set."""
