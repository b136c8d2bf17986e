"""The DAGs: order, schedules and limits of tasks. The work is in `pipeline.steps`."""
