"""A connection string, taken apart into libpq's keywords and put together again for asyncpg.

Nothing here quotes what it read: whatever stands in the wrong place of a broken string may be a
piece of the password. For the same reason nothing is raised inside an `except` block, where the
text would travel along as the new error's context.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from urllib.parse import quote, unquote_to_bytes

from finance.errors import ConfigurationError

#: Written where a DSN is expected, this word means the PostgreSQL out of the wheel.
EMBEDDED = "embedded"

#: Every keyword that libpq 18 knows. A conninfo string may have no other, so that a mistyped one is never
#: taken for a server setting and sent, with what may be a secret in it, to some server.
LIBPQ_KEYWORDS = frozenset({
    "application_name", "channel_binding", "client_encoding", "connect_timeout", "dbname",
    "fallback_application_name", "gssdelegation", "gssencmode", "gsslib", "host", "hostaddr", "keepalives",
    "keepalives_count", "keepalives_idle", "keepalives_interval", "krbsrvname", "load_balance_hosts",
    "max_protocol_version", "min_protocol_version", "oauth_client_id", "oauth_client_secret", "oauth_issuer",
    "oauth_scope", "options", "passfile", "password", "port", "replication", "require_auth", "requirepeer",
    "requiressl", "scram_client_key", "scram_server_key", "service", "servicefile", "ssl_max_protocol_version",
    "ssl_min_protocol_version", "sslcert", "sslcertmode", "sslcompression", "sslcrl", "sslcrldir", "sslkey",
    "sslkeylogfile", "sslmode", "sslnegotiation", "sslpassword", "sslrootcert", "sslsni", "target_session_attrs",
    "tcp_user_timeout", "user",
})  # fmt: skip

_POSTGRESQL = frozenset({"postgres", "postgresql", "psql", "pgsql"})
_SCHEME = re.compile(r"(?P<jdbc>jdbc:)?(?P<scheme>[a-z][a-z0-9.+-]*)://", re.IGNORECASE)
_PAIR = re.compile(
    r"\s*(?P<name>\w+)\s*=\s*(?:'(?P<quoted>(?:[^'\\]|\\.)*)'|(?P<bare>(?!')(?:[^\s\\]|\\.)*))", re.DOTALL
)
_NAME = re.compile(r"[A-Za-z_][\w.]*", re.ASCII)
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_NOT_TEXT = re.compile("[\0\ud800-\udfff]")

_BRACKETED = re.compile(r"\[(?P<host>[^\[\]]+)\](?::(?P<port>\d*))?")
_SOCKET = re.compile(r"(?P<host>(?:/|%2F).*?)(?::(?P<port>\d+))?", re.IGNORECASE)
_NAMED = re.compile(r"(?P<host>[^:\s/@?#\[\]]*)(?::(?P<port>\d*))?")
_BARE_IPV6 = re.compile(r"(?P<host>[0-9a-f]*(?::[0-9a-f.]*){2,}(?:%\w+)?)(?P<port>)", re.IGNORECASE)

_ENCODE = (
    "in a URL, percent-encode the characters / ? # @ : % of the user name and the password"
    " (a slash is %2F, an at sign %40), or pass password= on its own"
)


def clean(text: str) -> str:
    """Strip what is copied along with a value from a .env file: blanks, a newline, the quotes around it."""
    text = text.strip()
    if len(text) > 1 and text[0] == text[-1] and text[0] in "'\"":
        text = text[1:-1].strip()
    return text


def parse(text: str) -> dict[str, str]:
    """Take a URL or a libpq conninfo string apart into keywords, each value decoded exactly once.

    `host` and `port` are lists joined by commas, of equal length if both are there; an IPv6 address
    stands without brackets. A later value of a keyword wins, so the query part of a URL wins over what
    stands before it, as in libpq.

    Raises:
        ConfigurationError: The text is neither, or is damaged.
    """
    text = clean(text)
    if not text:
        raise ConfigurationError("the connection string is empty")
    if _NOT_TEXT.search(text):
        raise ConfigurationError("the connection string is not valid UTF-8 text")
    if (scheme := _SCHEME.match(text)) is not None:
        return _parse_url(scheme, text[scheme.end() :])
    if _PAIR.match(text):
        return _parse_conninfo(text)
    raise ConfigurationError(
        "the connection string is neither a URL (postgresql://user:password@host:5432/database)"
        " nor a list of keywords (host=... dbname=...)"
    )


def render(parameters: Mapping[str, str]) -> str:
    """Write keywords as the URL from which asyncpg reads the same values.

    The hosts stand in its query part: urllib refuses a list of hosts in which one is an IPv6 address.
    """
    rest = dict(parameters)
    user, password, database = (quote(rest.pop(name, ""), safe="") for name in ("user", "password", "database"))
    if "host" in rest:
        rest["host"] = ",".join(f"[{host}]" if _is_ipv6(host) else host for host in rest["host"].split(","))
    login = f"{user}:{password}@" if password else f"{user}@" if user else ""
    query = "&".join(f"{name}={quote(value, safe='')}" for name, value in rest.items())
    return f"postgresql://{login}{database and '/'}{database}{query and '?'}{query}"


def split_hosts(spec: str) -> tuple[list[str], list[str]]:
    """Split `h1:5432,[::1],/run/postgresql` into its hosts and their ports; a missing port is empty.

    Raises:
        ConfigurationError: An entry is empty or malformed.
    """
    pairs = [_split_host(item.strip()) for item in spec.split(",")]
    if len(pairs) > 1 and not all(host for host, _ in pairs):
        raise ConfigurationError("one of the hosts in the list is empty")
    return [host for host, _ in pairs], [port for _, port in pairs]


def pair_ports(hosts: list[str], ports: list[str]) -> list[str]:
    """Return one port for each host; a single port serves them all, an empty one is 5432.

    Raises:
        ConfigurationError: The numbers of hosts and ports differ, or a port is not one.
    """
    if len(ports) == 1:
        ports = ports * len(hosts)
    if len(ports) != len(hosts):
        raise ConfigurationError(f"{len(ports)} ports cannot be matched to {len(hosts)} hosts; give one each, or one")
    if not all(is_port(port) for port in ports if port):
        raise ConfigurationError("a port is a number from 1 to 65535")
    return [port or "5432" for port in ports]


def show_host(host: str) -> str:
    """Write a host so that a port can follow it."""
    return f"[{host}]" if _is_ipv6(host) else host


def is_port(text: str) -> bool:
    """Say whether *text* is a TCP port."""
    return text.isascii() and text.isdigit() and len(text) < 6 and 0 < int(text) < 65536


def _is_ipv6(host: str) -> bool:
    return ":" in host and not host.startswith("/")


def _split_host(item: str) -> tuple[str, str]:
    for form in (_BRACKETED, _SOCKET, _NAMED, _BARE_IPV6):
        if found := form.fullmatch(item):
            return found["host"], found["port"] or ""
    raise ConfigurationError(f"a host or port cannot be read; {_ENCODE}")


# --- URLs ------------------------------------------------------------------------------------------


def _parse_url(scheme: re.Match[str], rest: str) -> dict[str, str]:
    _require_postgresql(scheme)
    if _CONTROL.search(rest):
        raise ConfigurationError("the URL has a line break or another control character in it; write it on one line")
    rest, _, query = rest.partition("?")
    authority, _, path = rest.partition("/")
    if "@" in path:
        raise ConfigurationError(f"the URL has an @ behind its first slash; {_ENCODE}")
    java = scheme["jdbc"] is not None
    found = _with_hosts({**_parse_authority(authority), "dbname": _decode(path)}, list(_parse_query(query, java=java)))
    if java and found.get("ssl") == "true":
        found["ssl"] = "verify-full"  # what Java means by it; others mean no more than encryption
    return found


def _require_postgresql(scheme: re.Match[str]) -> None:
    dialect, _, _driver = scheme["scheme"].lower().partition("+")
    if dialect not in _POSTGRESQL:
        raise ConfigurationError(
            f"a {(scheme['jdbc'] or '') + scheme['scheme']}:// URL is not one of PostgreSQL; write postgresql://"
        )


def _parse_authority(authority: str) -> dict[str, str]:
    # The last @ wins: a host has none, while a password that nobody encoded may. asyncpg takes the first.
    login, _, spec = authority.rpartition("@")
    user, _, password = login.partition(":")
    hosts, ports = split_hosts(spec)
    return {
        "user": _decode(user),
        "password": _decode(password),
        "host": ",".join(map(_decode, hosts)),
        "port": ",".join(ports) if any(ports) else "",
    }


def _parse_query(query: str, *, java: bool) -> Iterator[tuple[str, str]]:
    for part in filter(None, query.split("&")):
        name, equals, value = part.partition("=")
        if not equals or not _NAME.fullmatch(name := _decode(name)):
            raise ConfigurationError(f"behind its ? the URL has something else than name=value; {_ENCODE}")
        # A plus sign is itself in libpq's URLs. Java's stand for blanks, and so do those in the options that
        # tools encode as a form (-c+search_path%3Dbooks): no option starts with a plus.
        if java or name == "options":
            value = value.replace("+", " ")
        yield name, _decode(value)


def _with_hosts(found: dict[str, str], pairs: list[tuple[str, str]]) -> dict[str, str]:
    """Add name=value pairs; SQLAlchemy writes a list of hosts by repeating `host`, each with its port."""
    if named := [value for name, value in pairs if name == "host" and value]:
        hosts, ports = split_hosts(",".join(named))
        found["host"] = ",".join(hosts)
        if any(ports):
            found["port"] = ",".join(ports)
    return found | {name: value for name, value in pairs if name != "host" and value}


def _decode(text: str) -> str:
    decoded = unquote_to_bytes(text).decode(errors="surrogateescape")
    if _NOT_TEXT.search(decoded):
        raise ConfigurationError(f"a percent-encoded character of the URL is not UTF-8 text; {_ENCODE}")
    return decoded


# --- conninfo --------------------------------------------------------------------------------------


def _parse_conninfo(text: str) -> dict[str, str]:
    """Read `name = value` pairs; blanks end a value unless it is in single quotes, a backslash takes the next as is."""
    found: dict[str, str] = {}
    position = count = 0
    while position < len(text):
        pair, count = _PAIR.match(text, position), count + 1
        if pair is None:
            raise ConfigurationError(
                f"what stands behind keyword {count - 1} of the connection string is not name=value;"
                " put a value with blanks in it into single quotes, and write \\' for a quote"
            )
        if pair["name"] not in LIBPQ_KEYWORDS:
            raise ConfigurationError(
                f"keyword {count} of the connection string is not one that libpq knows;"
                " a server setting goes into options='-c name=value'"
            )
        value = pair["bare"] if pair["quoted"] is None else pair["quoted"]
        found[pair["name"]] = re.sub(r"\\(.)", r"\1", value, flags=re.DOTALL)
        position = pair.end()
    return _with_hosts({}, list(found.items()))
