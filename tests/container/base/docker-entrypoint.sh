#!/bin/sh
# As much of the official image's entrypoint as the tests use: a database of POSTGRES_DB, POSTGRES_USER and POSTGRES_PASSWORD, and
# what is to be in it.
set -e
[ "$1" = postgres ] || exec "$@"
as_postgres() { setpriv --reuid=postgres --regid=postgres --init-groups "$@"; }
if [ ! -s "$PGDATA/PG_VERSION" ]; then
    mkdir -p "$PGDATA"
    chown postgres:postgres "$PGDATA"
    chmod 700 "$PGDATA"
    (umask 077; printf %s "$POSTGRES_PASSWORD" >/tmp/password)
    chown postgres /tmp/password
    as_postgres initdb --no-sync --encoding=UTF8 --locale=C.UTF-8 --username="$POSTGRES_USER" --auth-local=trust \
        --auth-host=scram-sha-256 --pwfile=/tmp/password >/dev/null
    rm /tmp/password
    echo 'host all all all scram-sha-256' >>"$PGDATA/pg_hba.conf"
    printf "listen_addresses = '*'\nfsync = off\n" >>"$PGDATA/postgresql.conf"
    echo "CREATE DATABASE \"$POSTGRES_DB\"" | as_postgres postgres --single -D "$PGDATA" postgres >/dev/null
    if [ -d /docker-entrypoint-initdb.d ]; then
        as_postgres pg_ctl -D "$PGDATA" -o "-c listen_addresses=''" -w start >/dev/null
        for file in /docker-entrypoint-initdb.d/*.sql; do
            as_postgres psql -qX -v ON_ERROR_STOP=1 -U "$POSTGRES_USER" -d "$POSTGRES_DB" -f "$file"
        done
        as_postgres pg_ctl -D "$PGDATA" -m fast -w stop >/dev/null
    fi
fi
exec setpriv --reuid=postgres --regid=postgres --init-groups "$@"
