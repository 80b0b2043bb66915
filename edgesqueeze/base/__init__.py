"""Helpers that everything uses: output that appears whole, records, findings, worker processes, archives."""
