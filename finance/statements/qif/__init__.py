"""QIF, the Quicken Interchange Format, as banks and other programs write it."""

from finance.statements.qif.reader import is_qif, read_qif

__all__ = ["is_qif", "read_qif"]
