from __future__ import annotations

import pytest

from deploy.mlflow_login.credentials import (
    PASSWORD,
    TOKEN,
    USER,
    NoLoginError,
    login_in,
    read_credentials,
)

GIVEN = {USER: "admin", PASSWORD: "with:colon and ü", TOKEN: "0123456789-0123456789"}


def test_login_and_token_are_accepted_and_nothing_near_them():
    found = read_credentials(GIVEN)

    assert found.accepts_login("admin:with:colon and ü".encode())
    assert found.accepts_token(b"0123456789-0123456789")
    for near in (b"", b"0123456789-012345678", b"0123456789-0123456789\n"):
        assert not found.accepts_token(near)
    for near in (b"", b"admin:", b"with:colon and \xc3\xbc", b"Admin:with:colon and \xc3\xbc"):
        assert not found.accepts_login(near)


@pytest.mark.parametrize("name", GIVEN)
def test_a_change_of_any_of_them_ends_every_session(name: str):
    changed = read_credentials(GIVEN | {name: "something else here"})

    assert changed.key != read_credentials(GIVEN).key


def test_neither_shows_when_it_is_printed():
    shown = repr(read_credentials(GIVEN))

    assert shown == "Credentials()"


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        (USER, "", f"{USER} is not set"),
        (PASSWORD, "", f"{PASSWORD} is not set"),
        (TOKEN, "", f"{TOKEN} is not set"),
        (USER, "a:b", "colon"),
        (PASSWORD, "short", f"{PASSWORD} has 5 characters; at least 12"),
        (TOKEN, "short", f"{TOKEN} has 5 characters; at least 12"),
    ],
)
def test_what_is_no_login_is_refused_by_name_and_not_shown(name: str, value: str, message: str):
    with pytest.raises(NoLoginError, match=message) as error:
        read_credentials(GIVEN | {name: value})

    assert "with:colon" not in str(error.value)


@pytest.mark.parametrize("value", [b"%%%", b"YQ", b"YWRtaW46eA", b"YWRtaW46eA==\n"])
def test_what_is_no_basic_login_holds_none(value: bytes):
    assert login_in(value) == b""
