"""Calls of everything public, and values that must not be taken: the table of `test_wrong_values.py`."""
