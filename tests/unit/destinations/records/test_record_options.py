"""What every kind that takes records asks of its options."""

from __future__ import annotations

import pytest
from marshmallow import ValidationError

from worker.destinations.records.record_options import ClientId, RecordSchema, WebAddress, codes, parallel


@pytest.mark.parametrize(
    "address", ["https://sis.example.org", "http://10.0.0.7:8080/api", "https://[2001:db8::1]/"]
)
def test_an_address_may_have_a_port_and_a_path(address: str) -> None:
    assert WebAddress().check(address) == address


@pytest.mark.parametrize(
    "address",
    [
        "sis.example.org",
        "ftp://sis.example.org",
        "https://user:word@sis.example.org",
        "https://sis.example.org/?key=1",
        "https://sis.example.org/#a",
        "https://sis.example.org:99999",
        "https://",
        "https://sis.example.org/\n",
    ],
)
def test_an_address_that_could_hide_a_secret_or_lead_nowhere_is_refused(address: str) -> None:
    with pytest.raises(ValidationError):
        WebAddress().check(address)


def test_requests_go_four_at_a_time_unless_the_definition_says_otherwise() -> None:
    assert parallel({}) == 4
    assert parallel({"parallel": 1}) == 1
    with pytest.raises(ValidationError):
        RecordSchema().load({"type": "x", "parallel": 0})


def test_a_clients_id_is_text_or_the_name_of_a_secret() -> None:
    assert ClientId().check("an-id") == "an-id"
    assert ClientId().check({"secret": "an-id"}) == {"secret": "an-id"}
    for wrong in ("", {"secret": "AN ID"}, 7):
        with pytest.raises(ValidationError):
            ClientId().check(wrong)


def test_a_code_may_be_named_by_text_or_number() -> None:
    assert codes("").check({"T": "27", "L": 28}) == {"T": "27", "L": 28}
    with pytest.raises(ValidationError):
        codes("").check({"T": None})
