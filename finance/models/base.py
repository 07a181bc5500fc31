"""The base of every stored model: names of constraints, types, and the key that starts with the ledger."""

from __future__ import annotations

import datetime
import decimal
import uuid
from typing import Any, ClassVar

from sqlalchemy import BigInteger, Date, DateTime, MetaData, Numeric, Text, Uuid
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import DeclarativeBase

# The names are a contract: `finance.integrity` makes the typed error from them.
NAMING_CONVENTION = {
    "pk": "pk_%(table_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_N_name)s_%(referred_table_name)s",
}


class Base(DeclarativeBase):
    """A stored row. Relationships are never loaded in silence: `lazy="raise"` everywhere."""

    metadata = MetaData(naming_convention=NAMING_CONVENTION)
    type_annotation_map: ClassVar[dict[Any, Any]] = {
        datetime.date: Date(),
        datetime.datetime: DateTime(timezone=True),
        decimal.Decimal: Numeric(),
        dict[str, Any]: JSONB(),
        int: BigInteger(),
        str: Text(),
        uuid.UUID: Uuid(),
    }
