//! Messages that wait, and which of them were taken back meanwhile.
//!
//! INVARIANT: a request that was cancelled while it waited is still in the queue, marked, so that it gets its answer.

use std::collections::VecDeque;

use serde_json::Value;

use super::{rpc::Message, wire::Arrived};

/// Bytes of messages that may wait here; beyond that the client waits.
const BYTES_MAX: usize = 16 * 1024 * 1024;
/// Messages that may wait here.
const COUNT_MAX: usize = 1_024;

/// Messages in the order they came.
#[derive(Debug, Default)]
pub(super) struct Queue {
    waiting: VecDeque<Waiting>,
    bytes: usize,
}

#[derive(Debug)]
struct Waiting {
    message: Message,
    bytes: usize,
    is_cancelled: bool,
}

/// A message that is due.
#[derive(Debug)]
pub(super) struct Due {
    pub(super) message: Message,
    /// True when the client took it back.
    pub(super) is_cancelled: bool,
}

impl Queue {
    /// True when another message may be taken in.
    pub(super) fn has_room(&self) -> bool {
        self.bytes < BYTES_MAX && self.waiting.len() < COUNT_MAX
    }

    /// Takes a message in. A cancellation marks what it is about at once.
    pub(super) fn push(&mut self, arrived: Arrived) {
        let bytes = match &arrived {
            Arrived::Message(bytes) => bytes.len(),
            _ => 0,
        };
        let message = Message::read(&arrived);
        if let Message::Notification { method, params } = &message
            && method == "$/cancelRequest"
        {
            self.cancel(params.get("id"));
            return;
        }
        self.bytes += bytes;
        self.waiting.push_back(Waiting {
            message,
            bytes,
            is_cancelled: false,
        });
    }

    fn cancel(&mut self, wanted: Option<&Value>) {
        for waiting in &mut self.waiting {
            if let Message::Request { id, .. } = &waiting.message {
                waiting.is_cancelled |= Some(id) == wanted;
            }
        }
    }

    /// Takes the next message out.
    pub(super) fn pop(&mut self) -> Option<Due> {
        let waiting = self.waiting.pop_front()?;
        self.bytes = self.bytes.saturating_sub(waiting.bytes);
        Some(Due {
            message: waiting.message,
            is_cancelled: waiting.is_cancelled,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(text: &str) -> Arrived {
        Arrived::Message(text.as_bytes().to_vec())
    }

    // Control: with the marking taken out of `push`, the request is answered as if nobody had taken it back (seen).
    #[test]
    fn a_request_that_waits_can_be_taken_back_and_no_other_is() {
        let mut queue = Queue::default();
        for id in ["1", "\"1\"", "2"] {
            queue.push(message(&format!(
                r#"{{"jsonrpc":"2.0","id":{id},"method":"x"}}"#
            )));
        }
        queue.push(message(
            r#"{"jsonrpc":"2.0","method":"$/cancelRequest","params":{"id":1}}"#,
        ));
        let marks: Vec<bool> = std::iter::from_fn(|| queue.pop())
            .map(|due| due.is_cancelled)
            .collect();
        assert_eq!(marks, [true, false, false]);
    }

    #[test]
    fn what_waits_is_bounded_by_number_and_by_bytes() {
        let mut queue = Queue::default();
        for _ in 0..COUNT_MAX {
            assert!(queue.has_room());
            queue.push(message("{}"));
        }
        assert!(!queue.has_room());
        while queue.pop().is_some() {}
        assert!(queue.has_room());
        queue.push(Arrived::Message(vec![b' '; BYTES_MAX]));
        assert!(!queue.has_room());
    }
}
