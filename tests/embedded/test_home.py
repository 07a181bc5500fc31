"""The folder of a cluster: where it is, whose it is, and what is left alone."""

import os
import shutil
import stat
from pathlib import Path

import pytest

from finance.embedded import EmbeddedServer
from finance.embedded.owner import Owner
from finance.errors import EmbeddedServerError

from .outside import AS_ROOT, FAST, fetchval, only_root, only_user, pid_of


async def test_the_environment_names_the_folder(books: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """FINANCE_DATA_DIR is read when the server starts."""
    server = EmbeddedServer(settings=FAST)
    monkeypatch.setenv("FINANCE_DATA_DIR", str(books))
    async with server:
        assert server.data_dir == books
        assert pid_of(books)


@only_user
async def test_the_data_folder_of_the_user_is_the_default(own_books: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without FINANCE_DATA_DIR the own_books are in the user's data folder."""
    monkeypatch.delenv("FINANCE_DATA_DIR", raising=False)
    monkeypatch.setenv("XDG_DATA_HOME", str(own_books))
    own_books.joinpath("finance-ledger").mkdir()
    own_books.joinpath("postgresql-18").rename(own_books / "finance-ledger/postgresql-18")
    async with EmbeddedServer(settings=FAST) as server:
        assert server.data_dir == own_books / "finance-ledger"
    assert EmbeddedServer("~/x").data_dir == Path.home().resolve() / "x"


async def test_there_is_no_tcp(books: Path) -> None:
    """The server listens on its Unix socket alone."""
    async with EmbeddedServer(books, settings=FAST) as server:
        assert await fetchval(server.dsn(), "SHOW listen_addresses") == ""


def test_only_the_owner_reaches_the_server(books: Path) -> None:
    """Folder, files, socket and process are the owner's alone; root's server is another user's."""
    with EmbeddedServer(books, settings=FAST) as server:
        socket = server.socket_dir / ".s.PGSQL.5432"
        assert [stat.S_IMODE(path.stat().st_mode) for path in (server.socket_dir, socket)] == [0o700, 0o700]
        owner = (books / "postgresql-18").stat().st_uid
        assert Path(f"/proc/{pid_of(books)}").stat().st_uid == owner
        assert {path.stat().st_uid for path in (books / "postgresql-18").rglob("*")} == {owner}
        assert (owner == os.geteuid()) is not AS_ROOT


def test_a_new_data_folder_is_closed_to_others(empty: Path) -> None:
    """Folders that are made get mode 0700; as root 0755 around the cluster, whatever the umask is."""
    before = os.umask(0o077)
    try:
        with pytest.raises(EmbeddedServerError, match="no PostgreSQL"):
            EmbeddedServer(empty / "a/b", binaries=Path("/etc")).__enter__()
    finally:
        os.umask(before)
    modes = [stat.S_IMODE((empty / name).stat().st_mode) for name in ("a", "a/b", "a/b/postgresql-18")]
    assert modes == ([0o755, 0o755, 0o700] if AS_ROOT else [0o700, 0o700, 0o700])


def test_what_is_in_the_folder_already_stays_as_it_is(books: Path) -> None:
    """Neither permissions nor content of an existing data folder change."""
    (books / "other").mkdir(mode=0o750)
    (books / "other/file").write_text("mine")
    (books / "other/file").chmod(0o640)
    books.chmod(0o751)
    before = _permissions(books)
    with EmbeddedServer(books, settings=FAST):
        assert _permissions(books) == before
    assert _permissions(books) == before
    assert (books / "other/file").read_text() == "mine"
    shutil.rmtree(books / "other")


def _permissions(folder: Path) -> list[tuple[Path, int, int, int]]:
    found = [folder.parent, folder, *(path for path in folder.rglob("*") if "postgresql-18" not in path.parts)]
    return [(path, path.stat().st_mode, path.stat().st_uid, path.stat().st_gid) for path in sorted(found)]


async def test_a_folder_of_another_program_is_refused(empty: Path) -> None:
    """A folder of the cluster's name that is not ours is left alone."""
    home = empty / "postgresql-18"
    home.mkdir()
    (home / "precious").touch()
    os.chown(home, Owner.of(empty / "none").uid, -1)
    with pytest.raises(EmbeddedServerError, match="not made by finance-ledger"):
        await EmbeddedServer(empty).start()
    assert [path.name for path in home.iterdir()] == ["precious"]


@only_root
async def test_a_folder_out_of_reach_is_refused_and_stays_closed(empty: Path) -> None:
    """As root, the error names the closed folder, the user and the way out; nothing is opened or made."""
    closed = empty / "closed"
    closed.mkdir(mode=0o700)
    with pytest.raises(EmbeddedServerError, match=rf"user \w+, .* cannot enter {closed} .*FINANCE_DATA_DIR"):
        await EmbeddedServer(closed / "books").start()
    assert stat.S_IMODE(closed.stat().st_mode) == 0o700
    assert not list(closed.iterdir())


@only_user
def test_a_folder_that_cannot_be_made_is_an_error(empty: Path) -> None:
    """An ordinary user who may not write there is told so."""
    empty.chmod(0o500)
    with pytest.raises(EmbeddedServerError, match=r"Permission denied.*FINANCE_DATA_DIR"):
        EmbeddedServer(empty / "books").__enter__()
    empty.chmod(0o700)


async def test_any_path_will_do(own_books: Path) -> None:
    """A path that no socket can have is served from a private folder, which the stop removes."""
    home = own_books / "postgresql-18"
    for name in ("long" * 30, "a,b", "it's ü €"):
        (own_books / name).mkdir()
        home = home.rename(own_books / name / "postgresql-18")
        async with EmbeddedServer(own_books / name, settings=FAST) as server:
            assert await fetchval(server.dsn(), "SELECT 1") == 1
            assert server.socket_dir != home
            assert stat.S_IMODE(server.socket_dir.stat().st_mode) == 0o700
            folder = server.socket_dir
        assert not folder.exists()


async def test_a_socket_folder_that_somebody_planted_is_refused(own_books: Path) -> None:
    """The private folder in /tmp has a name that others can know, so a link or a stranger's is not used."""
    name = own_books / ("long" * 30)
    name.mkdir()
    (own_books / "postgresql-18").rename(name / "postgresql-18")
    async with EmbeddedServer(name, settings=FAST) as server:
        folder = server.socket_dir
    folder.symlink_to(own_books)
    with pytest.raises(EmbeddedServerError, match="not a private folder"):
        await server.start()
    folder.unlink()
    folder.mkdir(mode=0o777)
    folder.chmod(0o777)
    os.chown(folder, Owner.of(name / "postgresql-18").uid, -1)
    with pytest.raises(EmbeddedServerError, match="not a private folder"):
        await server.start()
    folder.rmdir()
