-- The database and its three roles; typed by an administrator of the server, as often as you like:
--
--     MIGRATE_PASSWORD=… WORKER_PASSWORD=… READ_PASSWORD=… psql --dbname=postgres --file=deploy/postgresql/roles.sql
--
-- writeback_migrate  owns the tables; `writeback db upgrade`, and `writeback student erase`, which vacuums them
-- writeback_worker   `writeback run` and every other command: reads and writes rows, and changes no table
-- writeback_read     reads rows, student data included: `writeback status`, `trace`, `report`, `audit`
--
-- A password that is not given stays as it is; a role without one cannot log in by password. `--set database=NAME` for
-- another name than `writeback`. psql 14 or newer; the server is PostgreSQL 13 or newer.
\set ON_ERROR_STOP on
\set QUIET on
\if :{?database} \else
    \set database writeback
\endif
\getenv migrate_password MIGRATE_PASSWORD
\getenv worker_password WORKER_PASSWORD
\getenv read_password READ_PASSWORD

SELECT format('CREATE ROLE %I LOGIN', name)
FROM unnest(ARRAY['writeback_migrate', 'writeback_worker', 'writeback_read']) AS name
WHERE NOT EXISTS (SELECT FROM pg_roles WHERE rolname = name)
\gexec
ALTER ROLE writeback_migrate NOSUPERUSER NOCREATEDB NOCREATEROLE NOREPLICATION NOBYPASSRLS;
ALTER ROLE writeback_worker NOSUPERUSER NOCREATEDB NOCREATEROLE NOREPLICATION NOBYPASSRLS;
ALTER ROLE writeback_read NOSUPERUSER NOCREATEDB NOCREATEROLE NOREPLICATION NOBYPASSRLS;

-- As SCRAM, whatever the server's default, and not in the server's log.
SET password_encryption = 'scram-sha-256';
SET log_statement = 'none';
SET log_min_duration_statement = -1;
\if :{?migrate_password}
    ALTER ROLE writeback_migrate PASSWORD :'migrate_password';
\endif
\if :{?worker_password}
    ALTER ROLE writeback_worker PASSWORD :'worker_password';
\endif
\if :{?read_password}
    ALTER ROLE writeback_read PASSWORD :'read_password';
\endif

SELECT format('CREATE DATABASE %I ENCODING ''UTF8'' TEMPLATE template0', :'database')
WHERE NOT EXISTS (SELECT FROM pg_database WHERE datname = :'database')
\gexec
REVOKE ALL ON DATABASE :"database" FROM PUBLIC;
GRANT CONNECT ON DATABASE :"database" TO writeback_migrate, writeback_worker, writeback_read;

\connect :"database"
REVOKE ALL ON SCHEMA public FROM PUBLIC;
GRANT USAGE, CREATE ON SCHEMA public TO writeback_migrate;
GRANT USAGE ON SCHEMA public TO writeback_worker, writeback_read;

-- Tables that are there already, and those that migrations will make.
GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO writeback_worker;
GRANT USAGE ON ALL SEQUENCES IN SCHEMA public TO writeback_worker;
GRANT SELECT ON ALL TABLES IN SCHEMA public TO writeback_read;
ALTER DEFAULT PRIVILEGES FOR ROLE writeback_migrate IN SCHEMA public
    GRANT SELECT, INSERT, UPDATE, DELETE ON TABLES TO writeback_worker;
ALTER DEFAULT PRIVILEGES FOR ROLE writeback_migrate IN SCHEMA public
    GRANT USAGE ON SEQUENCES TO writeback_worker;
ALTER DEFAULT PRIVILEGES FOR ROLE writeback_migrate IN SCHEMA public
    GRANT SELECT ON TABLES TO writeback_read;
