//! Everything about this repository that has logic and is not the product: `cargo xtask <command>`.
//! INVARIANT: a command says what it does before it does it, and a failed one exits with a code other than zero.
#![forbid(unsafe_code)]

mod bench;
mod component;
mod demo;
mod fuzz;
mod guests;
mod languages;
mod process;
mod project;
mod say;
mod soak;
mod test;
mod toolchain;

use std::process::ExitCode;

use anyhow::{Result, bail};

/// One command: its name, what it is for, and what runs it.
struct Command {
    name: &'static str,
    help: &'static str,
    run: fn(&[String]) -> Result<()>,
}

/// All commands, in the order of the help text.
const COMMANDS: &[Command] = &[
    Command {
        name: "demo",
        help: "build everything from source, run the incident triage on real logs, verify the evidence, replay it\n\
               --refused   steps that ask too much or leak, and tampered evidence\n\
               --what-if   change one line of the input and see which steps change",
        run: demo::run,
    },
    Command {
        name: "test",
        help: "format, guests, lint, build and all tests; minutes per phase at the end",
        run: test::run,
    },
    Command {
        name: "bench",
        help: "measure a governed step beside the parts it is made of, optimised; prints tables, asserts nothing\n\
               --rounds N    how often everything is measured (7)\n\
               --only TEXT   only cases with this in their name, such as `durable | batch`",
        run: bench::run,
    },
    Command {
        name: "soak",
        help: "the long forms of the tests, for a day: each test alone, with its cases, its rate and its memory\n\
               STAGE         only these: policy, store, trust, core, acl, hostile, fuzz, guests\n\
               --part K/N    the K-th of N parts, which together are the whole\n\
               --test TEXT   only tests with this in their name",
        run: soak::run,
    },
    Command {
        name: "fuzz",
        help: "feed every place where bytes come in, guided by coverage; two targets at a time\n\
               TARGET        only this one\n\
               --seconds N   for each target (20)\n\
               --input FILE  one input, to see a crash again",
        run: fuzz::run,
    },
    Command {
        name: "guests",
        help: "build every component under guests/ into target/guests/ with a list of digests\n\
               --check   rebuild from a copy of the tree elsewhere and compare the digests",
        run: guests::run,
    },
    Command {
        name: "languages",
        help: "build the Python and JavaScript components of guests/languages/ into target/guests/languages/,\n\
               from pinned packages of PyPI and npm; kept in the cache folder, so only changes are built",
        run: languages::run,
    },
];

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let result = if guests::rustc::is_called() {
        guests::rustc::become_rustc()
    } else if fuzz::is_called() {
        fuzz::become_rustc()
    } else {
        dispatch(&arguments)
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            say::error(&format!("{error:#}"));
            ExitCode::FAILURE
        }
    }
}

fn dispatch(arguments: &[String]) -> Result<()> {
    let Some((name, rest)) = arguments.split_first() else {
        say::line(&help());
        return Ok(());
    };
    if matches!(name.as_str(), "help" | "-h" | "--help") {
        say::line(&help());
        return Ok(());
    }
    match COMMANDS.iter().find(|command| command.name == name) {
        Some(command) => (command.run)(rest),
        None => bail!("unknown command `{name}`; `cargo xtask --help` lists them"),
    }
}

fn help() -> String {
    let mut text = String::from("usage: cargo xtask <command> [options]\n\ncommands:\n");
    for command in COMMANDS {
        for (index, line) in command.help.lines().enumerate() {
            let name = if index == 0 { command.name } else { "" };
            text.push_str(&format!("  {name:<10}{line}\n"));
        }
    }
    text
}
