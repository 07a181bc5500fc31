"""The scripted network: it carries what it should, and fails exactly where it is told to."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator

import asyncpg
import pytest
import pytest_asyncio

from benchmarks.chaos.lab import Books, Lab
from benchmarks.chaos.messages import Message, Splitter
from benchmarks.chaos.proxy import AtCommit, Proxy

#: A fault that is not survived must not hold up the others.
pytestmark = pytest.mark.timeout(300, func_only=True)

_COMMIT = b"Q\x00\x00\x00\x0cCOMMIT;\x00"


@pytest_asyncio.fixture
async def client(network: Proxy, books: Books) -> AsyncIterator[asyncpg.Connection]:
    """A connection through the network, with a table of one column to write to."""
    connection = await asyncpg.connect(network.dsn(books.database))
    await connection.execute("CREATE TABLE seen (x int)")
    yield connection
    connection.terminate()


async def _stored(books: Books) -> list[int]:
    connection = await asyncpg.connect(books.dsn)
    try:
        return [row["x"] for row in await connection.fetch("SELECT x FROM seen ORDER BY x")]
    finally:
        await connection.close()


async def _commit_one(client: asyncpg.Connection) -> None:
    transaction = client.transaction()
    await transaction.start()
    await client.execute("INSERT INTO seen VALUES (1)")
    await transaction.commit()


# --- messages ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [1, 2, 3, 5, 100])
def test_a_commit_is_recognised_however_tcp_splits_it(size: int) -> None:
    """A message is judged when it is complete, and given as it was sent."""
    startup = b"\x00\x00\x00\x0b\x00\x03\x00\x00ab\x00"
    stream = startup + b"S\x00\x00\x00\x04" + _COMMIT + b"X\x00\x00\x00\x04"
    splitter = Splitter(of_client=True)
    found = [
        message for start in range(0, len(stream), size) for message in splitter.feed(stream[start : start + size])
    ]
    assert b"".join(message.raw for message in found) == stream
    assert [message.kind for message in found] == [b"", b"S", b"Q", b"X"]
    assert [message.is_commit for message in found] == [False, False, True, False]


@pytest.mark.parametrize(
    ("sql", "is_commit"),
    [
        (b"COMMIT", True),
        (b" commit;", True),
        (b"END", True),
        (b"SELECT 'COMMIT'", False),
        (b"COMMIT PREPARED 'a'", False),
        (b"ENDLESS", False),
        (b"ROLLBACK", False),
    ],
)
def test_only_a_statement_that_commits_is_a_commit(sql: bytes, is_commit: bool) -> None:  # noqa: FBT001
    """The word elsewhere in a statement is none, and a parsed one counts like a plain one."""
    plain = b"Q" + (len(sql) + 5).to_bytes(4) + sql + b"\0"
    parsed = b"P" + (len(sql) + 12).to_bytes(4) + b"name\0" + sql + b"\0\0\0"
    assert [Message(raw[:1], raw).is_commit for raw in (plain, parsed)] == [is_commit, is_commit]


def test_the_answer_to_a_request_for_encryption_is_one_byte() -> None:
    """It has no length, and what follows has one again."""
    splitter = Splitter(of_client=False)
    splitter.expect_byte()
    assert [message.raw for message in splitter.feed(b"NZ\x00\x00\x00\x05I")] == [b"N", b"Z\x00\x00\x00\x05I"]


# --- COMMIT ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("fate", "at_once", "in_the_end"),
    [
        (AtCommit.LOSE_REQUEST, [], []),
        (AtCommit.LOSE_REPLY, [1], [1]),
        (AtCommit.LATE, [], [1]),
    ],
)
@pytest.mark.parametrize("is_fragmenting", [False, True])
async def test_a_lost_commit_breaks_the_connection(
    network: Proxy,
    books: Books,
    client: asyncpg.Connection,
    *,
    fate: AtCommit,
    at_once: list[int],
    in_the_end: list[int],
    is_fragmenting: bool,
) -> None:
    """What the server has heard of is stored; the client hears the same each time."""
    network.at_commit, network.commit_delay, network.is_fragmenting = lambda: fate, 0.3, is_fragmenting
    with pytest.raises(asyncpg.ConnectionDoesNotExistError):
        await _commit_one(client)
    assert await _stored(books) == at_once
    await asyncio.sleep(0.5)
    assert await _stored(books) == in_the_end
    assert (network.counts.commits, network.counts.faults) == (1, 1)


@pytest.mark.parametrize(("fate", "at_once"), [(AtCommit.HOLD_REQUEST, []), (AtCommit.HOLD_REPLY, [1])])
async def test_a_held_commit_goes_on_when_the_network_heals(
    network: Proxy, books: Books, client: asyncpg.Connection, fate: AtCommit, at_once: list[int]
) -> None:
    """Nothing breaks: the caller waits."""
    network.at_commit = lambda: fate
    commit = asyncio.create_task(_commit_one(client))
    done, _ = await asyncio.wait([commit], timeout=0.2)
    assert not done
    assert await _stored(books) == at_once
    network.heal()
    await asyncio.wait_for(commit, 2)
    assert await _stored(books) == [1]


async def test_without_a_script_everything_is_carried(network: Proxy, books: Books, client: asyncpg.Connection) -> None:
    """A COMMIT passes and is counted."""
    await _commit_one(client)
    assert await _stored(books) == [1]
    assert (network.counts.connects, network.counts.commits, network.counts.faults) == (1, 1, 0)


# --- silence -----------------------------------------------------------------------------------------


async def test_a_dropped_connection_stays_silent_and_a_new_one_works(
    network: Proxy, books: Books, client: asyncpg.Connection
) -> None:
    """Neither end is told, also after healing."""
    network.drop()
    network.heal()
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(client.fetchval("SELECT 1"), 0.2)
    fresh = await asyncpg.connect(network.dsn(books.database), timeout=30)
    assert await fresh.fetchval("SELECT 1") == 1
    fresh.terminate()


async def test_a_held_network_carries_what_was_sent_when_it_heals(network: Proxy, client: asyncpg.Connection) -> None:
    """Nothing is lost, and the order stays."""
    network.hold()
    answer = asyncio.create_task(client.fetchval("SELECT 7"))
    done, _ = await asyncio.wait([answer], timeout=0.2)
    assert not done
    network.heal()
    assert await asyncio.wait_for(answer, 2) == 7


async def test_new_connections_can_be_held_alone(network: Proxy, books: Books, client: asyncpg.Connection) -> None:
    """The existing one works, a new one waits."""
    network.hold(existing=False)
    assert await client.fetchval("SELECT 1") == 1
    with pytest.raises(TimeoutError):
        await asyncpg.connect(network.dsn(books.database), timeout=0.2)


# --- connecting, and speed ---------------------------------------------------------------------------


async def test_connections_can_be_refused_and_taken_again_on_the_same_port(network: Proxy, books: Books) -> None:
    """The port stays, so that a client's DSN does."""
    network.refuse()
    with pytest.raises(ConnectionRefusedError):
        await asyncpg.connect(network.dsn(books.database))
    await network.accept()
    connection = await asyncpg.connect(network.dsn(books.database))
    assert await connection.fetchval("SELECT 1") == 1
    connection.terminate()


async def test_new_connections_can_be_reset(network: Proxy, books: Books) -> None:
    """The client sees a reset, not an orderly end."""
    network.resets_new = True
    with pytest.raises((ConnectionResetError, asyncpg.ConnectionDoesNotExistError)):
        await asyncpg.connect(network.dsn(books.database))
    assert network.counts.connects == 0


async def test_latency_counts_each_way(network: Proxy, client: asyncpg.Connection) -> None:
    """A round trip takes twice of it, however large the answer is."""
    network.latency = 0.05
    started = time.perf_counter()
    rows = await client.fetch("SELECT repeat('x', 1000) FROM generate_series(1, 20000)")
    assert len(rows) == 20000
    # Preparing and running it are two round trips; it is some 300 pieces, which would be late one after another.
    assert 0.2 <= time.perf_counter() - started < 10


async def test_pieces_of_one_byte_arrive_as_they_were_sent(network: Proxy, client: asyncpg.Connection) -> None:
    """Both directions are fragmented, and nothing is lost or changed."""
    network.is_fragmenting = True
    text = "".join(chr(33 + number % 90) for number in range(2000))
    assert await client.fetchval("SELECT $1::text", text) == text


async def test_cancel_requests_are_counted_apart(network: Proxy, client: asyncpg.Connection) -> None:
    """A cancelled statement makes one, which is not a session."""
    with pytest.raises(TimeoutError):
        await client.fetchval("SELECT pg_sleep(5)", timeout=0.1)
    await client.reset()  # which waits for the driver's own end of it
    assert (network.counts.connects, network.counts.cancels) == (1, 1)


async def test_no_connection_is_left_behind(lab: Lab, books: Books) -> None:
    """Closing the network ends every connection at both ends."""
    async with lab.network() as network:
        client = await asyncpg.connect(network.dsn(books.database))
        network.drop()
    assert network.open_lines == 0
    async with lab.node.administered(books.database) as admin:
        for _ in range(100):
            left = await admin.fetchval(
                "SELECT count(*) FROM pg_stat_activity WHERE datname = $1 AND pid <> pg_backend_pid()", books.database
            )
            if not left:
                break
            await asyncio.sleep(0.01)
    assert left == 0
    client.terminate()
