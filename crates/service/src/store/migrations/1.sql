-- One row: the version of these tables, and the number of the last event. Whoever writes an event locks the row until its transaction ends, so
-- that events become visible in the order of their numbers.
CREATE TABLE housepipe_store (
    version BIGINT NOT NULL,
    last_event BIGINT NOT NULL,
    -- A text sealed with the key of the store, by which another key is noticed.
    key_check TEXT
);
INSERT INTO housepipe_store (version, last_event) VALUES (1, 0);

-- What is wanted: each pipe as it was defined last.
CREATE TABLE pipes (
    id TEXT NOT NULL PRIMARY KEY,
    name TEXT NOT NULL UNIQUE,
    -- Brokers and consumer group: offsets of one group are one pipe's.
    consumer TEXT NOT NULL UNIQUE,
    -- The pipe file as JSON, with references in place of secrets.
    document TEXT NOT NULL,
    -- 'running', 'paused', or 'removed': then it is cleaned up after, and its row goes last.
    wanted TEXT NOT NULL CHECK (wanted IN ('running', 'paused', 'removed')),
    -- What is cleaned up, as JSON; empty unless it is removed.
    clean_up TEXT NOT NULL,
    -- Counts the definitions, and the wishes to try again.
    definition BIGINT NOT NULL,
    attempt BIGINT NOT NULL,
    -- Counts every change.
    revision BIGINT NOT NULL,
    created_ms BIGINT NOT NULL,
    changed_ms BIGINT NOT NULL
);

-- Processes that run the pipes, and up to which event each has ended those that were removed by then. What a removed pipe leaves behind is cleaned
-- up once all of them have.
CREATE TABLE replicas (
    id TEXT NOT NULL PRIMARY KEY,
    seen_ms BIGINT NOT NULL,
    ended_to BIGINT NOT NULL
);

-- Secrets, sealed. The path is that of the key in the pipe file.
CREATE TABLE secrets (
    pipe TEXT NOT NULL REFERENCES pipes (id) ON DELETE CASCADE,
    path TEXT NOT NULL,
    sealed TEXT NOT NULL,
    PRIMARY KEY (pipe, path)
);

-- What happened. Rows outlive their pipe.
CREATE TABLE events (
    number BIGINT NOT NULL PRIMARY KEY,
    at_ms BIGINT NOT NULL,
    pipe TEXT NOT NULL,
    pipe_name TEXT NOT NULL,
    -- Who did it: the name of a token, or 'housepipe'.
    actor TEXT NOT NULL,
    -- A word of a closed list.
    kind TEXT NOT NULL,
    reason TEXT
);
CREATE INDEX events_of_pipe ON events (pipe, number);

-- Who may call. Of a token only its digest is kept.
CREATE TABLE tokens (
    name TEXT NOT NULL PRIMARY KEY,
    role TEXT NOT NULL CHECK (role IN ('viewer', 'operator', 'admin')),
    digest TEXT NOT NULL UNIQUE,
    created_ms BIGINT NOT NULL
);

-- Which pipe a call made that is repeated with the same key, so that it makes no second one.
CREATE TABLE idempotency (
    actor TEXT NOT NULL,
    key_text TEXT NOT NULL,
    -- A keyed digest of the request.
    request TEXT NOT NULL,
    pipe TEXT NOT NULL,
    at_ms BIGINT NOT NULL,
    PRIMARY KEY (actor, key_text)
);
