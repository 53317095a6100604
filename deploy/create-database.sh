#!/bin/sh
# The image of PostgreSQL runs this once, when its data directory is empty. Hexhook's role owns its database, and is no superuser.
set -eu
psql -v ON_ERROR_STOP=1 -v password="$(cat /run/secrets/database-password)" -U postgres -d postgres <<'SQL'
CREATE ROLE hexhook LOGIN PASSWORD :'password';
CREATE DATABASE hexhook OWNER hexhook;
SQL
