//! The project's commands. `cargo xtask demo` and `cargo xtask test` do all the set-up that a fresh machine needs.

#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a program of developers, its terminal is its output"
)]

mod api;
mod arm;
mod bench;
mod conformance;
mod deploy;
mod disk;
mod first_failures;
mod fuzz;
mod run;
mod sanitize;
mod served;
mod setup;
mod stack;
mod test;
mod test_targets;
mod zones;

use std::process::ExitCode;

use clap::{Parser, Subcommand};
use housepipe_local_stack::StackError;

#[derive(Parser)]
#[command(name = "cargo xtask", about = "The commands of the Housepipe project", max_term_width = 110)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Build Housepipe in release mode and run its demo: a real Kafka into a real ClickHouse, on this machine.
    ///
    /// Everything behind `--` goes to `housepipe demo`, such as `-- --rows 1000000`.
    Demo {
        #[arg(last = true, value_name = "ARGS")]
        args: Vec<String>,
    },
    /// Run everything that CI runs: formatting, lints, docs, unit, property, conformance and end-to-end tests.
    Test {
        /// Only these stages; all of them where none is named.
        #[arg(value_name = "STAGE", value_parser = test::stage_names())]
        stages: Vec<String>,
    },
    /// Run the transform's tests on an emulated AArch64, or say what that needs.
    ///
    /// Everything behind `--` goes to the tests.
    TestArm {
        #[arg(last = true, value_name = "ARGS")]
        args: Vec<String>,
    },
    /// Measure: `e2e` loads Kafka topics into ClickHouse, `service` does with many pipes, `source` reads and encodes them without an insert, `consume`
    /// compares reading with `BaseConsumer::poll`, `transform` encodes JSON from memory, `validation` checks it against schemas.
    ///
    /// Everything behind `--` goes to the benchmark.
    Bench {
        #[arg(value_name = "WHAT", value_parser = ["e2e", "service", "source", "consume", "transform", "validation"])]
        what: String,
        #[arg(last = true, value_name = "ARGS")]
        args: Vec<String>,
    },
    /// Call the API with whatever its description allows and forbids, by Schemathesis, and look for what it should not answer.
    Api {
        /// Calls, at least.
        #[arg(long, default_value_t = 10_000, value_parser = clap::value_parser!(u64).range(1..))]
        examples: u64,
        /// What decides them.
        #[arg(long, default_value_t = api::SEED)]
        seed: u64,
    },
    /// Look for inputs that break a law of the transform, with libFuzzer.
    Fuzz {
        /// One target; all of them, one after the other, where none is named.
        #[arg(value_name = "TARGET", value_parser = fuzz::TARGETS)]
        target: Option<String>,
        /// Seconds for each target.
        #[arg(long, default_value_t = 60, value_parser = clap::value_parser!(u64).range(1..))]
        seconds: u64,
    },
    /// Run the tests of the transform and the corpora of the fuzz targets under AddressSanitizer.
    Sanitize,
    /// Run the unit tests of the transform in Miri, where a nightly toolchain has it.
    Miri,
    /// Compare the transform with a real ClickHouse on random columns and records: `--cases N --seed S [--seconds T]
    /// [--types REGEX] [--engine exact|general|lockstep] [--tier NAME] [--only INDEX] [--json FILE] [--write]`.
    ///
    /// With `CLICKHOUSE_URL` it asks that server, otherwise it starts one.
    #[command(disable_help_flag = true)]
    Conformance {
        #[arg(trailing_var_arg = true, allow_hyphen_values = true, value_name = "ARGS")]
        args: Vec<String>,
    },
    /// Check the delivery core in every order of events of a small world, and that broken surroundings are found:
    /// `--records N --crashes N --expiries N --revocations N --timeouts N --repeats N --restarts N --refused N`.
    #[command(disable_help_flag = true)]
    Model {
        #[arg(trailing_var_arg = true, allow_hyphen_values = true, value_name = "ARGS")]
        args: Vec<String>,
    },
    /// Simulate exactly-once delivery with seeds, everything going wrong at once in larger worlds than the model's, and that
    /// broken drivers are found: `--seeds N [--seed S] [--trace] [--json] [--mistake NAME] [--threads N]`.
    #[command(disable_help_flag = true)]
    Simulate {
        #[arg(trailing_var_arg = true, allow_hyphen_values = true, value_name = "ARGS")]
        args: Vec<String>,
    },
    /// Break what a pipe depends on, in every way of the fault matrix, and look for lost and doubled records:
    /// `--seeds N [--seed S] [--row NAME] [--mode MODE] [--stacks N]`; `--soak RECORDS` and `--backlog` do something else.
    #[command(disable_help_flag = true)]
    Faults {
        #[arg(trailing_var_arg = true, allow_hyphen_values = true, value_name = "ARGS")]
        args: Vec<String>,
    },
    /// Renew the transform's table of time zones: take them out of the pinned ClickHouse.
    Zones,
    /// Start a ClickHouse and a Kafka for development and keep them until Ctrl-C.
    Stack,
    /// Check licenses, sources and advisories of every crate against `deny.toml`, with cargo-deny.
    Deny,
    /// Fetch and install what the other commands need, and nothing else.
    Setup,
}

fn main() -> ExitCode {
    match dispatch() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            if let Some(mend) = StackError::mend_in(error.as_ref()) {
                eprintln!("to mend it:\n{mend}");
            }
            ExitCode::FAILURE
        }
    }
}

fn dispatch() -> anyhow::Result<()> {
    match Cli::parse().command {
        Command::Demo { args } => {
            setup::tools()?;
            run::housepipe("demo", &args)
        }
        Command::Test { stages } => test::run(&stages),
        Command::TestArm { args } => arm::run(&args),
        Command::Bench { what, args } => bench::run(&what, &args),
        Command::Api { examples, seed } => {
            setup::tools_for_tests()?;
            api::run(examples, seed)
        }
        Command::Fuzz { target, seconds } => fuzz::run(target.as_deref(), seconds),
        Command::Sanitize => sanitize::address(),
        Command::Miri => sanitize::miri(),
        Command::Conformance { args } => conformance::run(&args),
        Command::Model { args } => run::model(&args),
        Command::Simulate { args } => run::simulate(&args),
        Command::Faults { args } => run::faults(&args),
        Command::Zones => zones::run(),
        Command::Stack => stack::run(),
        Command::Deny => run::deny(),
        Command::Setup => {
            setup::tools_for_tests()?;
            setup::pinned_parts().map(drop)
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_help_lists_the_stages_and_no_other_is_taken() {
        let mut command = Cli::command();
        let help = command.find_subcommand_mut("test").unwrap().render_long_help().to_string();
        assert!(help.contains("conformance: ") && help.contains("end-to-end: "), "{help}");
        assert!(Cli::try_parse_from(["xtask", "test", "unit", "lint"]).is_ok());
        assert!(Cli::try_parse_from(["xtask", "test", "unity"]).is_err());
    }
}
