"""CSV and QIF files that nobody of this project wrote give the figures of independent readers, or are refused.

The folder is not part of the project (`FINANCE_REALDATA` names it, or it is `shared/realdata` in a folder above this
one), and none of its files may ever be committed.
"""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from finance.errors import StatementFileError
from finance.statements import CsvProfile, propose_profile, read_statements


def _folder() -> Path | None:
    named = os.environ.get("FINANCE_REALDATA")
    candidates = [Path(named)] if named else [above / "shared" / "realdata" for above in Path(__file__).parents]
    return next((folder for folder in candidates if folder.is_dir()), None)


FOLDER = _folder()
ABSENT = pytest.mark.skip(
    reason="no folder of real files: set FINANCE_REALDATA, or put shared/realdata above the checkout"
)

#: What is not CSV, whatever its folder is called: words of the refusal.
REFUSED = {"99966633_20171223_1844.journal": "not a bank statement of a known format"}


def _files(kind: str) -> list[Path]:
    found = FOLDER.glob(f"{kind}/**/*") if FOLDER else ()
    return sorted(path for path in found if path.is_file() and path.suffix != ".json")


@pytest.mark.parametrize(
    "path", _files("csv") or [pytest.param(None, marks=ABSENT)], ids=lambda path: path.name if path else "absent"
)
def test_real_table_gives_the_figures_of_its_rule(path: Path) -> None:
    """Rows and sum, by the profile that is proposed for it; nothing is read without one."""
    with pytest.raises(StatementFileError) as caught:
        read_statements(path)
    if path.name in REFUSED:
        assert REFUSED[path.name] in caught.value.reason
        with pytest.raises(StatementFileError):
            propose_profile(path.read_bytes())
        return
    expected = json.loads(Path(f"{path}.expected.json").read_text("utf-8"))
    proposal = propose_profile(path.read_bytes())
    file = read_statements(path, profile=CsvProfile.from_toml(proposal.to_toml()))

    assert sum(len(statement.lines) for statement in file.statements) == expected["data_rows"]
    assert str(sum(statement.sum for statement in file.statements)) == expected["sum_amount"]


@pytest.mark.parametrize(
    "path", _files("qif") or [pytest.param(None, marks=ABSENT)], ids=lambda path: path.name if path else "absent"
)
def test_real_qif_gives_the_figures_of_another_reader(path: Path) -> None:
    """Lines and sum of each account; the order of dates is told where the file does not decide it."""
    expected = json.loads(Path(f"{path}.expected.json").read_text("utf-8"))
    order = "dmy" if expected["day_first"] else "mdy"
    file = read_statements(path, date_order=order)  # type: ignore[arg-type]

    assert [(len(each.lines), str(each.sum)) for each in file.statements] == [
        (each["transactions"], each["sum_amount"]) for each in expected["accounts"].values()
    ]
