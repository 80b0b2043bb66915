"""Which recipe: a search over what can be done to a model, for the best that keeps to limits."""
