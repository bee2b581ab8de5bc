"""The gate for every address that a service or an answer names: a clip, an upload, a redirect.

Such an address must not make this program send requests, or the user's files, into the user's own network. The IP
address that was checked is the one that is connected to, so no second look-up can lead elsewhere.
"""

from __future__ import annotations

import asyncio
import ipaddress
import re
import socket
import ssl
from functools import cache
from typing import Any, NamedTuple
from urllib.request import getproxies, proxy_bypass

import httpx

from storyreel.specs.errors import StoryreelError

Address = ipaddress.IPv4Address | ipaddress.IPv6Address

_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")
"""RFC 6052: the last 32 bits are an IPv4 address. `64:ff9b:1::/48` (RFC 8215) is for private networks alone."""
_GLOBAL_UNICAST = ipaddress.IPv6Network("2000::/3")
"""All that IANA gives out (IPv6 address space, read on 2026-11-29). What is outside is local, reserved or multicast."""
_SPECIAL = tuple(map(ipaddress.ip_network, ("192.88.99.0/24", "2002::/16", "3fff::/20")))
"""Not for the public, or in no use any more (6to4, RFC 7526), but global to some versions of Python (IANA's
special-purpose registries, read on 2026-11-29)."""
_ISATAP = (0x00005EFE, 0x02005EFE)
"""RFC 5214: the third of the four words of an address whose last is an IPv4 address."""
_PRIVATE_NAMES = ("localhost", "localdomain", "local", "internal", "intranet", "private", "corp", "home", "lan", "arpa")
"""Last parts of names inside of networks: RFC 6761, RFC 6762 (appendix G), RFC 8375, and ICANN's `internal`."""
_NAME = re.compile(r"[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)+")
_NUMBER = re.compile(r"\d+|0[xX][0-9A-Fa-f]*")


class LinkNotAllowed(StoryreelError):
    """An address is not used. The message says why, without a subject: `leads into a private network (10.0.0.7)`."""


class AllowedHosts:
    """Allows public addresses, the host of the service's base URL, and this machine if the service is on it.

    `base` is empty for a service at its published address: then its own name is checked like any other.
    """

    def __init__(self, base: str) -> None:
        self._service_host = _bare(httpx.URL(base).host)
        literal = ip_literal(self._service_host)
        self._is_local = self._service_host == "localhost" or (literal is not None and literal.is_loopback)

    def resolve(self, url: httpx.URL) -> list[str]:
        """The IP addresses of a URL's host. Raises LinkNotAllowed, and OSError if the name is unknown. Blocks."""
        self._check_scheme(url)
        host = url.raw_host.decode("ascii")
        literal = ip_literal(host)
        addresses = [str(literal)] if literal else _resolved(host)
        if _bare(url.host) != self._service_host:
            for address in addresses:
                self._check(ipaddress.ip_address(address.partition("%")[0]))
        return addresses

    def check_unresolved(self, url: httpx.URL) -> None:
        """Check a URL whose name a proxy resolves, as far as that is possible. Raises LinkNotAllowed."""
        self._check_scheme(url)
        host = _bare(url.raw_host.decode("ascii"))
        if host == self._service_host:
            return
        literal = ip_literal(host)
        if literal:
            self._check(literal)
        elif not _NAME.fullmatch(host) or _NUMBER.fullmatch(host.rpartition(".")[2]):
            raise LinkNotAllowed(f"names no host of the internet ({host[:80]})")
        elif host.rpartition(".")[2] in _PRIVATE_NAMES:
            raise LinkNotAllowed(f"leads into a private network ({host[:80]})")

    @staticmethod
    def _check_scheme(url: httpx.URL) -> None:
        if url.scheme not in ("http", "https") or not url.host:
            raise LinkNotAllowed(f"is no web address: {url.scheme[:20] or 'nothing'}:…")

    def _check(self, address: Address) -> None:
        if not (is_public(address) or (self._is_local and address.is_loopback)):
            raise LinkNotAllowed(f"leads into a private network ({address})")


class Checked(NamedTuple):
    """A URL that passed the gate, as it is to be requested."""

    url: httpx.URL
    """With the very IP address that was checked in place of the name, unless a proxy resolves it."""
    headers: dict[str, str]
    extensions: dict[str, str]
    client: dict[str, Any]
    """Settings of the client, which is for this request alone and follows no redirects."""


def check_url(url: httpx.URL, hosts: AllowedHosts, attempt: int = 1) -> Checked:
    """Pass a URL through the gate. `attempt`, from 1, chooses among the addresses of its host. Blocks.

    Raises LinkNotAllowed, and OSError or UnicodeError if the host is unknown.
    """
    headers = {"Host": url.netloc.decode("ascii")}
    if proxy := proxy_for(url):
        hosts.check_unresolved(url)
        return Checked(url, headers, {}, {"proxy": proxy, "verify": ssl_context()})
    addresses = hosts.resolve(url)
    address = addresses[(attempt - 1) % len(addresses)].partition("%")[0]
    named = {"sni_hostname": url.raw_host.decode("ascii").rstrip(".")}
    return Checked(url.copy_with(host=address), headers, named, {"trust_env": False, "verify": ssl_context()})


async def checked_request(
    method: str, url: httpx.URL, hosts: AllowedHosts, *, limit: httpx.Timeout, attempt: int = 1, **rest: Any
) -> tuple[httpx.AsyncClient, httpx.Request]:
    """A request that passed the gate, and a client for it alone, which the caller closes. Raises as `check_url`.

    `rest` is headers and content.
    """
    checked = await asyncio.to_thread(check_url, url, hosts, attempt)
    headers = checked.headers | rest.pop("headers", {})
    client = httpx.AsyncClient(timeout=limit, **checked.client)
    return client, client.build_request(method, checked.url, headers=headers, extensions=checked.extensions, **rest)


def ip_literal(host: str) -> Address | None:
    """The IP address that a host is written as, in any notation of C libraries (2130706433, 0x7f.1, ::1), or None."""
    host = _bare(host).partition("%")[0]
    try:
        return ipaddress.ip_address(host)
    except ValueError:
        pass
    try:
        return ipaddress.IPv4Address(socket.inet_aton(host))
    except (OSError, ValueError):
        return None


def is_public(address: Address) -> bool:
    """Whether an address, and any IPv4 address embedded in it, is globally routable unicast."""
    if isinstance(address, ipaddress.IPv6Address):
        low = ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
        if address.ipv4_mapped or address in _NAT64:
            return is_public(low)
        # Routers may unwrap ISATAP's. Teredo's are in a range that is not global.
        is_wrapped = int(address) >> 32 & 0xFFFFFFFF in _ISATAP
        if address not in _GLOBAL_UNICAST or (is_wrapped and not is_public(low)):
            return False
    return address.is_global and not address.is_multicast and not any(address in special for special in _SPECIAL)


def _bare(host: str) -> str:
    """A host in small letters, without the dot at the end of a name that is complete."""
    return host.lower().rstrip(".")


def proxy_for(url: httpx.URL) -> str | None:
    """The proxy that the environment names for a link's host, or None."""
    if not url.host or proxy_bypass(url.host):
        return None
    proxies = getproxies()
    proxy = proxies.get(url.scheme) or proxies.get("all")
    return proxy if not proxy or "://" in proxy else f"http://{proxy}"


@cache
def ssl_context() -> ssl.SSLContext:
    """The certificates that hosts are checked against: those of SSL_CERT_FILE, else those that come with httpx."""
    # Cached: reading them blocks for 20 ms (measured), and a film downloads hundreds of clips.
    return httpx.create_ssl_context()


def _resolved(host: str) -> list[str]:
    found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(address[0]) for *_, address in found))
