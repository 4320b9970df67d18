"""Configuration: defaults, and one line for each wrong value."""

from __future__ import annotations

from pathlib import Path

import pytest

from worker.errors import ConfigurationError
from worker.settings import ListenAddress, read_settings


def test_without_anything_everything_is_embedded() -> None:
    settings = read_settings({})
    assert settings.broker_url is None and settings.database_is_embedded
    assert settings.database_url == "sqlite:///var/writeback.sqlite3"
    assert settings.ops_address == ListenAddress("127.0.0.1", 9464) and settings.ops_address_is_default
    assert (settings.batch_size, settings.linger, settings.log_format) == (500, 0.02, "json")
    assert settings.retain_days == 400


def test_destination_roots_are_absolute_folders_that_need_not_be_there_now(tmp_path: Path) -> None:
    """A mount that is missing keeps the other exports from nothing."""
    assert read_settings({}).destination_roots == ()
    value = f" {tmp_path}:/mnt/not-mounted/ : "
    roots = read_settings({"WRITEBACK_DESTINATION_ROOTS": value}).destination_roots
    assert roots == (tmp_path, Path("/mnt/not-mounted"))


def test_an_empty_ops_address_is_off() -> None:
    assert read_settings({"WRITEBACK_OPS_ADDRESS": ""}).ops_address is None


@pytest.mark.parametrize("scheme", ["postgresql", "postgresql+psycopg"])
def test_postgresql_means_psycopg_and_keeps_its_password(scheme: str) -> None:
    url = read_settings({"DATABASE_URL": f"{scheme}://u:p%40ss@host/db"}).database_url
    assert url == "postgresql+psycopg://u:p%40ss@host/db"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("BROKER_URL", "redis://localhost"),
        ("BROKER_URL", "localhost:5672"),
        ("BROKER_URL", "amqp://a;memory://"),
        ("DATABASE_URL", "mysql://host/db"),
        ("DATABASE_URL", "not a url"),
        ("DATABASE_URL", "sqlite://"),
        ("DATABASE_URL", "sqlite:///:memory:"),
        ("WRITEBACK_OPS_ADDRESS", "9464"),
        ("WRITEBACK_OPS_ADDRESS", "127.0.0.1:http"),
        ("WRITEBACK_OPS_ADDRESS", "127.0.0.1:99999"),
        ("WRITEBACK_CONSOLE_ADDRESS", ":80"),
        ("WRITEBACK_BATCH_SIZE", "0"),
        ("WRITEBACK_BATCH_SIZE", "many"),
        ("WRITEBACK_BATCH_SIZE", "1e3"),
        ("WRITEBACK_LINGER_MS", "-1"),
        ("WRITEBACK_RETAIN_DAYS", "0"),
        ("WRITEBACK_RETAIN_DAYS", "36501"),
        ("WRITEBACK_LOG_FORMAT", "xml"),
        ("WRITEBACK_LOG_LEVEL", "loud"),
        ("WRITEBACK_SECRETS_DIR", "/no/such/folder"),
        ("WRITEBACK_HOME", __file__),
        ("WRITEBACK_ALLOWED_HOSTS", "10.0.0.1/8"),
        ("WRITEBACK_CA_FILE", "/nowhere.pem"),
        ("WRITEBACK_CA_FILE", __file__),
        ("WRITEBACK_DESTINATION_ROOTS", "srv/sis"),
        ("WRITEBACK_DESTINATION_ROOTS", "/srv/sis:/"),
        ("WRITEBACK_DESTINATION_ROOTS", "//"),
        ("WRITEBACK_DESTINATION_ROOTS", "/srv/../etc"),
        ("WRITEBACK_DESTINATION_ROOTS", f"/srv:{__file__}"),
    ],
)
def test_a_wrong_value_is_one_line_that_names_the_variable(name: str, value: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        read_settings({name: value})
    assert str(caught.value).startswith(f"{name}: ") and "\n" not in str(caught.value)


def test_a_wrong_url_is_not_repeated_with_its_password() -> None:
    for name, value in (("BROKER_URL", "redis://u:hunter2@h"), ("DATABASE_URL", "mysql://u:hunter2@h/d")):
        with pytest.raises(ConfigurationError) as caught:
            read_settings({name: value})
        assert "hunter2" not in str(caught.value)
