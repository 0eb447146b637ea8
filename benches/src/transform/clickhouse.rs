//! ClickHouse's own JSONEachRow reader on one thread, over a file beside the server.
//!
//! Its figure is CPU time of the server process, kernel time included: what it spends on writing RowBinary into the
//! connection counts, what we spend on reading it does not.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use anyhow::{Context, ensure};
use housepipe_local_stack::Clickhouse;

use super::cases::same_bytes;
use super::corpora::Dataset;
use super::measure::{Timing, timing};
use crate::ServerCpu;

/// Row of the report: rows go into `FORMAT RowBinary`.
pub const TO_ROW_BINARY: &str = "ClickHouse to RowBinary";
/// Row of the report: rows are read and dropped.
pub const TO_NULL: &str = "ClickHouse to Null";

/// The reference's settings, on one thread.
const SETTINGS: &str = "date_time_input_format=best_effort&input_format_null_as_default=1\
&input_format_skip_unknown_fields=1&session_timezone=UTC&max_threads=1&input_format_parallel_parsing=0\
&output_format_parallel_formatting=0&max_parsing_threads=1&allow_experimental_json_type=1";
/// For corpora with records that are rejected: the server skips them too.
const SKIP_ERRORS: &str = "&input_format_allow_errors_ratio=0.5&input_format_allow_errors_num=1000000000";

/// A run takes at least this much CPU time: the kernel counts it in steps of 10 ms.
const RUN_MIN_SECONDS: f64 = 1.0;
/// A server that is silent for longer has hung.
const ANSWER_MAX: Duration = Duration::from_secs(120);
/// Its file never grows beyond this.
const FILE_BYTES_MAX: usize = 2_000_000_000;

/// A server for the comparison.
pub struct Reader {
    server: Clickhouse,
    host: String,
    pid: u32,
}

impl Reader {
    /// Uses this server, which must be one of this machine.
    ///
    /// # Errors
    /// Where it is a server of the user's, whose CPU time and files are out of reach.
    pub fn new(server: Clickhouse) -> anyhow::Result<Reader> {
        let pid =
            server.pid().context("only a server of the local stack can be measured; unset CLICKHOUSE_URL")?;
        let host = server.url().trim_start_matches("http://").trim_end_matches('/').to_owned();
        Ok(Reader { server, host, pid })
    }

    /// Compares the server's rows with the `rows` rows in `expected`, then measures `runs` runs to Null and to RowBinary.
    ///
    /// # Errors
    /// Where the server fails or gives other rows.
    pub fn measure(
        &self,
        dataset: &Dataset,
        expected: &[u8],
        rows: usize,
        runs: usize,
    ) -> anyhow::Result<Vec<Timing>> {
        let skip = if rows < dataset.len() { SKIP_ERRORS } else { "" };
        let query = |format: &str, out: &mut dyn Write| self.query(&dataset.columns, skip, format, out);
        // The embedded server resolves relative names against its own folder.
        let folder = self.server.folder().to_path_buf();
        let file = folder.join("corpus.jsonl");
        std::fs::write(&file, dataset.lines())?;
        let mut rows = Vec::with_capacity(expected.len());
        query("RowBinary", &mut rows)?;
        same_bytes(&dataset.name, TO_ROW_BINARY, expected, &rows)
            .context("the server must give the same rows to be compared; --no-clickhouse leaves it out")?;
        // Elapsed time of the second, warm pass says how many copies make a long enough run.
        let started = std::time::Instant::now();
        query("Null", &mut Vec::new())?;
        let pass = started.elapsed().as_secs_f64().max(1e-4);
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "clamped before")]
        let copies = (1.3 * RUN_MIN_SECONDS / pass).ceil().clamp(1.0, 1e5) as usize;
        let copies = copies.min(FILE_BYTES_MAX / dataset.bytes()).max(1);
        let mut big = std::io::BufWriter::new(std::fs::File::create(&file)?);
        for _ in 0..copies {
            big.write_all(dataset.lines())?;
        }
        big.into_inner().context("cannot write the corpus")?;
        let mut timings = Vec::new();
        for (name, format) in [(TO_ROW_BINARY, "RowBinary"), (TO_NULL, "Null")] {
            query(format, &mut std::io::sink())?;
            let mut seconds = Vec::new();
            for _ in 0..runs {
                let cpu = ServerCpu::of_process(self.pid)?;
                query(format, &mut std::io::sink())?;
                seconds.push(cpu.seconds_since()? / copies as f64);
            }
            timings.push(timing(name.to_owned(), seconds, dataset.bytes(), dataset.len(), None));
        }
        std::fs::remove_file(&file)?;
        Ok(timings)
    }

    /// Reads the file and drains the answer into `out`. HTTP/1.0: the answer ends with the connection.
    fn query(&self, columns: &str, skip: &str, format: &str, mut out: &mut dyn Write) -> anyhow::Result<()> {
        let columns = columns.replace('\\', "\\\\").replace('\'', "\\'");
        let sql = format!("SELECT * FROM file('corpus.jsonl', JSONEachRow, '{columns}') FORMAT {format}");
        let mut stream = TcpStream::connect(&self.host).context("cannot reach the server")?;
        stream.set_read_timeout(Some(ANSWER_MAX))?;
        let length = sql.len();
        write!(stream, "POST /?{SETTINGS}{skip} HTTP/1.0\r\nContent-Length: {length}\r\n\r\n{sql}")?;
        let mut answer = BufReader::with_capacity(1 << 20, stream);
        let mut status = String::new();
        answer.read_line(&mut status)?;
        let mut header = String::from("x");
        while !header.trim().is_empty() {
            header.clear();
            answer.read_line(&mut header)?;
        }
        if !status.contains(" 200 ") {
            let mut text = String::new();
            answer.take(2_000).read_to_string(&mut text)?;
            anyhow::bail!("ClickHouse: {} {}", status.trim(), text.trim());
        }
        let bytes = std::io::copy(&mut answer, &mut out)?;
        ensure!(format == "Null" || bytes > 0, "ClickHouse gave no rows");
        Ok(())
    }
}
