"""Weights packed in flash: how they can be stored, what that costs, and which layers are stored how."""
