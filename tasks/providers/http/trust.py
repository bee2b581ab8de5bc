"""Whom we believe to be who they say they are on the network."""

from __future__ import annotations

import ssl
from functools import cache

import httpx


@cache
def trusted() -> ssl.SSLContext:
    """The certificates that connections are held against: SSL_CERT_FILE's, else those that come with httpx.

    Read once: that takes 20 ms (measured), in which nothing else goes on, and a film fetches hundreds of clips.
    """
    return httpx.create_ssl_context()
