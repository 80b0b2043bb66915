"""What was done and found, as records and pictures."""
