"""MT940 and MT950 (statements of a day) and MT942 (interim reports), with and without SWIFT's envelope."""

from finance.statements.mt940.fields import is_mt940
from finance.statements.mt940.reader import read_mt940

__all__ = ["is_mt940", "read_mt940"]
