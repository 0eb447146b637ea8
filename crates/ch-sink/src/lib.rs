//! RowBinary inserts into ClickHouse with error classes, DDL and an error table.
