-- A state of version 4, as it was written then, with rows in each table. Its key is that of the tests, a repeated call is known until the year 2100,
-- and of its tokens one is `hpt_an-admins-token`, the other `hpt_a-viewers-token`. It stays as it is.

CREATE TABLE housepipe_store (
    version BIGINT NOT NULL,
    last_event BIGINT NOT NULL,
    key_check TEXT,
    last_audit BIGINT NOT NULL DEFAULT 0
);

CREATE TABLE pipes (
    id TEXT NOT NULL PRIMARY KEY,
    name TEXT NOT NULL UNIQUE,
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

CREATE TABLE replicas (
    id TEXT NOT NULL PRIMARY KEY,
    seen_ms BIGINT NOT NULL,
    ended_to BIGINT NOT NULL
);

CREATE TABLE secrets (
    pipe TEXT NOT NULL REFERENCES pipes (id) ON DELETE CASCADE,
    path TEXT NOT NULL,
    sealed TEXT NOT NULL,
    PRIMARY KEY (pipe, path)
);

CREATE TABLE events (
    number BIGINT NOT NULL PRIMARY KEY,
    at_ms BIGINT NOT NULL,
    pipe TEXT NOT NULL,
    pipe_name TEXT NOT NULL,
    actor TEXT NOT NULL,
    kind TEXT NOT NULL,
    reason TEXT
);
CREATE INDEX events_of_pipe ON events (pipe, number);

CREATE TABLE tokens (
    name TEXT NOT NULL PRIMARY KEY,
    role TEXT NOT NULL CHECK (role IN ('viewer', 'operator', 'admin')),
    digest TEXT NOT NULL UNIQUE,
    created_ms BIGINT NOT NULL
);

CREATE TABLE idempotency (
    actor TEXT NOT NULL,
    key_text TEXT NOT NULL,
    request TEXT NOT NULL,
    pipe TEXT NOT NULL,
    at_ms BIGINT NOT NULL,
    PRIMARY KEY (actor, key_text)
);

CREATE TABLE audit (
    number BIGINT NOT NULL PRIMARY KEY,
    at_ms BIGINT NOT NULL,
    actor TEXT NOT NULL,
    role TEXT NOT NULL,
    peer TEXT,
    method TEXT NOT NULL,
    path TEXT NOT NULL,
    status BIGINT NOT NULL,
    detail TEXT
);

INSERT INTO housepipe_store (version, last_event, key_check, last_audit) VALUES (4, 7, 'v1.AQEBAQEBAQEBAQEBOQcd/mNTWDcXVSi1R47fUHoVvbhZ9Fw', 2);

INSERT INTO pipes (id, name, consumer, document, wanted, clean_up, definition, attempt, revision, created_ms, changed_ms) VALUES
    ('p111111111111111111111111', 'clicks', 'b.example.com:9093 housepipe-clicks',
     '{"name":"clicks","source":{"type":"kafka","brokers":"b.example.com:9093","topic":"t","tls":{},"auth":{"mechanism":"PLAIN","username":"u","password":"${secret:source.auth.password}"}},"destination":{"url":"http://localhost:8123","table":"t","password":"${secret:destination.password}"}}',
     'running', '', 2, 1, 4, 1700000000000, 1700000300000),
    ('p222222222222222222222222', 'views', 'b.example.com:9093 housepipe-views',
     '{"name":"views","source":{"type":"kafka","brokers":"b.example.com:9093","topic":"t","tls":{},"auth":{"mechanism":"PLAIN","username":"u","password":"${secret:source.auth.password}"}},"destination":{"url":"http://localhost:8123","table":"t","password":"${secret:destination.password}"}}',
     'paused', '', 1, 0, 2, 1700000100000, 1700000400000),
    ('p333333333333333333333333', 'orders', 'b.example.com:9093 housepipe-orders',
     '{"name":"orders","source":{"type":"kafka","brokers":"b.example.com:9093","topic":"t","tls":{},"auth":{"mechanism":"PLAIN","username":"u","password":"${secret:source.auth.password}"}},"destination":{"url":"http://localhost:8123","table":"t","password":"${secret:destination.password}"}}',
     'removed', '{"consumer_group":true,"user":false}', 1, 0, 2, 1700000200000, 1700000500000);

INSERT INTO secrets (pipe, path, sealed) VALUES
    ('p111111111111111111111111', 'destination.password', 'v1.AgICAgICAgICAgIC1i3gbNH3kGeyfH1UGnjGC1+P/A32Evd61uYky2VzpD4ltwf5oFAIKw+TKCs+mw'),
    ('p111111111111111111111111', 'source.auth.password', 'v1.AwMDAwMDAwMDAwMDZ1rxiXYxxMbOx6aGzxr1ivFmSW4amX+d6FhOS6my5b/Z9TtQCqpAACQ'),
    ('p222222222222222222222222', 'destination.password', 'v1.BAQEBAQEBAQEBAQEdLMZsbld5D2tbLMQaDpFJw');

INSERT INTO replicas (id, seen_ms, ended_to) VALUES ('replica-1', 1700000500000, 6);

INSERT INTO events (number, at_ms, pipe, pipe_name, actor, kind, reason) VALUES
    (1, 1700000000000, 'p111111111111111111111111', 'clicks', 'ann', 'created', NULL),
    (2, 1700000100000, 'p222222222222222222222222', 'views', 'ann', 'created', NULL),
    (3, 1700000200000, 'p333333333333333333333333', 'orders', 'bob', 'created', NULL),
    (4, 1700000250000, 'p111111111111111111111111', 'clicks', 'bob', 'edited', NULL),
    (5, 1700000300000, 'p111111111111111111111111', 'clicks', 'housepipe', 'stage', 'failed: the topic is gone'),
    (6, 1700000400000, 'p222222222222222222222222', 'views', 'ann', 'paused', NULL),
    (7, 1700000500000, 'p333333333333333333333333', 'orders', 'ann', 'removed', 'with its consumer group');

INSERT INTO tokens (name, role, digest, created_ms) VALUES
    ('admin', 'admin', 'UcslbDyHSpDkVK16rDLOLQnmq94a0ZS8ujKTmnR3Auo', 1700000000000),
    ('dashboard', 'viewer', 'WKwV7CaWfC8fyYCoYCVnNKq4xD8WRe6LD9dNSuJfeGg', 1700000010000);

INSERT INTO idempotency (actor, key_text, request, pipe, at_ms) VALUES
    ('ann', 'k', 'kLzC9ksDZcTS7TiVBH3M3ePxokSh/Az4nOLAAmVu9Cs', 'p111111111111111111111111', 4102444800000);

INSERT INTO audit (number, at_ms, actor, role, peer, method, path, status, detail) VALUES
    (1, 1700000400000, 'ann', 'operator', '127.0.0.1', 'POST', '/api/v1/pipes/p222222222222222222222222/pause', 200, NULL),
    (2, 1700000500000, 'ann', 'operator', NULL, 'DELETE', '/api/v1/pipes/p333333333333333333333333', 202, 'with its consumer group');
