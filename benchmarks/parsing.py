"""How long Airflow's DAG processor needs for each file of the bundle of 100 detectors.

`make bench-parsing`. Each file is parsed as the processor does it: in a fork of a process that has
looked for the bundle's files and imported the parts of Airflow that the file names, DAGs serialised
for the database included. Half of the detectors are copies of La Haute Borne's, half of the test
station's.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median
from typing import Any

from deploy.embedded.environment import DETECTOR_BUNDLE

REPOSITORY = Path(__file__).resolve().parent.parent
DETECTORS, TRIES, LIMIT_S = 100, 3, 0.5


def make_detectors(folder: Path, n: int) -> None:
    """`n` detector files under names of their own."""
    from tests.integration.plant import write_detector

    real = (REPOSITORY / "detectors" / "la_haute_borne.yaml").read_text()
    for number in range(n):
        name = f"machine_{number:03}"
        if number % 2:
            write_detector(folder, name)
        else:
            copy = real.replace("name: la_haute_borne", f"name: {name}")
            (folder / f"{name}.yaml").write_text(copy)


def in_processor() -> dict[str, object]:
    """Seconds to find the files; by file its DAGs, seconds until loaded, until serialised too."""
    import structlog
    from airflow.dag_processing import manager, processor  # noqa: F401 - what forks has it too
    from airflow.dag_processing.bundles.manager import DagBundlesManager

    log = structlog.get_logger()
    [bundle] = DagBundlesManager().get_all_dag_bundles()  # type: ignore[no-untyped-call]  # Airflow's
    bundle.initialize()
    began = time.perf_counter()
    bundle.refresh()
    refreshed = time.perf_counter() - began
    answers: dict[str, dict[str, float]] = {}
    for path in sorted(bundle.path.glob("*.py")):
        processor._pre_import_airflow_modules(str(path), log)  # noqa: SLF001 - as its manager does
        tries = [_forked(path, bundle.path) for _ in range(TRIES)]
        answers[path.name] = {name: median(each[name] for each in tries) for name in tries[0]}
    return {"refreshed": refreshed, "files": answers}


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--detectors", type=int, default=DETECTORS)
    parser.add_argument("--inside", action="store_true", help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.inside:
        print("RESULT" + json.dumps(in_processor()))
        return
    answers = measure(asked.detectors)
    files = list(answers["files"].values())
    dags = sum(each["dags"] for each in files)
    print(f"{len(files)} files, {dags:.0f} DAGs; median of {TRIES} forks a file")
    print(f"{'a file, seconds':<24} {'median':>8} {'most':>8} {'all, CPU':>10}")
    for what, label in (("loaded", "loaded"), ("serialised", "serialised too")):
        walls = [each[what] for each in files]
        used = sum(each[f"{what}_cpu"] for each in files)
        mark = "" if max(walls) < LIMIT_S else f"  over {LIMIT_S} s"
        print(f"{label:<24} {median(walls):>8.3f} {max(walls):>8.3f} {used:>10.1f}{mark}")
    print(f"looking for changed detector files: {answers['refreshed']:.3f} s")


def measure(n: int) -> dict[str, Any]:
    """`in_processor` with `n` detectors, in a process of its own."""
    with tempfile.TemporaryDirectory() as scratch:
        detectors, home = Path(scratch) / "detectors", Path(scratch) / "home"
        detectors.mkdir()
        home.mkdir()
        make_detectors(detectors, n)
        done = subprocess.run(
            [sys.executable, "-m", "benchmarks.parsing", "--inside"],
            env={
                **os.environ,  # noqa: TID251 - handed on
                "AIRFLOW_HOME": str(home),
                "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
                "AIRFLOW__DAG_PROCESSOR__DAG_BUNDLE_CONFIG_LIST": json.dumps([DETECTOR_BUNDLE]),
                "AIRFLOW__DAG_PROCESSOR__DAG_BUNDLE_STORAGE_PATH": str(home / "bundles"),
                "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{home}/airflow.db",
                "PLIMSOLL_DETECTORS": str(detectors),
                "PYTHONPATH": str(REPOSITORY),
            },
            cwd=REPOSITORY,
            capture_output=True,
            text=True,
            check=True,
        )
    line = next(line for line in done.stdout.splitlines() if line.startswith("RESULT"))
    answers: dict[str, Any] = json.loads(line.removeprefix("RESULT"))
    return answers


def _forked(path: Path, bundle: Path) -> dict[str, float]:
    reader, writer = os.pipe()
    if (child := os.fork()) == 0:
        answer = json.dumps(_parsed(path, bundle))
        with os.fdopen(writer, "w") as pipe:
            pipe.write(answer)
        os._exit(0)
    os.close(writer)
    with os.fdopen(reader) as pipe:
        content = pipe.read()
    os.waitpid(child, 0)
    return dict(json.loads(content))


def _parsed(path: Path, bundle: Path) -> dict[str, float]:
    import structlog
    from airflow.dag_processing import processor
    from airflow.dag_processing.dagbag import BundleDagBag

    began, began_cpu = time.perf_counter(), time.process_time()
    bag = BundleDagBag(
        dag_folder=str(path), bundle_path=bundle, bundle_name="detectors", load_op_links=False
    )
    loaded, loaded_cpu = time.perf_counter() - began, time.process_time() - began_cpu
    made, errors = processor._serialize_dags(bag, structlog.get_logger())  # noqa: SLF001 - as `_parse_file` does
    if errors or bag.import_errors:
        raise SystemExit(f"{path}: {errors or bag.import_errors}")
    took = time.perf_counter() - began
    return {
        "dags": len(made),
        "loaded": loaded,
        "serialised": took,
        "loaded_cpu": loaded_cpu,
        "serialised_cpu": time.process_time() - began_cpu,
    }


if __name__ == "__main__":
    main()
