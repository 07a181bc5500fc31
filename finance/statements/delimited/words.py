"""How banks call their columns, in several languages; and the words of a column that says debit or credit.

Names are compared without case, accents and anything but letters and digits. Of several that fit, the one that
stands first here is taken.
"""

from __future__ import annotations

import re
import unicodedata

COLUMNS: dict[str, tuple[str, ...]] = {
    "date": (
        "booking date", "posting date", "posted date", "post date", "date posted", "transaction date",
        "trans date", "buchungstag", "buchungsdatum", "buchung", "fecha operacion", "fecha de operacion",
        "fecha contable", "date operation", "date de l operation", "date comptable",
        "date de comptabilisation", "data contabile", "data operazione", "data registrazione",
        "boekingsdatum", "boekdatum", "transactiedatum", "data operacji", "data transakcji",
        "data ksiegowania", "bokforingsdag", "bokforingsdatum", "bokforingsdato", "bogforingsdato", "bogfort",
        "transaktionsdatum", "data movimento", "data mov", "datum zauctovani", "datum provedeni",
        "kirjauspaiva", "konyveles datuma", "date", "datum", "fecha", "data", "dato", "pvm", "paivamaara",
        "tarih", "completed date", "started date", "valutadatum", "value date", "wertstellung", "fecha valor",
        "date valeur", "data valuta",
    ),
    "amount": (
        "amount", "transaction amount", "betrag", "umsatz", "importe", "montant", "importo", "bedrag",
        "kwota", "kwota operacji", "belopp", "belob", "belop", "valor", "quantia", "montante", "castka",
        "objem", "suma", "summa", "maara", "osszeg", "tutar", "value", "amt", "gesamtbetrag", "net",
    ),
    "debit": (
        "debit", "debit amount", "debits", "money out", "paid out", "withdrawal", "withdrawals",
        "withdrawal amt", "soll", "belastung", "lastschrift", "ausgang", "ausgaben", "cargo", "cargos",
        "debe", "adeudo", "debito", "addebiti", "uscite", "dare", "af", "uit", "obciazenia", "obciazenie",
        "wyplata", "wydatki", "debet", "ut", "uttag", "ut fra konto", "saida", "saidas",
    ),
    "credit": (
        "credit", "credit amount", "credits", "money in", "paid in", "deposit", "deposits", "deposit amt",
        "haben", "gutschrift", "eingang", "einnahmen", "abono", "abonos", "haber", "ingreso", "credito",
        "accrediti", "entrate", "avere", "bij", "in", "uznania", "uznanie", "wplata", "wplywy", "kredit",
        "insattning", "inn pa konto", "entrada", "entradas",
    ),
    "sign": (
        "debit credit", "credit debit", "debit credit indicator", "credit debit indicator", "dr cr", "cr dr",
        "soll haben", "s h", "af bij", "transaction type", "type", "sens", "sens de l operation", "c d",
        "d c",
    ),
    "payee": (
        "payee", "name", "merchant", "merchant name", "counterparty", "counterparty name", "beneficiary",
        "recipient", "empfanger", "zahlungsempfanger", "beguenstigter zahlungspflichtiger",
        "begunstigter zahlungspflichtiger", "auftraggeber empfanger", "auftraggeber begunstigter",
        "name zahlungsbeteiligter", "partnername", "beneficiario", "beneficiaire", "tegenpartij",
        "naam tegenpartij", "naam omschrijving", "odbiorca", "nadawca odbiorca", "kontrahent", "mottagare",
        "modtager", "mottaker", "nazev protiuctu", "saaja maksaja", "description", "transaction description",
        "details", "narrative", "particulars", "concepto", "libelle", "descrizione", "descricao",
        "descripcion", "omschrijving", "opis", "opis operacji", "beskrivning", "beskrivelse", "tekst",
        "text", "buchungstext", "popis", "aciklama",
    ),
    "memo": (
        "memo", "notes", "note", "verwendungszweck", "zweck", "betreff", "reason", "remittance information",
        "communication", "mededelingen", "mededeling", "causale", "observaciones", "mas datos", "tytul",
        "tytul operacji", "meddelande", "meddelelse", "zprava pro prijemce", "viesti", "kozlemeny",
        "description", "details", "narrative", "libelle detaille", "transaction details",
        "additional information", "payment reference",
    ),
    "bank_id": (
        "transaction id", "transaction reference", "transaction number", "id", "fitid", "unique id",
        "bank reference", "reference", "reference number", "referencia", "referenz", "id operacji",
        "id transakcji", "id pohybu", "numer referencyjny", "arkivkod", "arkistointitunnus",
    ),
    "check_number": (
        "check number", "cheque number", "check", "cheque", "check or slip", "chq ref no",
        "cheque no", "check no",
    ),
    "balance": (
        "balance", "running balance", "account balance", "available balance", "closing balance", "saldo", "kontostand",
        "saldo nach buchung", "solde", "saldo contabile", "saldo disponible", "saldo po operacji",
        "saldo na transactie", "saldo na mutatie", "bokfort saldo", "zustatek", "egyenleg", "bakiye",
        "saldo nach umsatz",
    ),
    "currency": (
        "currency", "currency code", "wahrung", "waehrung", "moneda", "divisa", "devise", "valuta",
        "munt", "moeda", "waluta", "mena", "valyuta", "valuuta", "devizanem", "ccy", "muntsoort",
    ),
    "account": (
        "account", "account number", "account no", "iban", "konto", "kontonummer", "auftragskonto",
        "iban auftragskonto", "cuenta", "numero de cuenta", "compte", "numero de compte", "conto",
        "rekening", "rekeningnummer", "conta", "ucet", "cislo uctu", "rachunek", "numer rachunku", "tili",
        "szamlaszam", "iban bban",
    ),
}  # fmt: skip

DEBIT_WORDS = (
    "d", "dr", "dbit", "debit", "s", "soll", "af", "debet", "debito", "out", "withdrawal", "charge",
    "cargo", "debe", "-",
)  # fmt: skip
CREDIT_WORDS = (
    "c", "cr", "crdt", "credit", "h", "haben", "bij", "kredit", "credito", "in", "deposit", "refund",
    "abono", "haber", "+",
)  # fmt: skip


def normal(name: str) -> str:
    """Return *name* as the tables above write it: letters without accents, lower case, one blank between words."""
    name = name.casefold().replace("ø", "o").replace("ł", "l").replace("æ", "ae")
    bare = "".join(c for c in unicodedata.normalize("NFKD", name) if not unicodedata.combining(c))
    return " ".join(re.findall(r"[a-z0-9]+", bare))
