"""`python -m deploy.demo`: start the stack if needed, and run the demo."""

from __future__ import annotations

import os
import sys

from deploy.airflow_api import connect
from deploy.demo import story
from deploy.demo.progress import Progress
from deploy.embedded import lifecycle
from deploy.embedded.__main__ import describe
from deploy.embedded.environment import build_environment
from deploy.embedded.errors import StackError
from deploy.embedded.layout import find_layout
from pipeline.dag_ids import STARTING
from pipeline.errors import PlimsollError

INTERRUPTED = 130


def main() -> int:
    """Run the demo; returns the exit status."""
    progress = Progress()
    layout = find_layout(os.environ)
    try:
        progress.headline("0. Start PostgreSQL, MLflow and Airflow")
        stack = lifecycle.up(layout, os.environ, lambda text: progress.say(f"  {text}"))
        print(describe(stack))
        # The tables are read with the settings that the tasks have.
        os.environ.update(build_environment(stack, os.environ))
        with connect(stack) as airflow:
            demo = story.Demo(stack, airflow, progress)
            for dag_id in story.DAGS:
                airflow.wait_for_dag(dag_id)
                airflow.unpause(dag_id)
            progress.say(
                f"  unpaused: {', '.join(STARTING)}, which have a schedule and are paused at "
                "first; the others are active from the start"
            )
            story.load_history(demo)
            candidate, run = story.train(demo)
            story.go_live(demo)
            story.recalibrate(demo)
            story.plant_faults(demo)
            story.conclude(demo, candidate, run)
    except (StackError, PlimsollError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return INTERRUPTED
    return 0


if __name__ == "__main__":
    sys.exit(main())
