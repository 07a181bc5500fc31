"""What identifies an account to the outside: IBAN, BIC, or a number at an institution."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any, Self

from finance.errors import InvalidError

# ISO 13616: country, check digits, up to 30 characters. The shortest that is registered has 15 in all.
_IBAN = re.compile(r"[A-Z]{2}[0-9]{2}[A-Z0-9]{11,30}", re.ASCII)
# ISO 9362, as ISO 20022 writes it (BICFIDec2014Identifier).
_BIC = re.compile(r"[A-Z0-9]{4}[A-Z]{2}[A-Z0-9]{2}([A-Z0-9]{3})?", re.ASCII)
_LONGEST = 100

# Characters of an IBAN by country, of the registry that SWIFT keeps for ISO 13616. Others are not checked for it.
_LENGTHS = {
    country: length
    for length, countries in {
        15: "NO", 16: "BE", 18: "DK FI FO GL NL", 19: "MK SI", 20: "AT BA EE KZ LT LU XK", 21: "CH HR LI LV",
        22: "BG BH CR DE GB GE IE ME RS VA", 23: "AE GI IL", 24: "AD CZ ES MD PK RO SA SE SK TN VG", 25: "PT",
        26: "IS TR", 27: "FR GR IT MC MR SM", 28: "AL AZ CY DO GT HU LB PL", 29: "BR PS QA UA", 30: "JO KW MU",
        31: "MT",
    }.items()
    for country in countries.split()
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class AccountDetails:
    """What identifies an account to the outside. It is kept in the account's details, under these names.

    Attributes:
        iban: ISO 13616; kept in capitals and without blanks, its check digits verified. Unique in a ledger.
        bic: ISO 9362; kept as the IBAN is. Several accounts may have the same.
        institution: The bank or broker as its files name it: a routing number, a BLZ, a BIC.
        number: The account's number there. With the institution it is unique in a ledger.

    Raises:
        InvalidError: One of them cannot be right. It shows no more than the last four characters.
    """

    iban: str | None = field(default=None, repr=False)
    bic: str | None = None
    institution: str | None = None
    number: str | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        for name, normal in (("iban", normal_iban), ("bic", normal_bic)):
            given = getattr(self, name)
            object.__setattr__(self, name, None if given is None else normal(given))
        for name in ("institution", "number"):
            given = getattr(self, name)
            object.__setattr__(self, name, None if given is None else _plain(name, given))

    @classmethod
    def of(cls, details: Mapping[str, Any]) -> Self:
        """Return those among the free data of an account.

        Raises:
            InvalidError: As the class.
        """
        return cls(**{each.name: details.get(each.name) for each in fields(cls)})

    def within(self, details: Mapping[str, Any]) -> dict[str, Any]:
        """Return *details* with these in place of those that are there."""
        others = {name: value for name, value in details.items() if name not in self.__slots__}
        own = {each.name: getattr(self, each.name) for each in fields(self)}
        return others | {name: value for name, value in own.items() if value is not None}


def normal_iban(given: str) -> str:
    """Return an IBAN in capitals and without blanks, when its check digits are right (ISO 7064, MOD 97-10).

    Raises:
        InvalidError: It is none.
    """
    iban = _compact("IBAN", given)
    country, digits = iban[:2], iban[2:4]
    if not _IBAN.fullmatch(iban) or not "02" <= digits <= "98":
        raise InvalidError(f"IBAN {_ending(iban)}: a country's two letters, two check digits, and 11 to 30 more")
    if len(iban) != _LENGTHS.get(country, len(iban)):
        raise InvalidError(
            f"IBAN {_ending(iban)} has {len(iban)} characters; those of {country} have {_LENGTHS[country]}"
        )
    if int("".join(str(int(each, 36)) for each in iban[4:] + iban[:4])) % 97 != 1:
        raise InvalidError(f"IBAN {_ending(iban)}: its check digits do not fit; is a character mistyped?")
    return iban


def normal_bic(given: str) -> str:
    """Return a BIC in capitals and without blanks.

    Raises:
        InvalidError: It has not the form of one.
    """
    bic = _compact("BIC", given)
    if not _BIC.fullmatch(bic):
        raise InvalidError(f"BIC {_ending(bic)}: 8 or 11 characters, the fifth and sixth a country's letters")
    return bic


def _compact(what: str, given: object) -> str:
    if not isinstance(given, str) or not given.isascii():
        raise InvalidError(f"the {what} of an account is a text of letters and digits")
    return "".join(given.split()).upper()


def _plain(what: str, given: object) -> str:
    plain = " ".join(given.split()) if isinstance(given, str) else ""
    if not plain or len(plain) > _LONGEST or "\0" in plain:
        raise InvalidError(f"the {what} of an account is a text of 1 to {_LONGEST} characters")
    return plain


def _ending(value: str) -> str:
    """Return the last four characters, of a value that is long enough to leave most of it out."""
    return f"...{value[-4:]}" if len(value) >= 8 else "of too few characters"
