"""Which places a clip may be fetched from. A service's answer must not make us knock at doors in our own network."""

from __future__ import annotations

import asyncio
import ipaddress
import socket
from urllib.request import getproxies, proxy_bypass

import httpx

Address = ipaddress.IPv4Address | ipaddress.IPv6Address

_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")
"""RFC 6052: the last 32 bits are an IPv4 address."""


class Forbidden(Exception):
    """A link that is not followed; the text says why."""


class Gate:
    """Lets links through to the public network, to the service's own host, and on this machine if the service is."""

    def __init__(self, base: str) -> None:
        self._own = httpx.URL(base).host
        own = literal(self._own)
        self._is_here = self._own == "localhost" or (own is not None and own.is_loopback)

    async def addresses(self, url: httpx.URL) -> list[str]:
        """Where a link leads: the addresses of its host. Raises Forbidden; OSError when the name is not known."""
        if url.scheme not in ("http", "https") or not url.host:
            raise Forbidden(f"its link is no web address: {url.scheme or 'nothing'}:…")
        host = url.raw_host.decode("ascii")
        address = literal(host)
        found = [str(address)] if address else await _resolved(host)
        if url.host != self._own:
            for one in found:
                self._check(ipaddress.ip_address(one.partition("%")[0]))
        return found

    def check_unresolved(self, url: httpx.URL) -> None:
        """As far as a link can be judged where a proxy looks up the names. Raises Forbidden."""
        if url.scheme not in ("http", "https") or not url.host:
            raise Forbidden(f"its link is no web address: {url.scheme or 'nothing'}:…")
        address = literal(url.host)
        if address and url.host != self._own:
            self._check(address)

    def _check(self, address: Address) -> None:
        if not (is_public(address) or (self._is_here and address.is_loopback)):
            raise Forbidden(f"its link leads into a private network ({address})")


def literal(host: str) -> Address | None:
    """The address that a host is written as, in any of the ways that C libraries read: 2130706433, 0x7f.1, ::1."""
    try:
        return ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        pass
    try:
        return ipaddress.IPv4Address(socket.inet_aton(host))
    except (OSError, ValueError):
        return None


def is_public(address: Address) -> bool:
    """Whether an address is anybody's, also where one is wrapped in another."""
    if isinstance(address, ipaddress.IPv6Address):
        teredo = address.teredo[1] if address.teredo else None
        nat64 = ipaddress.IPv4Address(int(address) & 0xFFFFFFFF) if address in _NAT64 else None
        if inner := address.ipv4_mapped or address.sixtofour or teredo or nat64:
            return is_public(inner)
    return address.is_global and not address.is_multicast


def proxy_for(url: httpx.URL) -> str | None:
    """The proxy that the environment wants between us and a host."""
    if not url.host or proxy_bypass(url.host):
        return None
    proxies = getproxies()
    proxy = proxies.get(url.scheme) or proxies.get("all")
    return proxy if not proxy or "://" in proxy else f"http://{proxy}"


async def _resolved(host: str) -> list[str]:
    found = await asyncio.get_running_loop().getaddrinfo(host, None, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(address[0]) for *_, address in found))
