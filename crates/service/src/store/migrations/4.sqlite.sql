-- The same as in PostgreSQL, where an index has no room for the brokers of a long list: `consumer` is no longer UNIQUE. SQLite drops no constraint,
-- so both tables are made anew. What refers to a table goes before it, since its rows would go along.
CREATE TABLE pipes_anew (
    id TEXT NOT NULL PRIMARY KEY,
    name TEXT NOT NULL UNIQUE,
    -- Brokers and consumer group: offsets of one group are one pipe's. Whoever gives a pipe its group looks for it among the others.
    consumer TEXT NOT NULL,
    document TEXT NOT NULL,
    wanted TEXT NOT NULL CHECK (wanted IN ('running', 'paused', 'removed')),
    clean_up TEXT NOT NULL,
    definition BIGINT NOT NULL,
    attempt BIGINT NOT NULL,
    revision BIGINT NOT NULL,
    created_ms BIGINT NOT NULL,
    changed_ms BIGINT NOT NULL
);
INSERT INTO pipes_anew (id, name, consumer, document, wanted, clean_up, definition, attempt, revision, created_ms, changed_ms)
SELECT id, name, consumer, document, wanted, clean_up, definition, attempt, revision, created_ms, changed_ms FROM pipes;
CREATE TABLE secrets_anew (
    pipe TEXT NOT NULL REFERENCES pipes_anew (id) ON DELETE CASCADE,
    path TEXT NOT NULL,
    sealed TEXT NOT NULL,
    PRIMARY KEY (pipe, path)
);
INSERT INTO secrets_anew (pipe, path, sealed) SELECT pipe, path, sealed FROM secrets;
DROP TABLE secrets;
DROP TABLE pipes;
ALTER TABLE pipes_anew RENAME TO pipes;
ALTER TABLE secrets_anew RENAME TO secrets;
