"""Time zones by the names of the IANA list, with which every source is read."""

from __future__ import annotations

import difflib
import re
import zoneinfo
from functools import lru_cache
from typing import Annotated

from pydantic import AfterValidator, Field

from pipeline.config.shown import shown

_NO_PLACE = frozenset({"localtime", "Factory"})
"""Names whose meaning depends on the machine."""

_ABBREVIATIONS = {
    **dict.fromkeys(("cest", "mez", "mesz", "met dst"), "Europe/Berlin"),
    **dict.fromkeys(("eest", "oez"), "Europe/Helsinki"),
    **dict.fromkeys(("bst", "west"), "Europe/London"),
    **dict.fromkeys(("edt", "et"), "America/New_York"),
    **dict.fromkeys(("cst", "cdt", "ct"), "America/Chicago"),
    **dict.fromkeys(("mdt", "mt"), "America/Denver"),
    **dict.fromkeys(("pst", "pdt", "pt"), "America/Los_Angeles"),
    **dict.fromkeys(("aest", "aedt"), "Australia/Sydney"),
    "ist": "Asia/Kolkata",
    "jst": "Asia/Tokyo",
    "msk": "Europe/Moscow",
}
"""Common abbreviations of time zones -> IANA names; the list has hardly any of them."""

_LONGEST = 60
_OFFSET = re.compile(r"(?:UTC|GMT)?\s*([+-])(\d{1,2})(?::?00)?", re.IGNORECASE)


def _known(value: str) -> str:
    # UTC, the default, needs no look at the 600 files of the list.
    if value == "UTC" or value in _names():
        return value
    msg = (
        f"got {shown(value)}, which is no name of the IANA list of time zones; "
        f"did you mean {_nearest(value)}?"
    )
    raise ValueError(msg)


@lru_cache(maxsize=1)
def _names() -> frozenset[str]:
    return frozenset(zoneinfo.available_timezones() - _NO_PLACE)


def _nearest(value: str) -> str:
    """The name that was probably meant."""
    if found := _OFFSET.fullmatch(value.strip()):
        # The list counts hours west of Greenwich: +01:00 is Etc/GMT-1.
        sign, hours = ("-" if found[1] == "+" else "+"), int(found[2])
        name = f"Etc/GMT{sign}{hours}" if hours else "UTC"
        if name in _names():
            return f"{name} (the list counts hours west), or a place such as Europe/Paris"
    plain = {_plain(name): name for name in sorted(_names(), reverse=True)}
    places = {_plain(name.rpartition("/")[2]): name for name in sorted(_names(), reverse=True)}
    wanted = _plain(value[:_LONGEST])
    if wanted in plain or wanted in places:
        return plain.get(wanted) or places[wanted]
    if place := _ABBREVIATIONS.get(value.strip().lower()):
        return f"{place} (or another place: letters such as {shown(value)} have no rules)"
    if close := difflib.get_close_matches(wanted, plain, n=1, cutoff=0.7):
        return f"{plain[close[0]]}, or another place such as Europe/Paris"
    return "UTC, or a place such as Europe/Paris"


def _plain(name: str) -> str:
    return re.sub(r"[\s_-]+", "_", name.strip()).lower()


Timezone = Annotated[
    str,
    AfterValidator(_known),
    Field(description="Zone of timestamps that carry no offset, by its IANA name."),
]
