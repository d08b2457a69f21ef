-- The roles of kpiline, made once by an administrator where the role that migrates may not create roles (`compute migrate --create-roles` does the
-- same where it may). Run in the database, as a superuser or as its owner with CREATEROLE, any number of times:
--
--   psql -d kpiline -v prefix=kpiline -f deploy/postgres/roles.sql
--
-- It makes the owner, whom only `migrate` logs in as, and a role for each binary, all without passwords, so that nobody can log in by one until
-- you set it (\password kpiline_compute) or pg_hba.conf takes client certificates. What the roles may do is in the table role_rights and given by
-- `migrate`. Where `migrate` ran before as somebody else, the tables are theirs: REASSIGN OWNED BY that role TO kpiline_owner.

\set ON_ERROR_STOP on
\if :{?prefix}
\else
    \set prefix kpiline
\endif

SELECT format('CREATE ROLE %I LOGIN', :'prefix' || '_' || name)
FROM unnest(ARRAY['owner', 'ingest', 'compute', 'backfill', 'deliver', 'read', 'erase', 'retention']) AS name
WHERE NOT EXISTS (SELECT FROM pg_roles WHERE rolname = :'prefix' || '_' || name) \gexec

-- Nobody else connects or makes temporary tables here. Roles of your own that read dashboards are to be members of kpiline_read.
SELECT format('REVOKE CONNECT, TEMPORARY ON DATABASE %I FROM PUBLIC', current_database()) \gexec
SELECT format('GRANT CONNECT ON DATABASE %I TO %I', current_database(), :'prefix' || '_' || name)
FROM unnest(ARRAY['owner', 'ingest', 'compute', 'backfill', 'deliver', 'read', 'erase', 'retention']) AS name \gexec

-- Tables are made by the owner alone. (From PostgreSQL 15 on nobody else may anyway.)
REVOKE CREATE ON SCHEMA public FROM PUBLIC;
SELECT format('GRANT USAGE, CREATE ON SCHEMA public TO %I', :'prefix' || '_owner') \gexec
