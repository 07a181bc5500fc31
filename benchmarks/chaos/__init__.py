"""Faults on purpose: networks, processes, clocks and callers that fail, and books that must not."""
