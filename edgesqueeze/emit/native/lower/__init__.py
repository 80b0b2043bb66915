"""How each operator becomes calls of C kernels: one file a family, all rows in `table.py`."""
