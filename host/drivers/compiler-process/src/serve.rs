//! The worker's side: read the cache key, give up everything, compile and sign until the host is gone.
//!
//! INVARIANT: component bytes are looked at only after the worker can open no file, keep no core and outlive no limit.

use std::path::Path;

use aim_hardening::{
    channel::{Channel, ChannelError},
    confine::{harden_self, restrict_files},
    key_file::{self, Role},
    side_process::exit_when_closed,
};
use aim_ports::{PortError, PortFault};
use ed25519_dalek::SigningKey;
use rustix::{
    process::{Resource, Rlimit, getrlimit, setrlimit},
    time::{ClockId, clock_gettime},
};

use crate::{
    MESSAGE_BYTES_MAX,
    seal::Subject,
    wire::{Answer, Request},
};

/// Serves the host that started this process, and returns when the host is gone. `compile` turns a profile and a
/// component's bytes into native code or says why not; it must not keep a pool of address space, since that is limited.
///
/// # Errors
/// When the process was started by hand or the cache key can not be used; the host has been told. Also when the host says
/// something that is no message.
pub fn serve_compiler(
    keys_dir: &Path,
    compile: impl Fn(&str, &[u8]) -> Result<Vec<u8>, String>,
) -> Result<(), PortError> {
    let mut channel =
        Channel::inherited(MESSAGE_BYTES_MAX).map_err(|error| unavailable(error.to_string()))?;
    let key = match prepare(keys_dir, &channel) {
        Ok(key) => key,
        Err(error) => {
            // The host may be gone already; then nobody needs to know.
            let _ignored = channel.send(&Answer::Error(error.clone()).write(), None);
            return Err(error);
        }
    };
    let mut answer = Answer::Ready;
    // BOUND: ends when the host closes its end of the socket.
    loop {
        let exchanged = channel
            .send(&answer.write(), None)
            .and_then(|()| channel.receive(None));
        let message = match exchanged {
            Ok(message) => message,
            Err(ChannelError::Closed) => return Ok(()),
            Err(error) => return Err(unavailable(error.to_string())),
        };
        let request = Request::read(&message)
            .ok_or_else(|| unavailable("the host sent no known message".to_owned()))?;
        answer = work(&request, &key, &compile).unwrap_or_else(Answer::Error);
    }
}

fn prepare(keys_dir: &Path, channel: &Channel) -> Result<SigningKey, PortError> {
    let system = |error: std::io::Error| unavailable(format!("could not be hardened: {error}"));
    // Before any secret is in memory.
    harden_self().map_err(system)?;
    let seed = key_file::load_secret(keys_dir, Role::Cache).map_err(|error| {
        let detail = format!("{error}; {}", error.help());
        PortError::new(PortFault::Forbidden, "use the cache key", detail).with_code(error.code())
    })?;
    // An old kernel without Landlock still has the process border and the limits.
    let _is_enforced = restrict_files(&[], &[]);
    exit_when_closed(channel.handle().map_err(system)?).map_err(system)?;
    Ok(SigningKey::from_bytes(seed.bytes()))
}

fn work(
    request: &Request<'_>,
    key: &SigningKey,
    compile: impl Fn(&str, &[u8]) -> Result<Vec<u8>, String>,
) -> Result<Answer, PortError> {
    limit_self(request)
        .map_err(|error| unavailable(format!("limits could not be set: {error}")))?;
    let code = compile(request.profile, request.component)
        .map_err(|why| PortError::new(PortFault::Corrupt, "compile the component", why))?;
    if code.len() > MESSAGE_BYTES_MAX - 128 {
        let detail = format!("{} bytes of native code are too many", code.len());
        return Err(
            PortError::new(PortFault::Exhausted, "compile the component", detail)
                .with_code("AIM-K009"),
        );
    }
    let signature = Subject::new(request.profile, request.component).sign(&code, key);
    Ok(Answer::Code { signature, code })
}

/// Sets the soft limits for the next component; CPU time counts from now. The hard limits stay as they are, since only
/// the host decides about the next request.
fn limit_self(request: &Request<'_>) -> rustix::io::Result<()> {
    let used = clock_gettime(ClockId::ProcessCPUTime).tv_sec;
    let cpu_s = u64::try_from(used)
        .unwrap_or(0)
        .saturating_add(request.cpu_s)
        .saturating_add(1);
    for (resource, value) in [(Resource::Cpu, cpu_s), (Resource::As, request.memory_bytes)] {
        let maximum = getrlimit(resource).maximum;
        let current = maximum.map_or(value, |maximum| maximum.min(value));
        setrlimit(
            resource,
            Rlimit {
                current: Some(current),
                maximum,
            },
        )?;
    }
    Ok(())
}

fn unavailable(detail: String) -> PortError {
    PortError::new(PortFault::Unavailable, "serve as compile worker", detail).with_code("AIM-K008")
}
