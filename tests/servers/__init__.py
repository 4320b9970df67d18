"""Real servers for the tests, the benchmarks and people: a RabbitMQ and a PostgreSQL of our own.

Where each comes from, in this order: a URL in the environment (TEST_AMQP_URL, TEST_DATABASE_URL); the
programs installed here; Docker, where an engine answers; `apt-get install` on Debian or Ubuntu as root or
with `sudo -n`; else ServerError with the one line to type. Started ones listen on 127.0.0.1 alone, on random
ports, with their own data and password, and are gone when the program that started them is, however it ended
(see `janitor`).

`python -m tests.servers` starts both and prints their URLs; with `-- COMMAND` it runs the command with
BROKER_URL and DATABASE_URL set, and ends with it. A RabbitMQ of three nodes is to be had from `cluster`, a
PgBouncer before a PostgreSQL from `pgbouncer`, an FTP server over TLS from `vsftpd`.
"""

from tests.servers.errors import ServerError
from tests.servers.pair import Servers
from tests.servers.postgresql import PostgreSQL
from tests.servers.rabbitmq import RabbitMQ

__all__ = ["PostgreSQL", "RabbitMQ", "ServerError", "Servers"]
