//! JSON records to ClickHouse RowBinary, by a plan compiled once per column list.
