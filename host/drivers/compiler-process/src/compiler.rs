//! The host's side: cache first, worker on a miss, signature checked on whatever is handed out.
//!
//! INVARIANT: a worker that failed in any way is killed; the next miss starts a fresh one.

use std::{os::unix::process::ExitStatusExt as _, path::Path, process::ExitStatus, time::Duration};

use aim_hardening::{
    channel::ChannelError,
    side_process::{SideCommand, SideProcess},
};
use aim_ports::{
    PortError, PortFault,
    compiler::{CompileRequest, Compiler},
};
use ed25519_dalek::VerifyingKey;
use rustix::process::Signal;

use crate::{
    MESSAGE_BYTES_MAX, WorkerLimits,
    cache::Cache,
    seal::Subject,
    wire::{Answer, Request},
};

/// How long a worker may take to start.
const START_PATIENCE: Duration = Duration::from_secs(60);

/// Gives native code, from the cache or from a worker.
#[derive(Debug)]
pub struct ProcessCompiler {
    command: SideCommand,
    key: VerifyingKey,
    limits: WorkerLimits,
    cache: Option<Cache>,
    remarks: Vec<String>,
    worker: Option<SideProcess>,
}

impl ProcessCompiler {
    /// A compiler whose worker is started by `command`, a program that calls [`crate::serve_compiler`], and whose
    /// worker's public key is `public_key`. Starts nothing. A cache folder that somebody else can change is not used, and
    /// a remark says so.
    ///
    /// # Errors
    /// [`PortFault::Corrupt`] when the public key is no usable key.
    pub fn new(
        command: SideCommand,
        public_key: &[u8; 32],
        cache_dir: Option<&Path>,
        limits: WorkerLimits,
    ) -> Result<Self, PortError> {
        let key = VerifyingKey::from_bytes(public_key)
            .ok()
            .filter(|key| !key.is_weak())
            .ok_or_else(|| {
                let detail = "not a usable Ed25519 key";
                PortError::new(PortFault::Corrupt, "read the cache's public key", detail)
                    .with_code("AIM-K003")
            })?;
        let mut compiler = Self {
            command,
            key,
            limits,
            cache: None,
            remarks: Vec::new(),
            worker: None,
        };
        match cache_dir.map(Cache::open) {
            None => {}
            Some(Ok(cache)) => compiler.cache = Some(cache),
            Some(Err(error)) => compiler
                .remarks
                .push(format!("AIM-K007: the code cache is not used: {error}")),
        }
        Ok(compiler)
    }

    /// What evidence and people should know: why the cache is not used or could not be written.
    #[must_use]
    pub fn remarks(&self) -> &[String] {
        &self.remarks
    }

    /// The worker's process id while one runs.
    #[must_use]
    pub fn worker_id(&self) -> Option<u32> {
        self.worker.as_ref().map(SideProcess::id)
    }

    /// Ends the worker, if one runs. Call it when everything is compiled, before guests run.
    pub fn finish(&mut self) {
        if let Some(mut worker) = self.worker.take() {
            worker.stop();
        }
    }

    fn compile(&mut self, request: &CompileRequest<'_>) -> Result<Answer, PortError> {
        let mut worker = match self.worker.take() {
            Some(worker) => worker,
            None => start(&self.command)?,
        };
        let message = Request::new(request.profile, request.component, &self.limits).write();
        let wall = Some(self.limits.wall(request.component.len()));
        let answer = worker
            .channel()
            .ok_or(ChannelError::Closed)
            .and_then(|channel| {
                channel.send(&message, wall)?;
                channel.receive(wall)
            });
        match answer.map(|answer| Answer::read(&answer)) {
            Ok(Some(answer)) => {
                self.worker = Some(worker);
                Ok(answer)
            }
            Ok(None) => {
                worker.kill();
                Err(unavailable("it answered nonsense"))
            }
            Err(ChannelError::TimedOut) => {
                worker.kill();
                Err(exhausted("time"))
            }
            Err(ChannelError::Closed) => Err(explain(worker.stop())),
            Err(error) => {
                worker.kill();
                Err(unavailable(&error.to_string()))
            }
        }
    }

    fn keep(&mut self, subject: &Subject, signature: &[u8; 64], code: &[u8]) {
        let Some(cache) = &self.cache else { return };
        if let Err(error) = cache.store(subject, signature, code) {
            self.remarks.push(format!(
                "AIM-K007: the code cache could not be written: {error}"
            ));
        }
    }
}

impl Compiler for ProcessCompiler {
    fn native_code(&mut self, request: &CompileRequest<'_>) -> Result<Vec<u8>, PortError> {
        let subject = Subject::new(request.profile, request.component);
        let cached = self
            .cache
            .as_ref()
            .and_then(|cache| cache.load(&subject, &self.key));
        if let Some(code) = cached {
            return Ok(code);
        }
        match self.compile(request)? {
            Answer::Code { signature, code } if subject.verifies(&code, &signature, &self.key) => {
                self.keep(&subject, &signature, &code);
                Ok(code)
            }
            Answer::Code { .. } => {
                self.finish();
                let detail = "the worker's signature does not verify";
                Err(
                    PortError::new(PortFault::Corrupt, "compile the component", detail)
                        .with_code("AIM-K010"),
                )
            }
            Answer::Error(error) => Err(error),
            Answer::Ready => {
                self.finish();
                Err(unavailable("it answered nonsense"))
            }
        }
    }
}

fn start(command: &SideCommand) -> Result<SideProcess, PortError> {
    let mut worker = SideProcess::start(command, MESSAGE_BYTES_MAX).map_err(|error| {
        unavailable(&format!(
            "`{}` does not start: {error}",
            command.program.display()
        ))
    })?;
    let hello = worker
        .channel()
        .ok_or(ChannelError::Closed)
        .and_then(|channel| channel.receive(Some(START_PATIENCE)))
        .map_err(|error| unavailable(&error.to_string()))?;
    match Answer::read(&hello) {
        Some(Answer::Ready) => Ok(worker),
        Some(Answer::Error(error)) => Err(error),
        _ => Err(unavailable("it answered nonsense")),
    }
}

/// What the way it ended says about why.
fn explain(status: Option<ExitStatus>) -> PortError {
    let signal = status.and_then(|status| status.signal());
    match signal.and_then(Signal::from_named_raw) {
        Some(Signal::XCPU) => exhausted("CPU"),
        // Rust aborts when memory can not be had; the kernel kills when there is none left.
        Some(Signal::ABORT | Signal::KILL) => exhausted("memory"),
        _ => {
            let how = status.map_or_else(|| "unknown".to_owned(), |status| status.to_string());
            let detail = format!("the compiler ended on it ({how})");
            PortError::new(PortFault::Corrupt, "compile the component", detail)
        }
    }
}

fn exhausted(what: &str) -> PortError {
    let detail = format!("the worker ran into its {what} limit and was killed");
    PortError::new(PortFault::Exhausted, "compile the component", detail).with_code("AIM-K009")
}

fn unavailable(detail: &str) -> PortError {
    PortError::new(PortFault::Unavailable, "ask the compile worker", detail).with_code("AIM-K008")
}
