#!/usr/bin/env bash
# The roles and databases of the stack. Each role owns one database and reaches no other;
# plimsoll_reader reads what plimsoll writes and writes nothing; plimsoll_ledger alone writes the heads
# of ledgers, so that a worker cannot.
#
# The postgres image runs this when it makes its cluster. Run it again, as often as you like, to
# give the roles the passwords that .env holds now:
#   docker compose exec postgres bash /docker-entrypoint-initdb.d/init.sh
set -euo pipefail

for name in AIRFLOW CELERY MLFLOW PLIMSOLL PLIMSOLL_LEDGER PLIMSOLL_READER; do
  password="${name}_DB_PASSWORD"
  if [[ -z "${!password:-}" ]]; then
    echo "init.sh: ${password} is empty: run \`make secrets\`, then start postgres again." >&2
    exit 1
  fi
done

# \getenv keeps the passwords off the command line, where every process could read them.
psql --no-psqlrc --quiet --set ON_ERROR_STOP=1 \
  --username "${POSTGRES_USER:-postgres}" --dbname postgres <<'SQL'
\getenv airflow AIRFLOW_DB_PASSWORD
\getenv celery CELERY_DB_PASSWORD
\getenv mlflow MLFLOW_DB_PASSWORD
\getenv plimsoll PLIMSOLL_DB_PASSWORD
\getenv plimsoll_ledger PLIMSOLL_LEDGER_DB_PASSWORD
\getenv plimsoll_reader PLIMSOLL_READER_DB_PASSWORD

-- A statement with a password in it must not reach the server's log, not even by failing.
SET log_statement = 'none';
SET log_min_error_statement = 'panic';

SELECT format('CREATE ROLE %I', name)
FROM unnest(ARRAY['airflow', 'celery', 'mlflow', 'plimsoll', 'plimsoll_ledger', 'plimsoll_reader']) AS name
WHERE NOT EXISTS (SELECT FROM pg_roles WHERE rolname = name) \gexec
ALTER ROLE airflow LOGIN PASSWORD :'airflow';
ALTER ROLE celery LOGIN PASSWORD :'celery';
ALTER ROLE mlflow LOGIN PASSWORD :'mlflow';
ALTER ROLE plimsoll LOGIN PASSWORD :'plimsoll';
ALTER ROLE plimsoll_ledger LOGIN PASSWORD :'plimsoll_ledger';
ALTER ROLE plimsoll_reader LOGIN PASSWORD :'plimsoll_reader';
ALTER ROLE plimsoll_reader SET default_transaction_read_only = on;
ALTER ROLE plimsoll_reader SET statement_timeout = '30s';

SELECT format('CREATE DATABASE %I OWNER %I', name, name)
FROM unnest(ARRAY['airflow', 'celery', 'mlflow', 'plimsoll']) AS name
WHERE NOT EXISTS (SELECT FROM pg_database WHERE datname = name) \gexec
SELECT format('REVOKE ALL ON DATABASE %I FROM PUBLIC', datname) FROM pg_database \gexec
GRANT CONNECT ON DATABASE plimsoll TO plimsoll_ledger, plimsoll_reader;

\connect plimsoll
-- The heads of ledgers are kept there.
CREATE SCHEMA IF NOT EXISTS ledger AUTHORIZATION plimsoll_ledger;
GRANT USAGE ON SCHEMA ledger TO plimsoll, plimsoll_reader;
GRANT SELECT ON ALL TABLES IN SCHEMA ledger TO plimsoll, plimsoll_reader;
ALTER DEFAULT PRIVILEGES FOR ROLE plimsoll_ledger GRANT SELECT ON TABLES TO plimsoll, plimsoll_reader;
GRANT USAGE ON SCHEMA public TO plimsoll_reader;
GRANT SELECT ON ALL TABLES IN SCHEMA public TO plimsoll_reader;
ALTER DEFAULT PRIVILEGES FOR ROLE plimsoll GRANT SELECT ON TABLES TO plimsoll_reader;
SQL
