//! `lsp`: what an editor asks about plans, over the Language Server Protocol 3.17 on stdin and stdout.
//!
//! ```text
//! stdin --wire--> queue --rpc--> session --answers--> stdout
//!                                   |
//!                  aim_acl (text to answers), project (contracts beside the plan)
//! ```
//!
//! One thread reads, one decides and writes. Diagnostics are computed when nothing waits any more, so that of many changes in
//! a row only the newest text is looked at. A request that was cancelled while it waited is answered as cancelled.
//!
//! The protocol's framing and its few shapes are written here instead of taken from a library: those at hand read a message
//! of any length that its sender claims, and end at the first one that is malformed.
//!
//! INVARIANT: nothing is written to a file, no component is run or compiled, and no message ends the server but `exit`.

mod actions;
mod diagnose;
mod documents;
mod hover;
mod navigate;
mod project;
mod queue;
mod rpc;
mod session;
mod uri;
mod wire;

use std::{
    io::{self, BufReader, Write as _},
    sync::mpsc::{Receiver, sync_channel},
};

use aim_core::outcome::Exit;

use crate::error::CliError;
use queue::Queue;
use session::Session;
use wire::Arrived;

/// Messages that were read and not yet taken.
const READ_AHEAD: usize = 4;

/// `aimctl lsp`. Exits with 0 after `shutdown` and `exit`, with 1 when the client leaves in another way, as LSP says.
pub(crate) fn lsp() -> Result<Exit, CliError> {
    let (sender, receiver) = sync_channel(READ_AHEAD);
    // Ends with stdin, or with the process; nobody waits for it.
    std::thread::spawn(move || {
        let mut input = BufReader::new(io::stdin());
        // BOUND: ends with the input; what is malformed costs itself only.
        while let Some(arrived) = wire::read(&mut input) {
            if sender.send(arrived).is_err() {
                return;
            }
        }
    });
    Ok(serve(&receiver))
}

fn serve(input: &Receiver<Arrived>) -> Exit {
    let mut queue = Queue::default();
    let mut session = Session::default();
    // BOUND: ends with `exit`, with the input, or when nobody reads the answers.
    loop {
        while queue.has_room() {
            let Ok(arrived) = input.try_recv() else { break };
            queue.push(arrived);
        }
        let answers = match queue.pop() {
            Some(message) => session.take(message),
            None => {
                if write(&session.settle()).is_err() {
                    return session.left();
                }
                match input.recv() {
                    Ok(arrived) => queue.push(arrived),
                    Err(_) => return session.left(),
                }
                continue;
            }
        };
        if write(&answers).is_err() || session.has_ended() {
            return session.left();
        }
    }
}

fn write(answers: &[serde_json::Value]) -> io::Result<()> {
    let mut stdout = io::stdout().lock();
    for answer in answers {
        wire::write(&mut stdout, answer)?;
    }
    stdout.flush()
}
