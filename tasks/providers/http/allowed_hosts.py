"""The hosts that a clip may be downloaded from, and the certificates that identify hosts.

A link in a service's response must not make this program send requests into the user's own network.
"""

from __future__ import annotations

import asyncio
import ipaddress
import socket
import ssl
from functools import cache
from urllib.request import getproxies, proxy_bypass

import httpx

from storyreel.specs.errors import StoryreelError

Address = ipaddress.IPv4Address | ipaddress.IPv6Address

_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")
"""RFC 6052: the last 32 bits are an IPv4 address."""


class LinkNotAllowed(StoryreelError):
    """A link is not followed. The message says why."""


class AllowedHosts:
    """Allows public addresses, the host of the service's base URL, and this machine if the service is on it."""

    def __init__(self, base: str) -> None:
        self._service_host = httpx.URL(base).host
        literal = ip_literal(self._service_host)
        self._is_local = self._service_host == "localhost" or (literal is not None and literal.is_loopback)

    async def resolve(self, url: httpx.URL) -> list[str]:
        """The IP addresses of a link's host. Raises LinkNotAllowed, and OSError if the name is unknown."""
        self._check_scheme(url)
        host = url.raw_host.decode("ascii")
        literal = ip_literal(host)
        addresses = [str(literal)] if literal else await _resolved(host)
        if url.host != self._service_host:
            for address in addresses:
                self._check(ipaddress.ip_address(address.partition("%")[0]))
        return addresses

    def check_unresolved(self, url: httpx.URL) -> None:
        """Check a link whose name a proxy resolves, as far as that is possible. Raises LinkNotAllowed."""
        self._check_scheme(url)
        literal = ip_literal(url.host)
        if literal and url.host != self._service_host:
            self._check(literal)

    @staticmethod
    def _check_scheme(url: httpx.URL) -> None:
        if url.scheme not in ("http", "https") or not url.host:
            raise LinkNotAllowed(f"its link is no web address: {url.scheme or 'nothing'}:…")

    def _check(self, address: Address) -> None:
        if not (is_public(address) or (self._is_local and address.is_loopback)):
            raise LinkNotAllowed(f"its link leads into a private network ({address})")


def ip_literal(host: str) -> Address | None:
    """The IP address that a host is written as, in any notation of C libraries (2130706433, 0x7f.1, ::1), or None."""
    try:
        return ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        pass
    try:
        return ipaddress.IPv4Address(socket.inet_aton(host))
    except (OSError, ValueError):
        return None


def is_public(address: Address) -> bool:
    """Whether an address, and any address embedded in it, is globally routable unicast."""
    if isinstance(address, ipaddress.IPv6Address):
        teredo = address.teredo[1] if address.teredo else None
        nat64 = ipaddress.IPv4Address(int(address) & 0xFFFFFFFF) if address in _NAT64 else None
        if inner := address.ipv4_mapped or address.sixtofour or teredo or nat64:
            return is_public(inner)
    return address.is_global and not address.is_multicast


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


async def _resolved(host: str) -> list[str]:
    found = await asyncio.get_running_loop().getaddrinfo(host, None, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(address[0]) for *_, address in found))
