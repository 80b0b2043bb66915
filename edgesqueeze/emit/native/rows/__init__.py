"""Layers that run by turns, some rows at a time, so that tensors between them need little memory."""
