"""The URL in PLIMSOLL_DATABASE: read in every usual form, and never shown."""

import pytest

from pipeline import settings
from pipeline.database import connected, parameters
from pipeline.errors import ConfigError, OutageError
from pipeline.locking import promotion_lock
from pipeline.metrics import postgres
from tests.s3_server import free_ports

SECRET = "s3cr3t"  # noqa: S105 - made for this test


@pytest.mark.parametrize("scheme", ["postgresql", "postgres", "postgresql+psycopg2"])
def test_sqlalchemys_form_and_libpqs_mean_the_same(scheme):
    assert parameters(f"{scheme}://ann:{SECRET}@db.example:5433/plimsoll?sslmode=require") == {
        "host": "db.example",
        "port": "5433",
        "user": "ann",
        "password": SECRET,
        "dbname": "plimsoll",
        "sslmode": "require",
    }


def test_a_password_may_hold_an_at_sign_encoded_or_not():
    for written in (f"p%40{SECRET}", f"p@{SECRET}"):
        found = parameters(f"postgresql://ann:{written}@db/plimsoll")

        assert (found["password"], found["host"]) == (f"p@{SECRET}", "db")


def test_a_socket_has_a_folder():
    assert parameters("postgresql://ann@%2FTmp%2Fsocket/plimsoll")["host"] == "/Tmp/socket"
    assert parameters("postgresql:///plimsoll?host=/run/pg")["host"] == "/run/pg"
    assert parameters("postgresql://[::1]:5432/plimsoll")["host"] == "::1"


MALFORMED = [
    f"mysql://ann:{SECRET}@db/plimsoll",
    f"ann:{SECRET}@db/plimsoll",
    f"host=db user=ann password={SECRET}",
    f"postgresql://ann:{SECRET}@db:port/plimsoll",
    f"postgresql://ann:{SECRET}@db:99999999/plimsoll",
    f"postgresql://ann:a/{SECRET}@db/plimsoll",
    f"postgresql://ann:12/{SECRET}@db/plimsoll",
    f"postgresql://ann:a#{SECRET}@db/plimsoll",
    f"postgresql://ann:a?{SECRET}@db/plimsoll",
    f"postgresql://ann:{SECRET}@[db/plimsoll",
    f"://{SECRET}",
]


def here(tmp_path, monkeypatch, url):
    monkeypatch.setenv("PLIMSOLL_DATABASE", url)
    monkeypatch.setenv("PLIMSOLL_CACHE", str(tmp_path))
    return settings.load()


@pytest.mark.parametrize("url", MALFORMED)
def test_a_malformed_url_is_refused_by_the_name_of_its_variable_and_quoted_nowhere(
    tmp_path, monkeypatch, url
):
    found = here(tmp_path, monkeypatch, url)
    for use in (
        lambda: promotion_lock(found, "pumps").__enter__(),
        lambda: postgres.refuse_silence(found.database),
    ):
        with pytest.raises(ConfigError) as refused:
            use()
        message = str(refused.value)
        assert "PLIMSOLL_DATABASE" in message
        assert "postgresql://user:password@host:5432/database" in message
        assert SECRET not in message
        assert "ann" not in message
        assert refused.value.__cause__ is None
    assert SECRET not in repr(found)


def test_a_server_that_does_not_answer_is_an_outage_without_the_password(tmp_path, monkeypatch):
    url = f"postgresql+psycopg2://ann:p@{SECRET}@127.0.0.1:{free_ports(1)[0]}/plimsoll"
    found = here(tmp_path, monkeypatch, url)
    for use in (
        lambda: promotion_lock(found, "pumps").__enter__(),
        lambda: postgres.refuse_silence(found.database),
        lambda: connected(url, application_name="x"),
    ):
        with pytest.raises(
            OutageError, match=r"PLIMSOLL_DATABASE does not answer.*127\.0\.0\.1"
        ) as e:
            use()
        assert SECRET not in str(e.value)


@pytest.mark.parametrize("option", ["sslmode=none", "no_such_option=1"])
def test_an_option_that_postgres_does_not_know_is_no_traceback(tmp_path, monkeypatch, option):
    url = f"postgresql://ann:{SECRET}@127.0.0.1:1/plimsoll?{option}"

    with pytest.raises(OutageError) as refused:
        promotion_lock(here(tmp_path, monkeypatch, url), "pumps").__enter__()

    assert SECRET not in str(refused.value)


@pytest.mark.integration
def test_the_lock_accepts_sqlalchemys_form(database, tmp_path, monkeypatch):
    url = database.replace("postgresql://", "postgresql+psycopg2://", 1)

    with promotion_lock(here(tmp_path, monkeypatch, url), "pumps"):
        again = promotion_lock(here(tmp_path, monkeypatch, database), "pumps", wait_s=0)
        with pytest.raises(OutageError, match="pumps"):
            again.__enter__()
