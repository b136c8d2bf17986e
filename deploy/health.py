"""Whether a service is healthy: `python -m deploy.health URL [COMPONENT]`; exit status 0 or 1.

Without a component any successful answer is enough. With one, URL is Airflow's health page, which
answers 200 even when a component has died: the component must be called healthy there. Starting
Airflow's own command for this costs seconds of a processor, every time.
"""

from __future__ import annotations

import json
import sys
from urllib.error import URLError
from urllib.request import urlopen

LIMIT_S = 4.0


def fault(url: str, component: str | None = None) -> str | None:
    """None when the service is healthy, else the fault."""
    try:
        with urlopen(url, timeout=LIMIT_S) as answer:  # noqa: S310 - the compose file names the URL
            content = answer.read()
    except (URLError, OSError) as error:
        return f"{url}: {error}"
    if component is None:
        return None
    status = json.loads(content).get(component, {}).get("status")
    return None if status == "healthy" else f"{component} is {status or 'not started'}"


def main(arguments: list[str]) -> int:
    """Print the fault to stderr; returns the exit status."""
    reason = fault(*arguments)
    if reason:
        sys.stderr.write(reason + "\n")
    return 1 if reason else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
