"""Damaged and made-up input for everything that reads: `make fuzz` tries a million of them."""
