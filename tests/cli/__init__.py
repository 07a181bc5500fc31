"""The command `finance`."""
