"""Prepare Airflow's database for this version: `python -m deploy.airflow_init`. Idempotent.

It creates or migrates tables, the first administrator and the pools. One process for all: each
start of Airflow's command costs seconds.
"""

from __future__ import annotations

import os

from airflow.cli.cli_parser import get_parser
from airflow.models.pool import Pool

from deploy.pools import POOLS

LOGIN = "admin"


def commands(password: str) -> list[list[str]]:
    """Airflow's own commands, in their order; an administrator who exists keeps the password."""
    first = ["--username", LOGIN, "--password", password, "--role", "Admin"]
    named = ["--firstname", "Plimsoll", "--lastname", "Administrator", "--email", "admin@localhost"]
    return [["db", "migrate"], ["users", "create", *first, *named]]


def main() -> None:
    """Run them all."""
    parser = get_parser()
    for command in commands(os.environ["AIRFLOW_ADMIN_PASSWORD"]):
        arguments = parser.parse_args(command)
        arguments.func(arguments)
    make_pools()


def make_pools() -> None:
    """Make the pools that are not there; an operator's own size is left alone."""
    for name, purpose in POOLS.items():
        if Pool.get_pool(name) is None:
            Pool.create_or_update_pool(name, slots=1, description=purpose, include_deferred=False)


if __name__ == "__main__":
    main()
