"""Faults injected into training: kills, full disks, damaged files. `make faults` tries many of each."""
