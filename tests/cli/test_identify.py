"""What identifies an account to its bank, by the command."""

from __future__ import annotations

from .command import CARD, SEVERAL, Run

IBAN = "GB29 NWBK 6016 1331 9268 19"


def test_an_account_is_identified_and_shown(run: Run) -> None:
    """What is not given stays, an empty text removes it, and nothing given only shows."""
    run("import", CARD)
    card = run("accounts", "--json").document[-1]["name"]

    set_ = run("accounts", "identify", card, "--iban", IBAN, "--bic", "NWBKGB2L", "--json").document
    shown = run("accounts", "identify", card).out
    changed = run("accounts", "identify", card, "--bic", "", "--number", "4711", "--json").document

    assert (set_["iban"], set_["bic"]) == ("GB29NWBK60161331926819", "NWBKGB2L")
    assert "GB29NWBK60161331926819" in shown
    assert (changed["iban"], changed["bic"], changed["number"]) == (set_["iban"], None, "4711")
    assert run("accounts", "--json").document[-1] == changed


def test_what_cannot_be_is_refused(run: Run) -> None:
    """A mistyped IBAN, one that another account has, and an account that is not there; none shows the IBAN."""
    run("import", SEVERAL)
    first, second = [each["name"] for each in run("accounts", "--json").document if each["type"] == "asset"][:2]
    run("accounts", "identify", first, "--iban", IBAN)

    mistyped = run("accounts", "identify", first, "--iban", IBAN.replace("9268", "9278"))
    taken = run("accounts", "identify", second, "--iban", IBAN)

    assert (mistyped.status, taken.status) == (2, 1)
    assert "check digits" in mistyped.message
    assert "exists already" in taken.message
    assert "NWBK" not in mistyped.message + taken.message
    assert run("accounts", "identify", "Assets:Nowhere").status == 2
