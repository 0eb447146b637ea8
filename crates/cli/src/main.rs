//! The command line of Housepipe. Thin: everything that a service would need as well lives in `housepipe-runtime`.

#[cfg(target_os = "linux")]
mod allocator;
mod args;
mod commands;
mod exit;
mod logging;
mod remote;
mod signals;
mod ui;

use clap::Parser;

use args::{Cli, Command, ErrorsCommand, OffsetsCommand};
use exit::Exit;

fn main() -> std::process::ExitCode {
    let cli = Cli::try_parse().unwrap_or_else(|error| exit::not_parsed(&error));
    let json = cli.json;
    let runtime = match tokio::runtime::Builder::new_multi_thread()
        // Inserts are network work: two threads carry them, and the cores stay free for the pipe's own workers.
        .worker_threads(2)
        .thread_name("housepipe-io")
        .enable_all()
        .build()
    {
        Ok(runtime) => runtime,
        Err(error) => return exit::report(json, Err(Exit::failed(error.into()))),
    };
    let ui = ui::Ui::new(json, cli.quiet);
    logging::init(&cli, &ui);
    let result = runtime.block_on(async {
        match cli.command {
            Command::Run(args) => commands::run::run(args, &ui).await,
            Command::Check(args) => commands::check::run(args, &ui).await,
            Command::Sample(args) => commands::sample::run(args, &ui).await,
            Command::New(args) => commands::new::run(args, &ui).await,
            Command::Infer(args) => commands::infer::run(args, &ui).await,
            Command::Preview(args) => commands::preview::run(args, &ui).await,
            Command::Errors(ErrorsCommand::List(args)) => commands::errors::list::run(args, &ui).await,
            Command::Errors(ErrorsCommand::Replay(args)) => commands::errors::replay::run(args, &ui).await,
            Command::Offsets(OffsetsCommand::Show(args)) => commands::offsets::show::run(args, &ui).await,
            Command::Offsets(OffsetsCommand::Set(args)) => commands::offsets::set::run(args, &ui).await,
            Command::Serve(args) => commands::serve::run(*args, &ui).await,
            Command::Pipes(args) => commands::pipes::run(args, &ui).await,
            Command::Tokens(args) => commands::tokens::run(args, &ui).await,
            Command::Top(args) => commands::top::run(args, &ui).await,
            Command::Completions(args) => commands::completions::run(&args),
            Command::Transform(args) => commands::transform::run(&args, &ui),
            Command::Demo(args) => commands::demo::run(args, &ui).await,
        }
    });
    // Blocking reads that are still under way must not hold up the exit.
    runtime.shutdown_background();
    exit::report(json, result)
}
