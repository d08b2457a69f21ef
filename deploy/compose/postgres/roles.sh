#!/bin/bash
# Runs once, when the database is made and before anything is migrated: a role for each binary and one that only reads, so that the migrations give
# each its rights.
set -euo pipefail
for name in ingest compute backfill deliver read; do
    psql -qX -v ON_ERROR_STOP=1 -U "$POSTGRES_USER" -d "$POSTGRES_DB" -v role="kpiline_$name" -v password="$(cat "/run/secrets/$name-password")" <<'SQL'
CREATE ROLE :"role" LOGIN PASSWORD :'password';
SQL
done
