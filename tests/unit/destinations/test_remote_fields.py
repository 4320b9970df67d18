"""Where another machine is: each wrong value is refused with the nearest right thing."""

from __future__ import annotations

import pytest
from marshmallow import ValidationError

from worker.destinations.files.remote_fields import Host, RemoteFolder, folder_name


@pytest.mark.parametrize(
    "host", ["sftp.example.org", "SFTP", "192.0.2.7", "2001:db8::7", "::1", "a_b.local", "example.org."]
)
def test_a_hosts_name_or_address_is_accepted(host: str) -> None:
    assert Host().check(host) == host


@pytest.mark.parametrize(
    ("host", "told"),
    [
        ("sftp://sftp.example.org", "leave out what stands before"),
        ("school@sftp.example.org", "`username`"),
        ("sftp.example.org/inbox", "`path`"),
        ("sftp.example.org:2222", "`port`"),
        ("[2001:db8::7]:22", "`port`"),
        ("sftp example", "must be a host's name or address"),
        ("-oProxyCommand=x", "must be a host's name or address"),
        ("", "1 to 253"),
        ("a\nb", "line break"),
        (7, "must be text"),
    ],
)
def test_anything_else_is_refused_and_told_where_it_belongs(host: object, told: str) -> None:
    with pytest.raises(ValidationError, match=told):
        Host().check(host)


@pytest.mark.parametrize("path", [".", "/", "/in", "in/tardies", "/C:/in box", "a..b"])
def test_a_folder_is_absolute_or_relative_to_where_a_login_begins(path: str) -> None:
    assert RemoteFolder().check(path) == path


@pytest.mark.parametrize(
    ("path", "told"),
    [
        ("a/../b", "'..'"),
        ("..", "'..'"),
        ("C:\\in", "/C:/inbox"),
        ("~/in", "~"),
        ("", "1 to"),
        ("a\rb", "line break"),
    ],
)
def test_a_folder_that_leads_elsewhere_is_refused(path: str, told: str) -> None:
    with pytest.raises(ValidationError, match=told):
        RemoteFolder().check(path)


def test_one_folder_has_one_name() -> None:
    for paths in (
        ["/in", "/in/", "//in", "/./in/."],
        ["in", "./in/", "in//."],
        [".", "./"],
        ["/", "//", "/."],
    ):
        assert len({folder_name(path) for path in paths}) == 1, paths
    assert folder_name("/in") != folder_name("in")
