"""Helpers that only the tests use; they stay out of the wheel."""
