//! A child process that talks over one socket and goes away with it.
//!
//! The child gets the socket as its standard input and nothing else: no environment, no output but errors. It lives as
//! long as the connection does. A death signal is not used: the kernel ties it to the thread that started the child and
//! would end the child with a thread of a pool. It is in a process group of its own, because what a terminal sends (Ctrl-C
//! above all) goes to a whole group: the parent ends in order, and until it has, it needs its child.
//!
//! INVARIANT: dropping the parent's half ends the child and leaves no zombie.

use std::{
    ffi::OsString,
    io,
    os::{fd::OwnedFd, unix::process::CommandExt as _},
    path::PathBuf,
    process::{Child, Command, ExitStatus, Stdio},
    thread,
    time::{Duration, Instant},
};

use rustix::event::{PollFd, PollFlags, poll};

use crate::channel::Channel;

/// How long a child may take to notice that its socket is closed before it is killed.
const FAREWELL: Duration = Duration::from_secs(10);

/// What to start.
#[derive(Debug, Clone)]
pub struct SideCommand {
    /// The program.
    pub program: PathBuf,
    /// Its arguments.
    pub arguments: Vec<OsString>,
    /// The whole of its environment.
    pub environment: Vec<(OsString, OsString)>,
}

impl SideCommand {
    /// A command without environment.
    pub fn new(
        program: impl Into<PathBuf>,
        arguments: impl IntoIterator<Item = impl Into<OsString>>,
    ) -> Self {
        Self {
            program: program.into(),
            arguments: arguments.into_iter().map(Into::into).collect(),
            environment: Vec::new(),
        }
    }
}

/// A running child and the connection to it.
#[derive(Debug)]
pub struct SideProcess {
    child: Child,
    channel: Option<Channel>,
}

impl SideProcess {
    /// Starts a child.
    ///
    /// # Errors
    /// What the operating system says.
    pub fn start(command: &SideCommand, message_bytes_max: usize) -> io::Result<Self> {
        let (channel, theirs) = Channel::pair(message_bytes_max)?;
        let child = Command::new(&command.program)
            .args(&command.arguments)
            .env_clear()
            .envs(
                command
                    .environment
                    .iter()
                    .map(|(name, value)| (name, value)),
            )
            .current_dir("/")
            .process_group(0)
            .stdin(Stdio::from(theirs))
            .stdout(Stdio::null())
            .stderr(Stdio::inherit())
            .spawn()?;
        Ok(Self {
            child,
            channel: Some(channel),
        })
    }

    /// The connection; `None` once the child was told to end.
    pub const fn channel(&mut self) -> Option<&mut Channel> {
        self.channel.as_mut()
    }

    /// The child's process id.
    #[must_use]
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Kills the child at once and tells how it ended.
    pub fn kill(&mut self) -> Option<ExitStatus> {
        self.channel = None;
        // An error means that it ended by itself; waiting tells how.
        let _ignored = self.child.kill();
        self.child.wait().ok()
    }

    /// Closes the connection, waits for the child and tells how it ended; kills it when it takes too long.
    pub fn stop(&mut self) -> Option<ExitStatus> {
        self.channel = None;
        let deadline = Instant::now() + FAREWELL;
        // BOUND: ends at the deadline.
        while Instant::now() < deadline {
            match self.child.try_wait() {
                Ok(Some(status)) => return Some(status),
                Ok(None) => thread::sleep(Duration::from_millis(1)),
                Err(_) => break,
            }
        }
        self.kill()
    }
}

impl Drop for SideProcess {
    fn drop(&mut self) {
        self.stop();
    }
}

/// In the child: ends the process as soon as the connection is closed, even in the middle of work.
///
/// # Errors
/// When the thread that watches can not be started.
pub fn exit_when_closed(connection: OwnedFd) -> io::Result<()> {
    let watch = move || {
        let flags = PollFlags::RDHUP;
        // BOUND: poll returns when the connection is closed or a signal came.
        loop {
            let mut watched = [PollFd::new(&connection, flags)];
            let is_closed = match poll(&mut watched, None) {
                Ok(_) => true,
                Err(errno) => errno != rustix::io::Errno::INTR,
            };
            if is_closed {
                std::process::exit(0);
            }
        }
    };
    thread::Builder::new()
        .name("watch".to_owned())
        .spawn(watch)
        .map(drop)
}
