-- Which changes were asked for, by whom, and what came of it. Rows outlive pipes and tokens.
CREATE TABLE audit (
    number BIGINT NOT NULL PRIMARY KEY,
    at_ms BIGINT NOT NULL,
    -- The name of the token.
    actor TEXT NOT NULL,
    -- Its role at that time.
    role TEXT NOT NULL,
    -- The address that the call came from, as this process saw it.
    peer TEXT,
    method TEXT NOT NULL,
    path TEXT NOT NULL,
    status BIGINT NOT NULL
);
-- The number of the last row.
ALTER TABLE housepipe_store ADD COLUMN last_audit BIGINT NOT NULL DEFAULT 0;
