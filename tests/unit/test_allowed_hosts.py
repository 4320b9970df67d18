"""Which servers may be reached: what is named, what is public, and what only looks so."""

from __future__ import annotations

from ipaddress import ip_address

import pytest

from worker.allowed_hosts import VARIABLE, host_name, is_public, read_allowed_hosts
from worker.errors import ConfigurationError


@pytest.mark.parametrize(
    "address",
    ["8.8.8.8", "2606:4700::1111", "64:ff9b::8.8.8.8", "::ffff:8.8.8.8"],
)
def test_a_public_address_is_public_whatever_it_is_wrapped_in(address: str) -> None:
    assert is_public(ip_address(address))


@pytest.mark.parametrize(
    "address",
    [
        *("127.0.0.1", "10.0.0.1", "172.16.0.1", "192.168.1.1", "100.64.0.1", "169.254.169.254"),
        *("0.0.0.0", "255.255.255.255", "224.0.0.1", "198.18.0.1", "192.0.0.8", "192.88.99.1", "240.0.0.1"),
        *("::1", "::", "fe80::1", "fc00::1", "fec0::1", "ff02::1", "2001:db8::1", "3fff::1", "::127.0.0.1"),
        *("::ffff:127.0.0.1", "::ffff:169.254.169.254", "64:ff9b::127.0.0.1", "64:ff9b::10.0.0.1"),
        *("64:ff9b:1::8.8.8.8", "2002:7f00:1::", "2002:808:808::", "2001::1", "5f00::1", "100::1"),
    ],
)
def test_an_address_that_leads_inside_or_nowhere_is_not_public(address: str) -> None:
    assert not is_public(ip_address(address))


@pytest.mark.parametrize(
    ("allowed", "scheme", "host", "port", "address", "problem"),
    [
        ("", "https", "sis.example.org", 443, "8.8.8.8", None),
        ("", "https", "sis.example.org", 443, "10.0.0.1", f"only where {VARIABLE} names it"),
        ("", "http", "sis.example.org", 80, "8.8.8.8", "use https://"),
        ("", "http", "sis.example.org", 80, "10.0.0.1", f"only where {VARIABLE} names it"),
        ("sis.example.org", "https", "sis.example.org", 443, "8.8.8.8", None),
        ("sis.example.org", "https", "sis.example.org", 443, "10.0.0.1", None),
        ("sis.example.org", "http", "sis.example.org", 80, "10.0.0.1", None),
        ("sis.example.org", "http", "sis.example.org", 80, "8.8.8.8", "use https://"),
        ("sis.example.org", "https", "other.example.org", 443, "8.8.8.8", "names neither"),
        ("sis.example.org", "https", "sis.example.org", 443, "169.254.169.254", "names neither"),
        ("sis.example.org", "https", "sis.example.org", 443, "::ffff:169.254.169.254", "names neither"),
        ("sis.example.org", "https", "sis.example.org", 443, "0.0.0.0", "names neither"),
        ("169.254.0.0/16", "http", "sis.example.org", 80, "169.254.169.254", None),
        ("sis.example.org:8443", "https", "sis.example.org", 8443, "8.8.8.8", None),
        ("sis.example.org:8443", "https", "sis.example.org", 443, "8.8.8.8", "names neither"),
        ("10.0.0.0/8", "http", "anything.local", 8080, "10.9.9.9", None),
        ("10.0.0.0/8", "http", "anything.local", 8080, "::ffff:10.9.9.9", None),
        ("10.0.0.0/8", "https", "sis.example.org", 443, "8.8.8.8", "names neither"),
        ("10.1.2.3:8080", "http", "10.1.2.3", 8080, "10.1.2.3", None),
        ("10.1.2.3:8080", "http", "10.1.2.3", 80, "10.1.2.3", "names neither"),
        ("[fd00::1]:8080", "http", "[fd00::1]", 8080, "fd00::1", None),
        ("fd00::/8", "http", "[fd00::1]", 80, "fd00::1", None),
        ("BÜCHER.example., x", "https", "xn--bcher-kva.example", 443, "8.8.8.8", None),
    ],
)
def test_a_connection_is_made_only_where_it_may_be(
    allowed: str, scheme: str, host: str, port: int, address: str, problem: str | None
) -> None:
    said = read_allowed_hosts(allowed).problem(scheme, host, port, [address])
    assert said is None if problem is None else said is not None and problem in said


def test_one_address_that_may_not_be_reached_is_enough() -> None:
    addresses = ["8.8.8.8", "10.0.0.1"]
    assert read_allowed_hosts("").problem("https", "sis.example.org", 443, addresses) is not None


@pytest.mark.parametrize(
    ("value", "told"),
    [
        ("https://sis.example.org", "name its host alone"),
        ("*.example.org", "name each host"),
        ("10.0.0.1/8", "bits beyond"),
        ("10.0.0.0/99", "is no network"),
        ("sis.example.org:0", "1 to 65535"),
        ("sis.example.org:99999", "1 to 65535"),
        ("a_b!", "is no host name"),
        ("fd00::zz", "is no address"),
        ("sis..example.org", "is no host name"),
    ],
)
def test_a_wrong_entry_is_refused_with_what_is_accepted(value: str, told: str) -> None:
    with pytest.raises(ConfigurationError) as refused:
        read_allowed_hosts(f"good.example.org, {value}")
    assert str(refused.value).startswith(f"{VARIABLE}: ") and told in str(refused.value)
    assert "hosts, host:port or networks are" in str(refused.value) and "\n" not in str(refused.value)


def test_names_are_compared_as_resolvers_do() -> None:
    assert host_name("SIS.Example.org.") == "sis.example.org"
    assert host_name("bücher.example") == "xn--bcher-kva.example"
