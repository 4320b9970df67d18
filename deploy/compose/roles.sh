#!/bin/sh
# Run once by the image of PostgreSQL, while it makes its cluster: the roles, with the passwords that `prepare` made.
set -eu
cd /run/writeback
MIGRATE_PASSWORD=$(cat migrate) WORKER_PASSWORD=$(cat worker) READ_PASSWORD=$(cat read) \
    psql --no-psqlrc --username=postgres --dbname=postgres --file=/deploy/roles.sql
