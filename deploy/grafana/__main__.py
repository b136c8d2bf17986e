"""Write the dashboards that Grafana provisions: `python -m deploy.grafana`."""

from __future__ import annotations

from pathlib import Path

from deploy.grafana.detector import DETECTOR
from deploy.grafana.fleet import FLEET
from deploy.grafana.platform import PLATFORM
from deploy.grafana.rendering import as_json

FOLDER = Path(__file__).parent / "dashboards"
DASHBOARDS = (FLEET, DETECTOR, PLATFORM)


def main() -> None:
    """Write one file for each dashboard."""
    for dashboard in DASHBOARDS:
        path = FOLDER / f"{dashboard.uid}.json"
        path.write_text(as_json(dashboard), encoding="utf-8")
        print(path)


if __name__ == "__main__":
    main()
