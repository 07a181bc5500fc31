"""CSV as banks export it, read by a profile that is declared for each bank."""

from finance.statements.delimited.profile import CsvColumns, CsvProfile
from finance.statements.delimited.proposal import CsvProposal, propose_profile
from finance.statements.delimited.reader import read_csv

__all__ = ["CsvColumns", "CsvProfile", "CsvProposal", "propose_profile", "read_csv"]
