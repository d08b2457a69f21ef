-- An erasure also takes what a release that could not read a definition left to be computed of a customer's journey (missed_marks names the
-- customer's key).
INSERT INTO role_rights (object, role, rights) VALUES ('missed_marks', 'erase', 'SELECT, DELETE')
ON CONFLICT (object, role) DO UPDATE SET rights = excluded.rights;
