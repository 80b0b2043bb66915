"""Which channels of a model go together, which of them go, and the model without them."""
