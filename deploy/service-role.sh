#!/bin/sh
# Makes the role that the service connects as, once, when the database is first created.
# Run by PostgreSQL's image. The migration then grants it what the service needs and no more.
set -eu
psql --set ON_ERROR_STOP=1 --set password="$SERVICE_PASSWORD" \
    --username "$POSTGRES_USER" --dbname "$POSTGRES_DB" <<'SQL'
CREATE ROLE assent_service LOGIN PASSWORD :'password'
    NOSUPERUSER NOCREATEDB NOCREATEROLE NOBYPASSRLS;
SQL
