"""Options of an `ftps` destination: each wrong one is refused with its field and the nearest right thing."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from marshmallow import ValidationError

from worker.destinations.files.ftp.ftps import KIND, FtpsSchema
from worker.destinations.places import Places

OPTIONS: dict[str, Any] = {
    "type": "ftps",
    "host": "sis.example.org",
    "username": "lincoln",
    "password": {"secret": "lincoln-ftps"},
    "path": "inbox",
}
PIN = "AB" * 32


@pytest.mark.parametrize(
    "more",
    [
        {},
        {"port": 2121, "rename": False},
        {"certificate_sha256": PIN},
        {"certificate_sha256": ":".join(["ab"] * 32)},
    ],
)
def test_right_options_are_taken_as_they_are(more: dict[str, Any]) -> None:
    assert FtpsSchema().load(OPTIONS | more) == OPTIONS | more


@pytest.mark.parametrize(
    ("option", "value", "told"),
    [
        ("host", "ftps://sis.example.org", "leave out"),
        ("host", "sis.example.org:21", "put the port in `port`"),
        ("port", 0, "from 1 to 65535"),
        ("port", "21", "a whole number"),
        ("username", "", "1 to 256 characters"),
        ("password", "hunter2", 'give its name as {"secret": "name"}'),
        ("path", "..", "name the folder itself"),
        ("path", "C:\\inbox", "/ between folders"),
        ("rename", "no", "true or false"),
        ("certificate_sha256", "AB" * 20, "openssl x509 -noout -fingerprint -sha256"),
        ("certificate_sha256", PIN + ":", "64 hexadecimal digits"),
    ],
)
def test_a_wrong_option_is_refused_with_its_field_and_what_is_right(
    option: str, value: Any, told: str
) -> None:
    with pytest.raises(ValidationError) as caught:
        FtpsSchema().load(OPTIONS | {option: value})
    assert list(caught.value.messages_dict) == [option]
    assert told in str(caught.value) and "hunter2" not in str(caught.value)


@pytest.mark.parametrize("option", ["host", "username", "password", "path"])
def test_what_has_no_default_is_required(option: str) -> None:
    with pytest.raises(ValidationError, match="required"):
        FtpsSchema().load({name: value for name, value in OPTIONS.items() if name != option})


def test_two_objects_lead_to_one_place_where_login_and_folder_are_the_same() -> None:
    def place(**changes: Any) -> str:
        return KIND.place(OPTIONS | changes, Places(Path("/nowhere")))

    same = {
        place(),
        place(host="SIS.example.org"),
        place(port=21),
        place(path="./inbox/"),
        place(rename=False),
    }
    assert len(same) == 1
    assert not same & {
        place(port=2121),
        place(username="roosevelt"),
        place(path="/inbox"),
        place(host="b.org"),
    }
