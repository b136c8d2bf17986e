"""PostgreSQL: one statement, in a transaction that only reads, by a role that can do no more.

A read-only transaction does not stop `COPY ... TO PROGRAM`, nor a function that reads files of the
server; so a role that may do these is refused. Only psycopg is used, whatever driver the URL names:
with bound values it has the server parse the text as one statement, so that no `; COMMIT; ...`
gets out of the transaction.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import sqlalchemy
from sqlalchemy import URL, Connection

from pipeline.errors import ConfigError

_CONNECT_S = 10
_LOCK_MS = 30_000
_SETTINGS = sqlalchemy.text(
    "SELECT set_config('statement_timeout', :limit, true), "
    "set_config('idle_in_transaction_session_timeout', :limit, true), "
    "set_config('lock_timeout', :lock, true)"
)
# From PostgreSQL 17 on; a function can catch the end of its statement, and not this.
_HARD_LIMIT = sqlalchemy.text(
    "SELECT set_config(name, :limit, true) FROM pg_catalog.pg_settings "
    "WHERE name = 'transaction_timeout'"
)
# The role that logged in counts as much as the one in force: a query could go back to it.
_DANGERS = sqlalchemy.text(
    """
    WITH RECURSIVE reached AS (
        SELECT oid FROM pg_catalog.pg_roles WHERE rolname IN (session_user, current_user)
        UNION
        SELECT m.roleid FROM pg_catalog.pg_auth_members m JOIN reached r ON r.oid = m.member
    )
    SELECT session_user::text, current_database()::text, r.rolname::text, r.rolsuper,
        r.rolcreaterole, r.rolreplication, ARRAY(
            SELECT DISTINCT p.proname::text FROM pg_catalog.pg_proc p
            WHERE p.pronamespace = 'pg_catalog'::regnamespace AND p.proname = ANY(ARRAY[
                'pg_read_file', 'pg_read_binary_file', 'pg_ls_dir', 'pg_stat_file', 'lo_import',
                'lo_export', 'pg_file_write'])
            AND pg_catalog.has_function_privilege(r.oid, p.oid, 'EXECUTE') ORDER BY 1)
    FROM pg_catalog.pg_roles r JOIN reached USING (oid)
    ORDER BY r.rolsuper DESC, r.rolname = session_user DESC, r.rolname
    """
)
_OF_THE_SERVER = {
    "pg_execute_server_program": "may run programs on the database's server",
    "pg_read_server_files": "may read files of the database's server",
    "pg_write_server_files": "may write files of the database's server",
}


def opened(url: URL) -> tuple[URL, dict[str, Any]]:
    """The URL for psycopg, which waits ten seconds for a server unless the URL says otherwise."""
    waits = {} if "connect_timeout" in url.query else {"connect_timeout": _CONNECT_S}
    return url.set(drivername="postgresql+psycopg"), waits


def confined(connection: Connection, limit: timedelta, variable: str) -> Connection:
    """The connection in a read-only transaction, with time limits.

    Raises:
        ConfigError: the role may do more to the server than a read-only transaction prevents.
    """
    reading = connection.execution_options(postgresql_readonly=True)
    milliseconds = round(limit.total_seconds() * 1000)
    # The first query of the transaction: from now on nothing makes it one that writes.
    reading.execute(_SETTINGS, {"limit": str(milliseconds), "lock": str(_LOCK_MS)})
    reading.execute(_HARD_LIMIT, {"limit": str(2 * milliseconds)})
    for login, database, role, *powers in reading.execute(_DANGERS):
        if why := _why_refused(role, *powers):
            through = "" if role == login else f"is a member of {role}, which "
            raise ConfigError(_refusal(login, database, through + why, variable))
    return reading


def _why_refused(
    role: str,
    is_superuser: bool,  # noqa: FBT001 - a row of the answer
    makes_roles: bool,  # noqa: FBT001 - likewise
    replicates: bool,  # noqa: FBT001 - likewise
    functions: list[str],
) -> str | None:
    if is_superuser:
        return "is a superuser, and may run programs on the database's server"
    if role in _OF_THE_SERVER:
        return _OF_THE_SERVER[role]
    if makes_roles:
        return "may make roles (CREATEROLE), and so rise"
    if replicates:
        return "may replicate (REPLICATION), which reads and holds back the whole server"
    if functions:
        return f"may call {functions[0]}, which reaches files of the database's server"
    return None


def _refusal(login: str, database: str, why: str, variable: str) -> str:
    return (
        f"The role {login} in {variable} {why}; a read-only transaction does not stop that, and a "
        "detector's query must not be able to. Make a role that can only read, and put it into "
        f"the URL: CREATE ROLE plimsoll_source LOGIN PASSWORD '...'; "
        f'GRANT CONNECT ON DATABASE "{database}" TO plimsoll_source; '
        "GRANT USAGE ON SCHEMA public TO plimsoll_source; "
        "GRANT SELECT ON ALL TABLES IN SCHEMA public TO plimsoll_source;"
    )
