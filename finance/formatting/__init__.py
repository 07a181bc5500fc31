"""Amounts and days as the people of a locale write them, and amounts read back.

A `Formatter` needs the extra `fmt`; importing this package does not.
"""

from finance.formatting.formatter import Formatter

__all__ = ["Formatter"]
