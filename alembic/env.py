"""How Alembic reaches the database: on the connection that it is handed, or as the command line does."""

import asyncio
import logging.config
import sys

from alembic import context
from sqlalchemy import Connection, text
from sqlalchemy.exc import PendingRollbackError

from finance import migrations
from finance.database import manager_for_command
from finance.errors import FinanceError
from finance.migrations import VERSION_TABLE
from finance.models import Base

config = context.config


def configure(**where: object) -> None:
    """Tell Alembic what to compare and where to keep its revision."""
    context.configure(
        target_metadata=Base.metadata,
        version_table=VERSION_TABLE,
        transaction_per_migration=True,
        compare_type=True,
        compare_server_default=True,
        include_name=lambda name, kind, _parents: kind != "table" or name in Base.metadata.tables,
        autogenerate_plugins=["alembic.autogenerate.*", "alembic.ext.checkconstraint_byname"],
        **where,
    )


def migrate(connection: Connection) -> None:
    """Run what was asked for on *connection*, which is in no transaction yet."""
    # Rather fail and be run again than have every reader queue behind a lock that is not granted.
    connection.execute(text(f"SET lock_timeout = '{migrations.TABLE_LOCK_TIMEOUT}'"))
    connection.commit()
    become_owner(connection)
    configure(connection=connection)
    may_write = not context.get_context().opts.get("dont_mutate")
    if may_write:
        create_schema(connection)
    try:
        with context.begin_transaction():
            context.run_migrations()
    except PendingRollbackError as error:
        # Leaving a block of autocommit whose connection is gone hides why: the caller gave up, or the server went.
        hidden = error.__context__ or error
        raise hidden from hidden.__cause__
    finally:
        if may_write and not connection.invalidated:
            drop_empty_version_table(connection)


def become_owner(connection: Connection) -> None:
    """Work as the role that owns the books, where the login is a member of it: what is made must be its own, too."""
    owner = connection.scalar(
        text(
            "SELECT quote_ident(pg_get_userbyid(relowner)) FROM pg_class"
            " WHERE oid = to_regclass(:table) AND pg_get_userbyid(relowner) <> current_user"
            " AND pg_has_role(relowner, 'MEMBER')"
        ),
        {"table": VERSION_TABLE},
    )
    if owner is not None:
        connection.execute(text(f"SET ROLE {owner}"))
    connection.commit()


def create_schema(connection: Connection) -> None:
    """Create the schema that was asked for by name, where it is missing."""
    schema = config.attributes.get("schema")
    if schema is not None:
        quoted = connection.dialect.identifier_preparer.quote(schema)
        # IF NOT EXISTS alone would ask for the right to create schemas even where there is nothing to do.
        if connection.scalar(text("SELECT to_regnamespace(:schema)"), {"schema": quoted}) is None:
            connection.execute(text(f"CREATE SCHEMA IF NOT EXISTS {quoted}"))
        connection.commit()


def drop_empty_version_table(connection: Connection) -> None:
    """Leave no trace: Alembic keeps its table after the last downgrade, and after a first upgrade that failed."""
    connection.rollback()
    if not context.get_context().get_current_heads():
        connection.execute(text(f"DROP TABLE IF EXISTS {VERSION_TABLE}"))
        connection.commit()


async def migrate_from_command_line() -> None:
    """Find the database as every command does, and migrate it under the lock."""
    arguments = context.get_x_argument(as_dictionary=True)
    config.attributes["schema"] = arguments.get("schema")
    manager = manager_for_command(
        arguments.get("dsn"), schema=arguments.get("schema"), min_size=0, tell=lambda line: print(line, file=sys.stderr)
    )
    async with manager as db, db.migrations.locked() as connection:
        await connection.run_sync(migrate)


def main() -> None:
    """Do what Alembic was called for."""
    if context.is_offline_mode():
        # The dialect's own style of parameters would double every % in the guards.
        configure(dialect_name="postgresql", dialect_opts={"paramstyle": "named"}, literal_binds=True)
        with context.begin_transaction():
            context.run_migrations()
    elif (connection := config.attributes.get("connection")) is not None:
        migrate(connection)
    else:
        if config.file_config.has_section("loggers"):  # the ini of a user of the package may have no logging
            logging.config.fileConfig(config.config_file_name, disable_existing_loggers=False)
        try:
            asyncio.run(migrate_from_command_line())
        except FinanceError as error:
            sys.exit(f"alembic: {error}")


main()
