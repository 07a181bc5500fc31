"""OFX 1 (SGML), OFX 2 (XML) and QFX, which is OFX with a few elements of Intuit's."""

from finance.statements.ofx.header import is_ofx
from finance.statements.ofx.reader import read_ofx

__all__ = ["is_ofx", "read_ofx"]
