"""A profile for a CSV file that has none yet: proposed for somebody to look at, never used silently."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any

from finance.errors import InvalidError, StatementFileError
from finance.statements.dates import DateOrder
from finance.statements.decoding import decoded
from finance.statements.delimited.meaning import Meaning, Sample, meaning_of
from finance.statements.delimited.profile import CsvProfile
from finance.statements.delimited.reader import read_csv
from finance.statements.extra import library
from finance.statements.flaw import FlawError
from finance.statements.recognising import foreign
from finance.statements.unstated import Unstated

_DELIMITERS = (",", ";", "\t", "|")
#: Lines and characters that the dialect is sniffed from; sniffing takes seconds for much more.
_LINES, _CHARACTERS = 60, 16_000


@dataclass(frozen=True, slots=True)
class CsvProposal:
    """A profile, and what of it somebody has to look at.

    Attributes:
        profile: Fit to read the file that it was made from, unless `unsure` says otherwise.
        unsure: What the file did not decide, or not say; each is a sentence that names a part of the profile.
    """

    profile: CsvProfile
    unsure: tuple[str, ...]

    def to_toml(self) -> str:
        """Write the profile as TOML, with what it is unsure of as comments."""
        remarks = [f"# unsure: {''.join(c if c.isprintable() else ' ' for c in each)}" for each in self.unsure]
        return "\n".join([*remarks, self.profile.to_toml()])


def propose_profile(
    data: bytes,
    *,
    name: str = "the file",
    currency: str | None = None,
    date_order: DateOrder | None = None,
    decimal: str | None = None,
    encoding: str | None = None,
) -> CsvProposal:
    """Look at *data*, the content of a CSV file, and propose a profile for its bank.

    The delimiter is sniffed by clevercsv; the columns are told by their names in several languages, and by their
    values. The first rows decide, and then the whole file is read with the profile. The keywords are as in
    `read_statements`.

    Raises:
        StatementFileError: There is no table with dates and amounts in it; or nothing says whether its dates have
        the day or
            the month first, which *date_order* decides; or its encoding is neither marked nor UTF-8, nor given.
        InvalidError: A keyword cannot be.
        ConfigurationError: The extra `statements` is not installed.
    """
    unstated = Unstated(currency=currency, date_order=date_order, decimal=decimal, encoding=encoding)
    try:
        return _proposed(data, unstated)
    except FlawError as flaw:
        raise StatementFileError(name, flaw.reason, line=flaw.line) from flaw


def _proposed(data: bytes, unstated: Unstated) -> CsvProposal:
    if kind := foreign(data):
        raise FlawError(f"this is {kind}, and no CSV")
    text = decoded(data, unstated.encoding, "say which with encoding='windows-1252' or --encoding")
    dialect = _dialect(text)
    delimiter, quote = dialect.delimiter, dialect.quotechar or '"'
    sample = Sample.of(text, delimiter, quote)
    meaning = meaning_of(sample, unstated)
    try:
        profile = _profile(meaning, sample, delimiter, quote, unstated)
    except InvalidError as error:
        raise FlawError(f"no profile fits it: {error}") from error
    return _tried(data, profile, meaning.unsure)


def _profile(meaning: Meaning, sample: Sample, delimiter: str, quote: str, unstated: Unstated) -> CsvProfile:
    return CsvProfile(
        columns=meaning.columns,
        date_format=meaning.date_format,
        decimal=meaning.amounts.decimal,
        thousands=meaning.amounts.thousands,
        delimiter=delimiter,
        quote=quote,
        encoding=unstated.encoding,
        skip_lines=sample.skip_lines,
        skip_last=sample.skip_last,
        has_header=sample.has_header,
        debits_are_negative=meaning.debits_are_negative,
        debit_words=meaning.debit_words,
        credit_words=meaning.credit_words,
        currency=unstated.currency,
    )


def _tried(data: bytes, profile: CsvProfile, unsure: tuple[str, ...]) -> CsvProposal:
    """Read *data* with *profile*; without its balances, if they contradict the amounts; and say what is wrong."""
    flaw = _flaw(data, profile)
    if flaw is not None and profile.columns.balance is not None:
        without = dataclasses.replace(profile, columns=dataclasses.replace(profile.columns, balance=None))
        if _flaw(data, without) is None:
            remark = f"columns.balance: {profile.columns.balance!r} is left out, since it contradicts the amounts"
            return CsvProposal(without, (*unsure, f"{remark} (line {flaw.line}); negate may be needed"))
    if flaw is not None:
        where = "" if flaw.line is None else f" on line {flaw.line}"
        unsure = (*unsure, f"this very file cannot be read with it: {flaw.reason}{where}")
    return CsvProposal(profile, unsure)


def _flaw(data: bytes, profile: CsvProfile) -> FlawError | None:
    try:
        read_csv(data, "", profile)
    except FlawError as flaw:
        return flaw
    return None


def _dialect(text: str) -> Any:
    detector = library("clevercsv", "proposing a profile for CSV files").Detector()
    beginning = "".join(text[:_CHARACTERS].splitlines(keepends=True)[:_LINES])
    found = detector.detect(beginning, delimiters=_DELIMITERS)
    if found is None or found.delimiter not in _DELIMITERS:
        raise FlawError("nothing stands between columns: this is no table with commas, semicolons, tabs or bars")
    return found
