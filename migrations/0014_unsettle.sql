-- kpiline: no transaction
-- Interactions that are open, or changed in the last two days, are not settled. Locks a thousand rows at a time, in the order in which
-- compute locks them, and reads the table once along its primary key: about a minute for ten million rows, during which all else goes on.
DO $$
DECLARE
    after_tenant text COLLATE "C" := '';
    after_id     text COLLATE "C" := '';
BEGIN
    LOOP
        WITH page AS (
            SELECT tenant, interaction_id FROM interactions
            WHERE (tenant, interaction_id) > (after_tenant, after_id) AND settled_at IS NOT NULL
              AND (status = 'open' OR updated_at > now() - interval '2 days')
            ORDER BY tenant, interaction_id LIMIT 1000 FOR UPDATE
        ), unsettled AS (
            UPDATE interactions i SET settled_at = NULL FROM page p
            WHERE i.tenant = p.tenant AND i.interaction_id = p.interaction_id
        )
        SELECT tenant, interaction_id INTO after_tenant, after_id FROM page ORDER BY tenant DESC, interaction_id DESC LIMIT 1;
        EXIT WHEN NOT FOUND;
        COMMIT;
    END LOOP;
END
$$;
