"""TLS, with certificates made here: whom a connection trusts, and that nobody else hears a password."""

from __future__ import annotations

import asyncio
import contextlib
import datetime
import os
import secrets
import socket
import ssl
import struct
import subprocess
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import pytest
import trustme

from finance import DatabaseManager
from finance.embedded.owner import Owner
from finance.errors import AuthenticationError, ConfigurationError, ServerUnreachableError
from tests.conftest import DEBIAN_15

PASSWORD = "s3cr3t-canary"
NOW = datetime.datetime.now(datetime.UTC)
DAY = datetime.timedelta(days=1)

#: What a certificate that proves nothing comes to: try again with another, or with another server.
UNPROVEN = (ConfigurationError, ServerUnreachableError)

NO_AUTHORITY = "unable to get local issuer certificate|self.signed certificate"
OTHER_NAME = "not valid for"

needs_debian_15 = pytest.mark.skipif(
    not DEBIAN_15.is_dir(), reason=f"needs {DEBIAN_15}: the PostgreSQL out of the wheel has no TLS"
)


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    """Who signs the server's certificate."""
    return trustme.CA()


@pytest.fixture(scope="module")
def root(authority: trustme.CA, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The authority's own certificate, as sslrootcert takes it."""
    path = tmp_path_factory.mktemp("tls") / "root.pem"
    authority.cert_pem.write_to_path(str(path))
    return path


@pytest.fixture(scope="module")
def stranger(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The certificate of an authority that signed nothing here."""
    path = tmp_path_factory.mktemp("tls") / "stranger.pem"
    trustme.CA().cert_pem.write_to_path(str(path))
    return path


# --- a real server -----------------------------------------------------------------------------------


@dataclass(frozen=True)
class Encrypted:
    """A server that accepts `keeper` over TLS only."""

    port: int
    log: Path

    def dsn(self, host: str = "localhost", **query: object) -> str:
        """Name it, without a password."""
        parameters = "&".join(f"{name}={value}" for name, value in query.items())
        return f"postgresql://keeper@{host}:{self.port}/postgres?{parameters}"

    @contextlib.contextmanager
    def overheard(self) -> Iterator[list[str]]:
        """Collect what it logs in the block."""
        before = len(self.log.read_text())
        lines: list[str] = []
        yield lines
        lines += self.log.read_text()[before:].splitlines()


@pytest.fixture(scope="module")
def encrypted(authority: trustme.CA, reachable_tmp: Path) -> Iterator[Encrypted]:
    """Debian's PostgreSQL 15 with a certificate for the name localhost."""
    folder = reachable_tmp / f"tls-{secrets.token_hex(4)}"
    owner = Owner.of(folder)
    as_owner: dict[str, Any] = {"user": owner.uid, "group": owner.gid, "extra_groups": []} if owner.is_other else {}
    folder.mkdir(mode=0o700)
    certificate = authority.issue_cert("localhost")
    certificate.private_key_pem.write_to_path(str(folder / "server.key"))
    certificate.cert_chain_pems[0].write_to_path(str(folder / "server.crt"))
    (folder / "password").write_text(PASSWORD)
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    if owner.is_other:
        for path in (folder, *folder.iterdir()):
            os.chown(path, owner.uid, owner.gid)
    (folder / "server.key").chmod(0o600)

    def run(program: str, *words: str) -> None:
        subprocess.run(
            [DEBIAN_15 / program, "-D", folder / "data", *words],
            check=True, cwd="/", stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, **as_owner,
        )  # fmt: skip

    run("initdb", "-U", "keeper", f"--pwfile={folder}/password", "--auth=scram-sha-256", "--no-sync", "-E", "UTF8")
    (folder / "data" / "pg_hba.conf").write_text("hostssl all all 127.0.0.1/32 scram-sha-256\n")
    with (folder / "data" / "postgresql.conf").open("a") as settings:
        settings.write(
            f"listen_addresses = '127.0.0.1'\nport = {port}\nunix_socket_directories = ''\nfsync = off\n"
            f"ssl = on\nssl_cert_file = '{folder}/server.crt'\nssl_key_file = '{folder}/server.key'\n"
            "log_connections = on\n"
        )
    run("pg_ctl", "-w", "-l", f"{folder}/log", "start")
    try:
        yield Encrypted(port, folder / "log")
    finally:
        run("pg_ctl", "-m", "immediate", "stop")


@needs_debian_15
async def test_a_verified_connection_is_encrypted(encrypted: Encrypted, root: Path) -> None:
    """The server says so itself."""
    dsn = encrypted.dsn(sslmode="verify-full", sslrootcert=root)

    async with DatabaseManager(dsn, password=PASSWORD) as db:
        row = await db.fetchrow("SELECT ssl, version FROM pg_stat_ssl WHERE pid = pg_backend_pid()")

    assert row is not None
    assert (row["ssl"], row["version"]) == (True, "TLSv1.3")


@needs_debian_15
@pytest.mark.parametrize("words", [{}, {"ssl": "verify-full"}], ids=["the mode too", "the mode as ssl="])
async def test_the_authority_may_stand_in_the_environment(
    words: dict[str, Any], encrypted: Encrypted, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As PGSSLROOTCERT and PGSSLMODE, or with ssl= for the mode."""
    monkeypatch.setenv("PGSSLROOTCERT", str(root))
    if not words:
        monkeypatch.setenv("PGSSLMODE", "verify-full")

    async with DatabaseManager(encrypted.dsn(), password=PASSWORD, **words) as db:
        assert await db.fetchval("SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()")
    with pytest.raises(UNPROVEN, match=OTHER_NAME):
        await DatabaseManager(encrypted.dsn("127.0.0.1"), password=PASSWORD, **words).connect()


@needs_debian_15
async def test_a_context_of_ones_own_is_honoured(encrypted: Encrypted, root: Path) -> None:
    """It decides whom to trust; one that trusts the machine's authorities does not trust this server."""
    context = ssl.create_default_context(cafile=root)

    async with DatabaseManager(encrypted.dsn(), password=PASSWORD, ssl=context) as db:
        assert await db.fetchval("SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()")
    with pytest.raises(UNPROVEN, match=NO_AUTHORITY):
        await DatabaseManager(encrypted.dsn(), password=PASSWORD, ssl=ssl.create_default_context()).connect()


@needs_debian_15
@pytest.mark.parametrize(
    ("host", "reason"),
    [("localhost", NO_AUTHORITY), ("127.0.0.1", OTHER_NAME)],
    ids=["another authority", "another name"],
)
async def test_an_unproven_server_is_left_before_the_login(
    host: str, reason: str, encrypted: Encrypted, root: Path, stranger: Path
) -> None:
    """Its log has the connection, and nobody who wanted in."""
    dsn = encrypted.dsn(host, sslmode="verify-full", sslrootcert=stranger if host == "localhost" else root)

    with encrypted.overheard() as lines, pytest.raises(UNPROVEN, match=reason):
        await DatabaseManager(dsn, password=PASSWORD).connect()

    assert "connection received" in "".join(lines)
    assert "keeper" not in "".join(lines)


@needs_debian_15
async def test_the_log_tells_who_wanted_in(encrypted: Encrypted, root: Path) -> None:
    """What the test before this one relies on; the password is in no line of the server's."""
    dsn = encrypted.dsn(sslmode="verify-full", sslrootcert=root)

    with encrypted.overheard() as lines, pytest.raises(AuthenticationError):
        await DatabaseManager(dsn, password="wrong").connect()
    async with DatabaseManager(dsn, password=PASSWORD) as db:
        await db.fetchval("SELECT 1")

    assert 'password authentication failed for user "keeper"' in "".join(lines)
    assert PASSWORD not in encrypted.log.read_text()


@needs_debian_15
async def test_a_server_that_wants_tls_refuses_to_do_without(encrypted: Encrypted) -> None:
    """With sslmode=disable the server has the last word."""
    with pytest.raises(AuthenticationError):
        await DatabaseManager(encrypted.dsn(sslmode="disable"), password=PASSWORD).connect()


@needs_debian_15
async def test_a_changed_password_opens_the_next_connection(encrypted: Encrypted, root: Path) -> None:
    """The function is asked once for each connection; open ones live on."""
    vault = ["first"]
    asked: list[str] = []

    async def ask() -> str:
        asked.append(vault[-1])
        return vault[-1]

    dsn = encrypted.dsn(sslmode="verify-full", sslrootcert=root)
    async with DatabaseManager(dsn, password=PASSWORD) as admin:
        await admin.execute("CREATE ROLE turning LOGIN PASSWORD 'first'")
        async with (
            DatabaseManager(dsn, user="turning", password=ask, min_size=1, max_size=2) as db,
            db.transaction() as held,
        ):
            await admin.execute("ALTER ROLE turning PASSWORD 'second'")
            with pytest.raises(AuthenticationError):
                await DatabaseManager(dsn, user="turning", password=ask).connect()
            vault.append("second")
            assert await db.fetchval("SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()")
            assert await held.fetchval("SELECT current_user") == "turning"
        await admin.execute("DROP ROLE turning")

    assert set(asked[:-1]) == {"first"}
    assert asked[-1] == "second"


# --- somebody else in its place ----------------------------------------------------------------------


class Impostor:
    """A server that asks for the password in clear, and keeps every byte that it can read.

    Attributes:
        heard: What it was told, decrypted.
        visits: How many connected.
    """

    def __init__(self, certificate: trustme.LeafCert | None) -> None:
        self.heard = b""
        self.visits = 0
        self._context = None
        if certificate is not None:
            self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            certificate.configure_cert(self._context)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._thread = threading.Thread(target=self._serve)

    def dsn(self, mode: str, root: Path | None, host: str = "localhost") -> str:
        """Name it as if it were the server."""
        port = self._listener.getsockname()[1]
        return f"postgresql://keeper@{host}:{port}/postgres?sslmode={mode}" + (f"&sslrootcert={root}" if root else "")

    async def __aenter__(self) -> Self:
        self._thread.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        await asyncio.to_thread(self._thread.join)
        self._listener.close()

    def _serve(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                visitor, _ = self._listener.accept()
                self.visits += 1
                visitor.settimeout(5)
                with visitor, contextlib.suppress(OSError):
                    self._hear(visitor)

    def _hear(self, visitor: socket.socket) -> None:
        visitor.recv(8)  # the wish for TLS
        visitor.sendall(b"S" if self._context else b"N")
        line = self._context.wrap_socket(visitor, server_side=True) if self._context else visitor
        with line:
            self.heard += line.recv(4096)
            line.sendall(b"R" + struct.pack("!ii", 8, 3))  # AuthenticationCleartextPassword
            self.heard += line.recv(4096)


#: Where an impostor is believed: by a certificate of the authority, or where the mode asks for no proof.
BELIEVED = ["verify-full", "require", "prefer", "prefer without TLS"]


@pytest.mark.parametrize("how", BELIEVED)
async def test_whoever_is_trusted_hears_the_password(how: str, authority: trustme.CA, root: Path) -> None:
    """The impostor can hear it: what the tests below rely on."""
    certificate = None if "without" in how else authority.issue_cert("localhost")
    async with Impostor(certificate) as impostor:
        dsn = impostor.dsn(how.split(maxsplit=1)[0], root if how == "verify-full" else None)
        with pytest.raises(UNPROVEN):
            await DatabaseManager(dsn, password=PASSWORD).connect()

    assert PASSWORD.encode() in impostor.heard


FLAWS: dict[str, tuple[Callable[[trustme.CA], trustme.LeafCert], str]] = {
    "another authority": (lambda _: trustme.CA().issue_cert("localhost"), NO_AUTHORITY),
    "another name": (lambda ca: ca.issue_cert("elsewhere.example"), OTHER_NAME),
    "expired": (
        lambda ca: ca.issue_cert("localhost", not_before=NOW - 2 * DAY, not_after=NOW - DAY),
        "certificate has expired",
    ),
    "not yet valid": (
        lambda ca: ca.issue_cert("localhost", not_before=NOW + DAY, not_after=NOW + 2 * DAY),
        "certificate is not yet valid",
    ),
}


@pytest.mark.parametrize("flaw", FLAWS)
async def test_an_impostor_hears_nothing(flaw: str, authority: trustme.CA, root: Path) -> None:
    """With verify-full it is left before a user, a database or a password is named; the error says why."""
    make, reason = FLAWS[flaw]
    async with Impostor(make(authority)) as impostor:
        db = DatabaseManager(impostor.dsn("verify-full", root), password=PASSWORD)
        with pytest.raises(UNPROVEN, match=reason) as caught:
            await db.connect()

    assert (impostor.visits > 0, impostor.heard) == (True, b"")
    assert PASSWORD not in str(caught.value)


async def test_an_address_is_not_the_name_of_the_certificate(authority: trustme.CA, root: Path) -> None:
    """Whoever connects by number needs a certificate for the number."""
    named, numbered = authority.issue_cert("localhost"), authority.issue_cert("127.0.0.1")
    heard = []
    for certificate in (named, numbered):
        async with Impostor(certificate) as impostor:
            with pytest.raises(UNPROVEN):
                await DatabaseManager(impostor.dsn("verify-full", root, "127.0.0.1"), password=PASSWORD).connect()
        heard.append(PASSWORD.encode() in impostor.heard)

    assert heard == [False, True]


@pytest.mark.parametrize("mode", ["require", "verify-ca", "verify-full"])
async def test_a_server_without_tls_hears_nothing(mode: str, root: Path) -> None:
    """Encryption that was asked for is not given up because the other side has none."""
    async with Impostor(None) as impostor:
        with pytest.raises(ServerUnreachableError, match="the server has no TLS"):
            await DatabaseManager(impostor.dsn(mode, root), password=PASSWORD).connect()

    assert (impostor.visits > 0, impostor.heard) == (True, b"")


async def test_a_context_tells_an_impostor_nothing(root: Path) -> None:
    """Nor does `ssl=` with an SSLContext."""
    context = ssl.create_default_context(cafile=root)
    async with Impostor(trustme.CA().issue_cert("localhost")) as impostor:
        dsn = impostor.dsn("prefer", None)
        with pytest.raises(UNPROVEN, match=NO_AUTHORITY):
            await DatabaseManager(dsn, password=PASSWORD, ssl=context).connect()

    assert (impostor.visits > 0, impostor.heard) == (True, b"")


async def test_an_authority_that_is_missing_is_told(tmp_path: Path) -> None:
    """Its file is named before anybody is called."""
    async with Impostor(None) as impostor:
        with pytest.raises(UNPROVEN) as caught:
            await DatabaseManager(impostor.dsn("verify-full", tmp_path / "missing.pem"), password=PASSWORD).connect()

    assert impostor.visits == 0
    assert PASSWORD not in str(caught.value)
