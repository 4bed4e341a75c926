//! Whole messages over a socket between a process and its helper, with a bound on size and on waiting.
//!
//! A message is its length as four little-endian bytes, then its bytes.
//!
//! INVARIANT: after any error the two ends may disagree about where a message begins, so the channel is dead.

use std::{
    io::{self, ErrorKind, Read as _, Write as _},
    os::{fd::OwnedFd, unix::net::UnixStream},
    time::{Duration, Instant},
};

use rustix::fs::{FileType, fstat};

/// Memory for a message grows in pieces of this size as its bytes arrive.
const PIECE_BYTES: usize = 1024 * 1024;

/// Why a message could not be sent or received.
#[derive(Debug, thiserror::Error)]
pub enum ChannelError {
    /// The other end is gone.
    #[error("the other process is gone")]
    Closed,
    /// The other end took too long.
    #[error("the other process did not answer in time")]
    TimedOut,
    /// The message is larger than either end accepts.
    #[error("a message of {0} bytes is too large")]
    TooLarge(usize),
    /// Something went wrong before.
    #[error("the connection failed before")]
    Dead,
    /// The operating system refused.
    #[error("the connection failed: {0}")]
    System(io::Error),
}

/// One end of a connection.
#[derive(Debug)]
pub struct Channel {
    stream: UnixStream,
    message_bytes_max: usize,
    is_dead: bool,
}

impl Channel {
    /// A connected pair: this process's end, and the descriptor that a child gets as its standard input.
    ///
    /// # Errors
    /// What the operating system says.
    pub fn pair(message_bytes_max: usize) -> io::Result<(Self, OwnedFd)> {
        let (ours, theirs) = UnixStream::pair()?;
        Ok((Self::over(ours, message_bytes_max), theirs.into()))
    }

    /// The end that this process was started with, taken off its standard input.
    ///
    /// # Errors
    /// When standard input is no socket: the process was started by hand.
    pub fn inherited(message_bytes_max: usize) -> io::Result<Self> {
        let stdin = rustix::stdio::stdin();
        if FileType::from_raw_mode(fstat(stdin)?.st_mode) != FileType::Socket {
            let message = "this is started by the host itself and does nothing by hand";
            return Err(io::Error::new(ErrorKind::InvalidInput, message));
        }
        let socket = rustix::io::fcntl_dupfd_cloexec(stdin, 3)?;
        let nothing = std::fs::File::open("/dev/null")?;
        rustix::stdio::dup2_stdin(&nothing)?;
        Ok(Self::over(UnixStream::from(socket), message_bytes_max))
    }

    const fn over(stream: UnixStream, message_bytes_max: usize) -> Self {
        Self {
            stream,
            message_bytes_max,
            is_dead: false,
        }
    }

    /// A second handle to the same connection, to notice its end while this one is busy.
    ///
    /// # Errors
    /// What the operating system says.
    pub fn handle(&self) -> io::Result<OwnedFd> {
        Ok(self.stream.try_clone()?.into())
    }

    /// Sends a message in one piece; waits at most `patience` where it is given.
    ///
    /// # Errors
    /// [`ChannelError::TooLarge`] before anything was sent; any other error ends the channel.
    pub fn send(&mut self, message: &[u8], patience: Option<Duration>) -> Result<(), ChannelError> {
        let length = u32::try_from(message.len())
            .ok()
            .filter(|_| message.len() <= self.message_bytes_max)
            .ok_or(ChannelError::TooLarge(message.len()))?;
        self.refuse_when_dead()?;
        let deadline = patience.map(|patience| Instant::now() + patience);
        let sent = if message.len() <= PIECE_BYTES {
            // One write, so that the other end wakes up once.
            let mut whole = Vec::with_capacity(message.len() + 4);
            whole.extend_from_slice(&length.to_le_bytes());
            whole.extend_from_slice(message);
            self.write(&whole, deadline)
        } else {
            self.write(&length.to_le_bytes(), deadline)
                .and_then(|()| self.write(message, deadline))
        };
        self.note(sent)
    }

    /// Receives one message; waits at most `patience` where it is given.
    ///
    /// # Errors
    /// [`ChannelError::Closed`] when the other end is gone; any error ends the channel.
    pub fn receive(&mut self, patience: Option<Duration>) -> Result<Vec<u8>, ChannelError> {
        self.refuse_when_dead()?;
        let deadline = patience.map(|patience| Instant::now() + patience);
        let received = self.receive_by(deadline);
        self.note(received)
    }

    fn receive_by(&mut self, deadline: Option<Instant>) -> Result<Vec<u8>, ChannelError> {
        let mut length = [0; 4];
        self.fill(&mut length, deadline)?;
        let length = usize::try_from(u32::from_le_bytes(length)).unwrap_or(usize::MAX);
        if length > self.message_bytes_max {
            return Err(ChannelError::TooLarge(length));
        }
        let mut message = Vec::new();
        // BOUND: each turn takes at least one byte of `length`.
        while message.len() < length {
            let start = message.len();
            let end = length.min(start + PIECE_BYTES);
            message
                .try_reserve(end - start)
                .map_err(|_| ChannelError::TooLarge(length))?;
            message.resize(end, 0);
            let piece = message.get_mut(start..).unwrap_or_default();
            self.fill(piece, deadline)?;
        }
        Ok(message)
    }

    fn fill(&mut self, mut into: &mut [u8], deadline: Option<Instant>) -> Result<(), ChannelError> {
        // BOUND: each turn takes at least one byte, ends in an error, or was interrupted by a signal.
        while !into.is_empty() {
            self.stream
                .set_read_timeout(left(deadline)?)
                .map_err(ChannelError::System)?;
            match self.stream.read(into) {
                Ok(0) => return Err(ChannelError::Closed),
                Ok(count) => into = into.get_mut(count..).unwrap_or_default(),
                Err(error) => classify(error)?,
            }
        }
        Ok(())
    }

    fn write(&mut self, mut bytes: &[u8], deadline: Option<Instant>) -> Result<(), ChannelError> {
        // BOUND: each turn sends at least one byte, ends in an error, or was interrupted by a signal.
        while !bytes.is_empty() {
            self.stream
                .set_write_timeout(left(deadline)?)
                .map_err(ChannelError::System)?;
            match self.stream.write(bytes) {
                Ok(0) => return Err(ChannelError::Closed),
                Ok(count) => bytes = bytes.get(count..).unwrap_or_default(),
                Err(error) => classify(error)?,
            }
        }
        Ok(())
    }

    const fn refuse_when_dead(&self) -> Result<(), ChannelError> {
        if self.is_dead {
            Err(ChannelError::Dead)
        } else {
            Ok(())
        }
    }

    fn note<T>(&mut self, result: Result<T, ChannelError>) -> Result<T, ChannelError> {
        self.is_dead |= result.is_err();
        result
    }
}

/// Time until the deadline; an error when there is none left.
fn left(deadline: Option<Instant>) -> Result<Option<Duration>, ChannelError> {
    let Some(deadline) = deadline else {
        return Ok(None);
    };
    let left = deadline.saturating_duration_since(Instant::now());
    if left.is_zero() {
        Err(ChannelError::TimedOut)
    } else {
        Ok(Some(left))
    }
}

/// Passes over interruptions, names the rest.
fn classify(error: io::Error) -> Result<(), ChannelError> {
    match error.kind() {
        ErrorKind::Interrupted => Ok(()),
        ErrorKind::WouldBlock | ErrorKind::TimedOut => Err(ChannelError::TimedOut),
        ErrorKind::BrokenPipe | ErrorKind::ConnectionReset => Err(ChannelError::Closed),
        _ => Err(ChannelError::System(error)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::thread;

    const SOON: Option<Duration> = Some(Duration::from_millis(50));

    fn pair(max: usize) -> (Channel, Channel) {
        let (ours, theirs) = Channel::pair(max).unwrap();
        (ours, Channel::over(UnixStream::from(theirs), max))
    }

    #[test]
    fn messages_arrive_whole_and_in_order() {
        let (mut one, mut two) = pair(4_000_000);
        let large: Vec<u8> = (0..3_000_000_u32).map(|n| n.to_le_bytes()[1]).collect();
        thread::scope(|scope| {
            scope.spawn(|| {
                for message in [&b"first"[..], b"", &large] {
                    one.send(message, None).unwrap();
                }
            });
            assert_eq!(two.receive(None).unwrap(), b"first");
            assert_eq!(two.receive(None).unwrap(), b"");
            assert_eq!(two.receive(None).unwrap(), large);
        });
        drop(one);
        assert!(matches!(two.receive(None), Err(ChannelError::Closed)));
    }

    /// Negative control: with no bound on what is received, this fails.
    #[test]
    fn refuses_messages_that_are_too_large_on_both_ends() {
        let (mut one, mut two) = pair(10);
        assert!(matches!(
            one.send(&[0; 11], None),
            Err(ChannelError::TooLarge(11))
        ));
        one.send(&[0; 10], None).unwrap();
        assert_eq!(two.receive(None).unwrap().len(), 10);
        one.stream.write_all(&[0xff; 8]).unwrap();
        assert!(matches!(two.receive(None), Err(ChannelError::TooLarge(_))));
        assert!(matches!(two.receive(None), Err(ChannelError::Dead)));
    }

    #[test]
    fn silence_half_a_message_and_a_full_pipe_end_in_time() {
        let (mut one, mut two) = pair(usize::MAX);
        assert!(matches!(two.receive(SOON), Err(ChannelError::TimedOut)));
        assert!(matches!(two.send(b"x", SOON), Err(ChannelError::Dead)));
        let (mut three, mut four) = pair(100);
        three.stream.write_all(&[50, 0, 0, 0, 1, 2]).unwrap();
        assert!(matches!(four.receive(SOON), Err(ChannelError::TimedOut)));
        assert!(matches!(
            one.send(&vec![0; 8_000_000], SOON),
            Err(ChannelError::TimedOut)
        ));
        drop(three);
    }
}
