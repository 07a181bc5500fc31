"""What banks send: readers that turn a file into values, and their import into the books.

`read_statements(path)` needs the extra `statements`; importing this package does not.
"""

from finance.statements.decisions import LineDecision
from finance.statements.delimited import CsvColumns, CsvProfile, CsvProposal, propose_profile
from finance.statements.importer import import_statements
from finance.statements.reading import parse_statements, read_statements
from finance.statements.result import ImportResult, StatementResult
from finance.statements.sorting import RuledEntry, apply_rules
from finance.statements.statement import LineKind, Movement, MovementKind, Statement, StatementFile, StatementLine
from finance.statements.undoing import UndoneImport, undo_import

__all__ = [
    "CsvColumns",
    "CsvProfile",
    "CsvProposal",
    "ImportResult",
    "LineDecision",
    "LineKind",
    "Movement",
    "MovementKind",
    "RuledEntry",
    "Statement",
    "StatementFile",
    "StatementLine",
    "StatementResult",
    "UndoneImport",
    "apply_rules",
    "import_statements",
    "parse_statements",
    "propose_profile",
    "read_statements",
    "undo_import",
]
