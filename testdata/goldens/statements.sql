---- a table that exists

-- the creation of `clicks_clickpipes_error`, by default
CREATE TABLE IF NOT EXISTS `clicks_clickpipes_error`
(
    `_time` DateTime64(3) DEFAULT now64(3),
    `pipe` LowCardinality(String),
    `kind` LowCardinality(String),
    `code` LowCardinality(String),
    `message` String,
    `column` String,
    `topic` LowCardinality(String),
    `partition` Int32,
    `offset` Int64,
    `timestamp` Nullable(DateTime64(3)),
    `key` Nullable(String),
    `raw_message` String,
    `raw_length` UInt64,
    `raw_hash` String,
    `headers` Array(Tuple(name String, value String)),
    `schema_id` Nullable(UInt32),
    `batch_token` String
)
ENGINE = MergeTree
ORDER BY (`_time`, `topic`, `partition`, `offset`)
TTL toDateTime(`_time`) + toIntervalDay(7)
SETTINGS non_replicated_deduplication_window = 10000;

---- a new table

-- the creation of `clicks`, by default
CREATE TABLE IF NOT EXISTS `clicks`
(
    `id` UInt64,
    `ts` DateTime
)
ENGINE = MergeTree
PARTITION BY (toYYYYMM(ts))
ORDER BY (`id`)
TTL ts + INTERVAL 30 DAY
SETTINGS index_granularity = 1024, storage_policy = 'hot', non_replicated_deduplication_window = 10000;

---- a user of its own

-- the creation of `clicks_clickpipes_error`, by admin
CREATE TABLE IF NOT EXISTS `clicks_clickpipes_error`
(
    `_time` DateTime64(3) DEFAULT now64(3),
    `pipe` LowCardinality(String),
    `kind` LowCardinality(String),
    `code` LowCardinality(String),
    `message` String,
    `column` String,
    `topic` LowCardinality(String),
    `partition` Int32,
    `offset` Int64,
    `timestamp` Nullable(DateTime64(3)),
    `key` Nullable(String),
    `raw_message` String,
    `raw_length` UInt64,
    `raw_hash` String,
    `headers` Array(Tuple(name String, value String)),
    `schema_id` Nullable(UInt32),
    `batch_token` String
)
ENGINE = MergeTree
ORDER BY (`_time`, `topic`, `partition`, `offset`)
TTL toDateTime(`_time`) + toIntervalDay(7)
SETTINGS non_replicated_deduplication_window = 10000;

-- the creation of the user `housepipe_clicks`, by admin
CREATE USER IF NOT EXISTS `housepipe_clicks`
IDENTIFIED WITH sha256_hash BY '…' SALT '…'
SETTINGS log_comment = 'housepipe: pipe clicks, topic clicks at localhost:9092 into analytics.clicks';

-- the grants of the user `housepipe_clicks`, by admin
GRANT INSERT, SELECT ON `analytics`.`clicks`, INSERT, SELECT ON `analytics`.`clicks_clickpipes_error` TO `housepipe_clicks` WITH REPLACE OPTION;

---- a user of its own, exactly once

-- the creation of `clicks_clickpipes_error`, by admin
CREATE TABLE IF NOT EXISTS `clicks_clickpipes_error`
(
    `_time` DateTime64(3) DEFAULT now64(3),
    `pipe` LowCardinality(String),
    `kind` LowCardinality(String),
    `code` LowCardinality(String),
    `message` String,
    `column` String,
    `topic` LowCardinality(String),
    `partition` Int32,
    `offset` Int64,
    `timestamp` Nullable(DateTime64(3)),
    `key` Nullable(String),
    `raw_message` String,
    `raw_length` UInt64,
    `raw_hash` String,
    `headers` Array(Tuple(name String, value String)),
    `schema_id` Nullable(UInt32),
    `batch_token` String
)
ENGINE = MergeTree
ORDER BY (`_time`, `topic`, `partition`, `offset`)
TTL toDateTime(`_time`) + toIntervalDay(7)
SETTINGS non_replicated_deduplication_window = 10000;

-- the creation of the user `housepipe_clicks`, by admin
CREATE USER IF NOT EXISTS `housepipe_clicks`
IDENTIFIED WITH sha256_hash BY '…' SALT '…'
SETTINGS log_comment = 'housepipe: pipe clicks, topic clicks at localhost:9092 into analytics.clicks';

-- the grants of the user `housepipe_clicks`, by admin
GRANT INSERT, SELECT ON `analytics`.`clicks`, INSERT, SELECT ON `analytics`.`clicks_clickpipes_error`, SHOW TABLES, SHOW COLUMNS ON `analytics`.*, SELECT ON system.parts, SELECT ON system.merge_tree_settings, SELECT ON system.replicated_merge_tree_settings, CREATE TEMPORARY TABLE ON *.* TO `housepipe_clicks` WITH REPLACE OPTION;

---- full access

-- the creation of the user `housepipe_clicks`, by admin
CREATE USER IF NOT EXISTS `housepipe_clicks`
IDENTIFIED WITH sha256_hash BY '…' SALT '…'
SETTINGS log_comment = 'housepipe: pipe clicks, topic clicks at localhost:9092 into analytics.clicks';

-- the grants of the user `housepipe_clicks`, by admin
GRANT ALL ON `analytics`.* TO `housepipe_clicks` WITH REPLACE OPTION;

---- a role

-- the creation of the user `housepipe_clicks`, by admin
CREATE USER IF NOT EXISTS `housepipe_clicks`
IDENTIFIED WITH sha256_hash BY '…' SALT '…'
SETTINGS log_comment = 'housepipe: pipe clicks, topic clicks at localhost:9092 into analytics.clicks';

-- the grants of the user `housepipe_clicks`, by admin
GRANT `loaders` TO `housepipe_clicks` WITH REPLACE OPTION;

---- everything on a cluster

-- the creation of `clicks`, by admin
CREATE TABLE IF NOT EXISTS `clicks` ON CLUSTER `{cluster}`
(
    `id` UInt64,
    `ts` DateTime
)
ENGINE = ReplicatedMergeTree('/t/{shard}', '{replica}')
PARTITION BY (toYYYYMM(ts))
ORDER BY (`id`)
TTL ts + INTERVAL 30 DAY
SETTINGS index_granularity = 1024, storage_policy = 'hot';

-- the creation of `clicks_clickpipes_error`, by admin
CREATE TABLE IF NOT EXISTS `clicks_clickpipes_error` ON CLUSTER `{cluster}`
(
    `_time` DateTime64(3) DEFAULT now64(3),
    `pipe` LowCardinality(String),
    `kind` LowCardinality(String),
    `code` LowCardinality(String),
    `message` String,
    `column` String,
    `topic` LowCardinality(String),
    `partition` Int32,
    `offset` Int64,
    `timestamp` Nullable(DateTime64(3)),
    `key` Nullable(String),
    `raw_message` String,
    `raw_length` UInt64,
    `raw_hash` String,
    `headers` Array(Tuple(name String, value String)),
    `schema_id` Nullable(UInt32),
    `batch_token` String
)
ENGINE = MergeTree
ORDER BY (`_time`, `topic`, `partition`, `offset`)
TTL toDateTime(`_time`) + toIntervalDay(7)
SETTINGS non_replicated_deduplication_window = 10000;

-- the creation of the user `housepipe_clicks`, by admin
CREATE USER IF NOT EXISTS `housepipe_clicks` ON CLUSTER `{cluster}`
IDENTIFIED WITH sha256_hash BY '…' SALT '…'
SETTINGS log_comment = 'housepipe: pipe clicks, topic clicks at localhost:9092 into analytics.clicks';

-- the grants of the user `housepipe_clicks`, by admin
GRANT ON CLUSTER `{cluster}` INSERT, SELECT ON `analytics`.`clicks`, INSERT, SELECT ON `analytics`.`clicks_clickpipes_error` TO `housepipe_clicks` WITH REPLACE OPTION;

---- a role on a cluster

-- the creation of the user `housepipe_clicks`, by admin
CREATE USER IF NOT EXISTS `housepipe_clicks` ON CLUSTER `{cluster}`
IDENTIFIED WITH sha256_hash BY '…' SALT '…'
SETTINGS log_comment = 'housepipe: pipe clicks, topic clicks at localhost:9092 into analytics.clicks';

-- the grants of the user `housepipe_clicks`, by admin
GRANT ON CLUSTER `{cluster}` `loaders` TO `housepipe_clicks` WITH REPLACE OPTION;

---- ClickHouse Cloud

-- the creation of `clicks`, by default
CREATE TABLE IF NOT EXISTS `clicks`
(
    `id` UInt64,
    `ts` DateTime
)
ENGINE = SharedMergeTree
PARTITION BY (toYYYYMM(ts))
ORDER BY (`id`)
TTL ts + INTERVAL 30 DAY
SETTINGS index_granularity = 1024, storage_policy = 'hot';

