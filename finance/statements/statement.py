"""What a bank sent, as values: a file, its statements, their lines.

Nothing here is interpreted: dates are the calendar dates that the bank wrote, amounts have the decimals that
it wrote, and whatever has no attribute of its own is in `StatementLine.raw`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from typing import Literal

from finance.money import total

LineKind = Literal["cash", "security"]
MovementKind = Literal["exchange", "reinvest", "cash", "transfer", "split"]


@dataclass(frozen=True, slots=True)
class Movement:
    """What a line of kind `"security"` moves.

    Attributes:
        kind: `"exchange"` of money for a security or back; `"reinvest"`, income that became a security; `"cash"`,
            income or a cost that a security brought; `"transfer"` of a security from or to another account; `"split"`.
        security: The security's id, such as its CUSIP or ISIN: the currency in which it is counted.
        units: How much of it comes; with a minus sign, goes. 0 for `"cash"`.
        cash: What money comes, in the statement's currency; with a minus sign, goes. Of `"reinvest"` what the security
            cost, which the account's money never saw; 0 where there is none.
    """

    kind: MovementKind
    security: str
    units: Decimal
    cash: Decimal


@dataclass(frozen=True, slots=True)
class StatementLine:
    """One line of a statement.

    A line of kind `"cash"` changes the account's balance by `amount`. A line of kind `"security"` (a purchase, a
    sale, a dividend inside an investment account) carries amount 0; its effect is in `movement`, and its figures
    are in `raw`.

    Attributes:
        number: Position in its statement, from 1.
        date: The calendar date that the bank wrote, never shifted by a time zone; of several, the one on which it
            booked the line, and not the value date.
        amount: In major units of `currency`, or else of the statement's, with the decimals as written.
        bank_id: The bank's own id of the line (FITID; CAMT: AcctSvcrRef; MT940: what follows `//`); banks repeat it,
            and some leave it out or write `NONREF`, which is None here.
        type: `"DEBIT"`, `"ATM"`, ... or the kind of security movement (`"BUYSTOCK"`), upper case; in CAMT the bank
            transaction code (`"PMNT-RCDT-ESCT"`) or the bank's own, in MT940 the type of transaction (`"NTRF"`).
        currency: What the line itself says its amount is in (ISO 4217, upper case); None says the statement's.
        movement: Of a line of kind `"security"` what it moves; None where that is not known, as in QIF.
        corrects: The bank's id of an earlier line that this one replaces or takes back (OFX: CORRECTFITID).
        raw: Every element of the line by name, as the bank wrote it but for the white space around it: `"TRNAMT"`,
            nested ones as `"CURRENCY.CURSYM"`, a repeated one as `"MEMO[2]"`, text between elements as `"#text"`.
            In CAMT with attributes (`"Amt@Ccy"`), and with the details of every payment that the entry sums up
            (`"NtryDtls.TxDtls[2].Amt"`). In MT940 the fields (`"61"`, `"86"`) and their parts (`"61.mark"`, `"86.32"`).
    """

    number: int
    date: date
    amount: Decimal
    kind: LineKind = "cash"
    bank_id: str | None = None
    type: str | None = None
    payee: str | None = None
    memo: str | None = None
    check_number: str | None = None
    currency: str | None = None
    raw: Mapping[str, str] = field(default_factory=dict, hash=False)
    movement: Movement | None = None
    corrects: str | None = None


@dataclass(frozen=True, slots=True)
class Statement:
    """The lines of one account over a period.

    Attributes:
        bank: The bank's or broker's id, as the file has it; None beside an IBAN, which names the bank itself.
        account: The account's number, as the bank writes it, in MT940 all of field :25:; `""` where the file has none.
        account_kind: `"CHECKING"`, `"SAVINGS"`, `"MONEYMRKT"`, `"CREDITLINE"`, `"CD"`, `"CREDITCARD"`, `"INVESTMENT"`;
            of QIF also `"CASH"`, `"OTHERASSET"`, `"OTHERLIABILITY"`.
        currency: ISO 4217, upper case; None where the file merely lists the account.
        opening_balance: None where the format has none, as in OFX, or states it in another currency; of CSV derived
            from the first balance.
        closing_balance: The booked balance that the bank claims at the end of `closing_on`, with the decimals as
            written; of a page of an MT940 (field :62M:), at the end of the page.
        daily_balances: What the account had at the end of a day, as the file states it between its lines, the oldest
            first; of CSV where the lines are in the order of their dates.
        positions: How much of each security the broker says is there at the end of `positions_on`.
        positions_on: The day of `positions`.
        pending: How many lines the bank announces as not booked yet; they are not among `lines`. In CAMT those with the
            status PDNG, INFO or FUTR, in MT942 those with the mark EC or ED.
    """

    bank: str | None
    branch: str | None
    account: str
    account_kind: str | None
    currency: str | None
    lines: tuple[StatementLine, ...] = ()
    starts_on: date | None = None
    ends_on: date | None = None
    opening_balance: Decimal | None = None
    closing_balance: Decimal | None = None
    closing_on: date | None = None
    pending: int = 0
    daily_balances: tuple[tuple[date, Decimal], ...] = ()
    positions: tuple[tuple[str, Decimal], ...] = ()
    positions_on: date | None = None

    @property
    def sum(self) -> Decimal:
        """The exact sum of the amounts of all cash lines; 0 for none.

        It keeps the decimals as written: -1.00 and -1.00 are -2.00. It is a control total, to compare with another
        reader's or the bank's: lines that state a currency of their own are added as if they had not.
        """
        return total(line.amount for line in self.lines if line.kind == "cash")

    @property
    def adds_up(self) -> bool | None:
        """Whether the opening balance and the lines lead to the closing balance.

        None without both balances, and where a line is in another currency.

        Statements of real banks do not always: it is told and refuses nothing.
        """
        if self.opening_balance is None or self.closing_balance is None:
            return None
        if any(line.currency not in (None, self.currency) for line in self.lines):
            return None
        return total([self.opening_balance, self.sum]) == self.closing_balance


@dataclass(frozen=True, slots=True)
class StatementFile:
    """A file of a bank: where it came from, and the statements in it, in the order of the file.

    Attributes:
        name: The file's name, without its folder.
        format: `"ofx"`, which covers QFX; `"qif"`; `"csv"`; `"mt940"`, which covers MT950; `"mt942"`; `"camt.052"`,
            `"camt.053"` or `"camt.054"`.
        version: The format's version as the file states it (`"102"`, `"203"`; CAMT: `"08"`), None where it states none.
        sha256: Of the bytes of the file, in hexadecimal.
        institution: The bank's name, where the file has it.
        remarks: What a user should know of the file, beside its lines.
    """

    name: str
    format: str
    version: str | None
    sha256: str
    institution: str | None
    statements: tuple[Statement, ...]
    remarks: tuple[str, ...] = ()
