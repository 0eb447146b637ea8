//! The flags of `housepipe infer`.

use std::path::PathBuf;

use clap::Args;

#[derive(Debug, Args)]
pub(crate) struct InferArgs {
    /// The pipe file. May be left out with --from.
    #[arg(short = 'f', long = "file", value_name = "PIPE.yaml", required_unless_present = "from")]
    pub(crate) file: Option<PathBuf>,

    /// How many samples, at most.
    #[arg(short = 'n', long, default_value_t = 1_000, value_name = "SAMPLES", value_parser = clap::value_parser!(u16).range(1..=10_000))]
    pub(crate) samples: u16,

    /// Newline-delimited JSON to infer from instead of the topic, as for a topic that is empty yet; `-` is standard input.
    #[arg(long, value_name = "FILE")]
    pub(crate) from: Option<PathBuf>,
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use crate::args::Cli;

    #[test]
    fn there_is_a_pipe_file_or_documents() {
        let parse = |arguments: &[&str]| {
            Cli::try_parse_from(["housepipe", "infer"].iter().chain(arguments)).map(|_| ())
        };
        assert!(parse(&["-f", "pipe.yaml"]).is_ok() && parse(&["--from", "-"]).is_ok());
        assert!(parse(&["-f", "pipe.yaml", "--from", "x.jsonl", "-n", "10000"]).is_ok());
        let missing = parse(&[]).unwrap_err().to_string();
        assert!(missing.contains("--file"), "{missing}");
        assert!(parse(&["-f", "pipe.yaml", "-n", "10001"]).is_err());
    }
}
