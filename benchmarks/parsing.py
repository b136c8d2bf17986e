"""How long Airflow's DAG processor needs for each file of `dags/` with 100 detectors.

`make bench-parsing`. Each file is parsed as the processor does it: in a fork of a process that has
Airflow in memory and nothing of ours, DAGs serialised for the database included. Half of the
detectors are copies of La Haute Borne's, half of the test station's.
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


def in_processor(dags: Path, pattern: str) -> dict[str, dict[str, float]]:
    """By file: DAGs, seconds until loaded, until serialised too, and of the processor for it."""
    import structlog
    from airflow.dag_processing import processor

    log = structlog.get_logger()
    answers: dict[str, dict[str, float]] = {}
    for path in sorted(dags.glob(pattern)):
        if "airflow" not in path.read_text() or path.name == "__init__.py":
            continue  # Airflow's own rule: such a file is not looked into
        processor._pre_import_airflow_modules(str(path), log)  # noqa: SLF001 - as its manager does
        tries = [_forked(path, dags) for _ in range(TRIES)]
        answers[path.name] = {name: median(each[name] for each in tries) for name in tries[0]}
    return answers


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--detectors", type=int, default=DETECTORS)
    parser.add_argument("--files", default="*.py", help="a pattern, to look at one")
    parser.add_argument("--inside", type=Path, help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.inside:
        print("RESULT" + json.dumps(in_processor(asked.inside, asked.files)))
        return
    answers = measure(asked.detectors, asked.files)
    print(f"{'file':<28} {'DAGs':>5} {'loaded':>15} {'serialised too':>16}   (wall, CPU)")
    for name, each in answers.items():
        mark = "" if each["loaded"] < LIMIT_S else "  over the limit"
        loaded = f"{each['loaded']:>7.2f}s {each['loaded_cpu']:>6.2f}s"
        whole = f"{each['serialised']:>8.2f}s {each['serialised_cpu']:>6.2f}s"
        print(f"{name:<28} {each['dags']:>5.0f} {loaded} {whole}{mark}")
    print(f"{asked.detectors} detectors; median of {TRIES} forks a file; asked: {LIMIT_S} s a file")


def measure(n: int, pattern: str) -> dict[str, dict[str, float]]:
    """`in_processor` of this repository's DAGs with `n` detectors, in a process of its own."""
    with tempfile.TemporaryDirectory() as scratch:
        detectors, home = Path(scratch) / "detectors", Path(scratch) / "home"
        detectors.mkdir()
        home.mkdir()
        make_detectors(detectors, n)
        inside = ["-m", "benchmarks.parsing", "--inside", str(REPOSITORY / "dags")]
        inside += ["--files", pattern]
        done = subprocess.run(  # noqa: S603 - our own command
            [sys.executable, *inside],
            env={
                **os.environ,  # noqa: TID251 - handed on
                "AIRFLOW_HOME": str(home),
                "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
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
    answers: dict[str, dict[str, float]] = json.loads(line.removeprefix("RESULT"))
    return answers


def _forked(path: Path, dags: Path) -> dict[str, float]:
    reader, writer = os.pipe()
    if (child := os.fork()) == 0:
        answer = json.dumps(_parsed(path, dags))
        with os.fdopen(writer, "w") as pipe:
            pipe.write(answer)
        os._exit(0)
    os.close(writer)
    with os.fdopen(reader) as pipe:
        told = pipe.read()
    os.waitpid(child, 0)
    return dict(json.loads(told))


def _parsed(path: Path, dags: Path) -> dict[str, float]:
    import structlog
    from airflow.dag_processing import processor
    from airflow.dag_processing.dagbag import BundleDagBag

    began, began_cpu = time.perf_counter(), time.process_time()
    bag = BundleDagBag(
        dag_folder=str(path), bundle_path=dags, bundle_name="dags", load_op_links=False
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
