"""The user's data, opened and checked."""
