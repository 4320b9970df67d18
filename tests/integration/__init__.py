"""Tests against a real RabbitMQ and a real PostgreSQL, which `tests.servers` finds or starts."""
