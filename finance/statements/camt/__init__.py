"""ISO 20022 cash management: CAMT.052 (interim reports), CAMT.053 (statements) and CAMT.054 (notifications)."""

from finance.statements.camt.markup import is_camt
from finance.statements.camt.reader import read_camt

__all__ = ["is_camt", "read_camt"]
