"""What is done to a model, one pass a file."""
