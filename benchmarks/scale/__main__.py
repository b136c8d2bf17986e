"""Score 20 million rows x 36 features: one process on local files, two workers on S3.

    python -m benchmarks.scale
    python -m benchmarks.scale --rows 2000000 --workers 2

About 150 bytes a row are written twice, into a folder of their own, and deleted again. One plain
process reads the days from local files; then so many processes share the same groups of days, as
the DAGs plan them, from an S3 server on this machine. Both call the function of the task `score`.
Their tables must be equal. Beside them: the bare engine (files, graph and nothing else) and the
read speed of the files. Times begin when a process has imported its libraries.

`--make FOLDER` only makes telemetry and detector there, for a run through Airflow.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import date
from pathlib import Path

from benchmarks.scale import made
from benchmarks.scale.child import ProcessCost
from benchmarks.scale.made import NAME, ScalePlace
from benchmarks.scale.store import copy_table
from pipeline import settings, tables
from pipeline.data.groups import groups_of
from pipeline.steps import fan_out
from pipeline.steps.score_tables import content_hashes
from pipeline.tables import Table
from pipeline.tables.schemas import TableName
from tests.s3_server import BUCKET, running_s3

WANTED_RATIO = 1.5
OUT = settings.HOME / "benchmarks" / "scale.json"
_COMPARED: tuple[TableName, ...] = ("scores", "incidents")
_LEAST_GROUPS = 2
_ROW = "{:<34} {:>10} {:>8} {:>8} {:>10} {:>14} {:>10}"


@dataclass(frozen=True)
class Measured:
    """One row of the table: its name, and the cost of each of its processes."""

    what: str
    took: tuple[ProcessCost, ...]

    @property
    def rows(self) -> int:
        """Rows of all processes."""
        return sum(each.rows for each in self.took)

    @property
    def wall_s(self) -> float:
        """Seconds from the first start to the last end."""
        return max(each.ended for each in self.took) - min(each.began for each in self.took)

    @property
    def rows_a_second(self) -> float:
        """Rows a second of all processes together."""
        return self.rows / self.wall_s

    @property
    def processor_s(self) -> float:
        """Processor seconds of all processes, without those of the server."""
        return sum(each.processor_s for each in self.took)


def main(arguments: list[str]) -> None:
    """Make, measure, compare, print one table, write it as JSON."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.scale", description=__doc__)
    parser.add_argument("--rows", type=int, default=20_000_000)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--make", type=Path, metavar="FOLDER", help="only make the tables there")
    parsed = parser.parse_args(arguments)
    days = made.days_of(parsed.rows)
    if parsed.make:
        make(ScalePlace(str(parsed.make / "lake"), parsed.make.absolute()), days)
        return
    repository = Path.cwd()
    with tempfile.TemporaryDirectory(prefix="plimsoll-scale-") as folder:
        home = Path(folder)
        local = ScalePlace(str(home / "lake"), home)
        make(local, days)
        groups = groups_for(days, parsed.workers)
        measured = _measured(local, groups, parsed.workers, repository)
    _print_table(measured, parsed.workers)
    OUT.parent.mkdir(parents=True, exist_ok=True)
    written = {
        "rows": len(days) * made.ROWS_A_DAY,
        "days_a_group": [len(group) for group in groups],
        "load_average": os.getloadavg()[0],
        "measured": [asdict(each) for each in measured],
    }
    OUT.write_text(json.dumps(written, indent=1), encoding="utf-8")


def make(place: ScalePlace, days: Sequence[date]) -> None:
    """A live detector and its telemetry."""
    place.folder.mkdir(parents=True, exist_ok=True)
    made.go_live(place)
    made.write_telemetry(place.storage, days)
    size = sum(path.stat().st_size for path in Path(place.storage).rglob("*.parquet"))
    rows = len(days) * made.ROWS_A_DAY
    print(f"{len(days)} days, {rows:,} rows, {size / 1e9:.2f} GB", flush=True)


def groups_for(days: Sequence[date], workers: int) -> list[list[str]]:
    """Groups as the DAGs plan them; at least two for each worker."""
    planned = fan_out.plan(
        settings.load(), NAME, days[0].isoformat(), days[-1].isoformat(), "score again"
    )
    if len(planned) >= _LEAST_GROUPS * workers:
        return planned
    return [
        [day.isoformat() for day in group]
        for group in groups_of(days, -(-len(days) // (_LEAST_GROUPS * workers)))
    ]


def _measured(
    local: ScalePlace, groups: list[list[str]], workers: int, repository: Path
) -> list[Measured]:
    def run(
        what: str, mode: str, place: ScalePlace, processes: int, reach: Mapping[str, str]
    ) -> Measured:
        found = run_processes(what, mode, place, groups, processes, repository, reach)
        print(f"  {what}: {found.wall_s:.0f} s", flush=True)
        return found

    found = [
        run("read local files", "read", local, 1, {}),
        run("bare engine, local files", "engine", local, 1, {}),
        run("score, one process, local files", "score", local, 1, {}),
    ]
    with running_s3(local.folder / "s3") as reach:
        remote = ScalePlace(f"s3://{BUCKET}/scale", local.folder)
        os.environ.update(reach)  # noqa: TID251 - what the stores read their keys from
        copy_table(
            Path(Table(local.storage, NAME, "telemetry").uri),
            Table(remote.storage, NAME, "telemetry").uri,
        )
        found += [
            run("read S3", "read", remote, 1, reach),
            run(f"score, {workers} workers, S3", "score", remote, workers, reach),
        ]
        _refuse_different(local, remote, groups)
    return found


def run_processes(
    what: str,
    mode: str,
    place: ScalePlace,
    groups: list[list[str]],
    processes: int,
    repository: Path,
    reach: Mapping[str, str] | None = None,
) -> Measured:
    """So many processes that do `mode` with the tables of `place`, which they reach by `reach`."""
    environment = {
        **os.environ,  # noqa: TID251 - a process like this one
        **(reach or {}),
        **place.environment(),
        "PYTHONPATH": str(repository),
    }
    return Measured(what, _run(mode, groups, place.folder, processes, environment))


def _run(
    mode: str, groups: list[list[str]], folder: Path, processes: int, environment: dict[str, str]
) -> tuple[ProcessCost, ...]:
    """Run `processes` processes that share `groups`; returns the cost of each."""
    with tempfile.TemporaryDirectory(dir=folder) as claims:
        plan = folder / "groups.json"
        plan.write_text(json.dumps(groups))
        command = [sys.executable, "-m", "benchmarks.scale.child", mode, str(plan), claims]
        children = [
            subprocess.Popen(command, env=environment, cwd=folder, stdout=subprocess.PIPE)  # noqa: S603 - our own command
            for _ in range(processes)
        ]
        said = [child.communicate()[0] for child in children]
    for child in children:
        if child.returncode:
            raise subprocess.CalledProcessError(child.returncode, command)
    return tuple(ProcessCost(**json.loads(each.splitlines()[-1])) for each in said)


def _refuse_different(local: ScalePlace, remote: ScalePlace, groups: list[list[str]]) -> None:
    """Refuse results that differ."""
    for name in _COMPARED:
        for group in groups:
            one, other = (_contents(place, name, group) for place in (local, remote))
            if one != other:
                msg = f"{name} differ on {min(set(one.items()) ^ set(other.items()))}"
                raise RuntimeError(msg)
    print(f"  {', '.join(_COMPARED)}: equal by content hash", flush=True)


def _contents(place: ScalePlace, name: TableName, days: Sequence[str]) -> dict[date, str]:
    first, last = date.fromisoformat(days[0]), date.fromisoformat(days[-1])
    rows = tables.read(
        Table(place.storage, NAME, name), first_day=first, last_day=last, keep_date=True
    )
    return content_hashes(rows)


def _print_table(measured: Sequence[Measured], workers: int) -> None:
    read, _, plain, _, spread = measured
    print(
        "\n" + _ROW.format("", "rows/s", "s", "CPU s", "of reading", "peak MiB each", "libraries")
    )
    for each in measured:
        print(
            _ROW.format(
                each.what,
                f"{each.rows_a_second:,.0f}",
                f"{each.wall_s:.1f}",
                f"{each.processor_s:.1f}",
                f"{each.rows_a_second / read.rows_a_second:.1%}",
                " ".join(f"{took.peak_mib:,.0f}" for took in each.took),
                f"{max(took.libraries_mib for took in each.took):,.0f}",
            )
        )
    ratio = spread.rows_a_second / plain.rows_a_second
    verdict = "" if ratio >= WANTED_RATIO else f", below {WANTED_RATIO}"
    print(
        f"{workers} workers on S3 against one process on local files: {ratio:.2f} times{verdict}; "
        f"{os.cpu_count()} cores, load average {os.getloadavg()[0]:.1f}"
    )


if __name__ == "__main__":
    main(sys.argv[1:])
