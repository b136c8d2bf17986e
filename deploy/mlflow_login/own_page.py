"""Checks whether a request comes from a page of this server, and where a login may redirect.

A browser sends the session with requests of any page to this host, and regards every port of the
host as the same site. So other pages may link here, and do nothing else.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from urllib.parse import urlsplit

_READING = frozenset({"GET", "HEAD", "OPTIONS"})
_LOCAL = re.compile(r"/(?![/\\])[!-\[\]-~]*")  # printable ASCII without space and backslash


@dataclass(frozen=True)
class RequestOrigin:
    """The headers by which a browser names the origin of a request; an empty string: absent.

    Attributes:
        method: of the request.
        host: the Host header.
        origin: the Origin header.
        site: Sec-Fetch-Site, which no page can forge.
        mode: Sec-Fetch-Mode.
        destination: Sec-Fetch-Dest.
    """

    method: str
    host: str = ""
    origin: str = ""
    site: str = ""
    mode: str = ""
    destination: str = ""

    def is_own_page(self) -> bool:
        """Whether the request comes from a page of this server or from the user, by its headers."""
        if self.site:
            return self.site in ("same-origin", "none")
        return bool(self.origin) and urlsplit(self.origin).netloc == self.host

    def may_use_session(self) -> bool:
        """Whether the request may be answered because the browser has a session."""
        if self.is_own_page():
            return True
        if self.method not in _READING:
            return False
        if self.site:
            return self.mode == "navigate" and self.destination == "document"
        return not self.origin  # an old browser, or a program that was given the cookie


def local_target(target: str) -> str:
    """`target` if it is a path of this server, else its first page."""
    return target if _LOCAL.fullmatch(target) else "/"
