-- Raw bytes and session states are compressed faster with LZ4, where the server was built with it.
DO $$
BEGIN
    ALTER TABLE event_log ALTER COLUMN raw SET COMPRESSION lz4;
    ALTER TABLE interactions ALTER COLUMN state SET COMPRESSION lz4;
EXCEPTION
    WHEN feature_not_supported THEN NULL;
END
$$;
