//! The rows of the table, by capability.
//!
//! INVARIANT: a function that the host implements has a row here, and every row says what its record holds.

use super::{
    Replay::{self, Content, Pinned, Recorded, Redone},
    ServedFunction, ServedInterface,
};

const fn call(name: &'static str, records: &'static str, replay: Replay) -> ServedFunction {
    ServedFunction {
        name,
        records,
        replay,
    }
}

pub(super) const CONTEXT: &[ServedInterface] = &[ServedInterface {
    interface: "aim:host/context",
    functions: &[
        call("run-id", "the answer", Recorded),
        call("step-name", "the answer", Recorded),
        call("role", "the answer", Recorded),
        call("attempt", "the answer", Recorded),
        call("tenant", "the answer", Recorded),
        call("actor", "the answer", Recorded),
        call("correlation-id", "the answer", Recorded),
        call("causation-id", "the answer", Recorded),
        call("traceparent", "the answer", Recorded),
        call("label", "key and answer", Recorded),
        call("plan", "the answer", Recorded),
        call("component", "the answer", Recorded),
        call("seed", "the answer", Recorded),
    ],
    resources: &[],
}];
pub(super) const BUDGET: &[ServedInterface] = &[ServedInterface {
    interface: "aim:host/budget",
    functions: &[
        call("fuel", "the answer", Recorded),
        call("calls", "the answer", Recorded),
        call("tokens", "the answer", Recorded),
        call("cost-micros", "the answer", Recorded),
        call("wall-ms", "the answer", Recorded),
        call("is-cancelled", "the answer", Recorded),
    ],
    resources: &[],
}];
pub(super) const ATTEST: &[ServedInterface] = &[ServedInterface {
    interface: "aim:witness/attest",
    functions: &[
        call("claim", "arguments and answer", Redone),
        call("cite", "arguments and answer", Redone),
        call("set-confidence", "arguments and answer", Redone),
        call("set-doubt", "arguments and answer", Redone),
        call("declare-impact", "arguments and answer", Redone),
        call("set-quip", "arguments and answer", Redone),
    ],
    resources: &[],
}];
pub(super) const CONSULT: &[ServedInterface] = &[ServedInterface {
    interface: "aim:gate/consult",
    functions: &[call(
        "check",
        "action, target, payload and decision",
        Redone,
    )],
    resources: &[],
}];
pub(super) const LOG: &[ServedInterface] = &[ServedInterface {
    interface: "aim:log/log",
    functions: &[call(
        "write",
        "digest of the line; the line is in the log",
        Redone,
    )],
    resources: &[],
}];
pub(super) const ARTIFACT: &[ServedInterface] = &[ServedInterface {
    interface: "aim:artifact/store",
    functions: &[
        call("read", "digest, offset, length asked and given", Content),
        call("put", "media type, digest and size", Redone),
        call("[static]writer.create", "media type", Redone),
        call("[method]writer.append", "digest of the piece", Redone),
        call("[static]writer.finish", "digest and size", Redone),
    ],
    resources: &["writer"],
}];
pub(super) const FILESYSTEM: &[ServedInterface] = &[
    ServedInterface {
        interface: "wasi:filesystem/types",
        functions: &[
            call(
                "[method]descriptor.open-at",
                "folder, path, flags and the file's digest, or the error",
                Content,
            ),
            call(
                "[method]descriptor.read-via-stream",
                "nothing; it follows from the opening",
                Content,
            ),
            call(
                "[method]descriptor.read",
                "nothing; it follows from the opening",
                Content,
            ),
            call("[method]descriptor.write-via-stream", "offset", Redone),
            call("[method]descriptor.append-via-stream", "the call", Redone),
            call(
                "[method]descriptor.write",
                "offset, length, digest and what came of it",
                Redone,
            ),
            call(
                "[method]descriptor.set-size",
                "size and what came of it",
                Redone,
            ),
            call("[method]descriptor.set-times", "the call", Redone),
            call("[method]descriptor.set-times-at", "the call", Redone),
            call(
                "[method]descriptor.create-directory-at",
                "path and what came of it",
                Redone,
            ),
            call(
                "[method]descriptor.remove-directory-at",
                "path and what came of it",
                Redone,
            ),
            call(
                "[method]descriptor.unlink-file-at",
                "path and what came of it",
                Redone,
            ),
            call(
                "[method]descriptor.rename-at",
                "both paths and what came of it",
                Redone,
            ),
            call("[method]descriptor.link-at", "the refusal", Redone),
            call("[method]descriptor.symlink-at", "the refusal", Redone),
            call(
                "[method]descriptor.readlink-at",
                "nothing; it follows from the opening",
                Content,
            ),
            call("[method]descriptor.advise", "nothing", Content),
            call("[method]descriptor.sync", "nothing", Content),
            call("[method]descriptor.sync-data", "nothing", Content),
            call(
                "[method]descriptor.get-flags",
                "nothing; it follows from the opening",
                Content,
            ),
            call(
                "[method]descriptor.get-type",
                "nothing; it follows from the opening",
                Content,
            ),
            call(
                "[method]descriptor.stat",
                "nothing; it follows from the opening",
                Content,
            ),
            call(
                "[method]descriptor.stat-at",
                "nothing; it follows from the opening",
                Content,
            ),
            call(
                "[method]descriptor.read-directory",
                "nothing; it follows from the opening",
                Content,
            ),
            call(
                "[method]descriptor.is-same-object",
                "nothing; it follows from the opening",
                Content,
            ),
            call(
                "[method]descriptor.metadata-hash",
                "nothing; it follows from the opening",
                Content,
            ),
            call(
                "[method]descriptor.metadata-hash-at",
                "nothing; it follows from the opening",
                Content,
            ),
            call(
                "[method]directory-entry-stream.read-directory-entry",
                "nothing; it follows from the opening",
                Content,
            ),
            call("filesystem-error-code", "nothing", Content),
        ],
        resources: &["descriptor", "directory-entry-stream"],
    },
    ServedInterface {
        interface: "wasi:filesystem/preopens",
        functions: &[call(
            "get-directories",
            "names and digests of the folders",
            Content,
        )],
        resources: &[],
    },
];
pub(super) const CLOCKS: &[ServedInterface] = &[
    ServedInterface {
        interface: "wasi:clocks/monotonic-clock",
        functions: &[
            call("now", "the reading", Recorded),
            call("resolution", "the answer", Recorded),
            call("subscribe-instant", "the instant", Redone),
            call("subscribe-duration", "the duration", Redone),
        ],
        resources: &[],
    },
    ServedInterface {
        interface: "wasi:clocks/wall-clock",
        functions: &[
            call("now", "the reading", Recorded),
            call("resolution", "the answer", Recorded),
        ],
        resources: &[],
    },
];
pub(super) const RANDOM: &[ServedInterface] = &[
    ServedInterface {
        interface: "wasi:random/random",
        functions: &[
            call("get-random-bytes", "length and the bytes", Recorded),
            call("get-random-u64", "the number", Recorded),
        ],
        resources: &[],
    },
    ServedInterface {
        interface: "wasi:random/insecure",
        functions: &[
            call(
                "get-insecure-random-bytes",
                "length and the bytes",
                Recorded,
            ),
            call("get-insecure-random-u64", "the number", Recorded),
        ],
        resources: &[],
    },
    ServedInterface {
        interface: "wasi:random/insecure-seed",
        functions: &[call("insecure-seed", "the numbers", Recorded)],
        resources: &[],
    },
];
pub(super) const CLI: &[ServedInterface] = &[
    ServedInterface {
        interface: "wasi:cli/environment",
        functions: &[
            call(
                "get-environment",
                "digest of the answer, which the grant holds",
                Recorded,
            ),
            call(
                "get-arguments",
                "digest of the answer, which the grant holds",
                Recorded,
            ),
            call("initial-cwd", "the answer", Recorded),
        ],
        resources: &[],
    },
    ServedInterface {
        interface: "wasi:cli/exit",
        functions: &[
            call("exit", "the code", Redone),
            call("exit-with-code", "the code", Redone),
        ],
        resources: &[],
    },
    ServedInterface {
        interface: "wasi:cli/stdin",
        functions: &[call(
            "get-stdin",
            "digest of what it gives, which the grant holds",
            Recorded,
        )],
        resources: &[],
    },
    ServedInterface {
        interface: "wasi:cli/stdout",
        functions: &[call(
            "get-stdout",
            "the call; what is written is in the log",
            Redone,
        )],
        resources: &[],
    },
    ServedInterface {
        interface: "wasi:cli/stderr",
        functions: &[call(
            "get-stderr",
            "the call; what is written is in the log",
            Redone,
        )],
        resources: &[],
    },
    ServedInterface {
        interface: "wasi:cli/terminal-input",
        functions: &[],
        resources: &["terminal-input"],
    },
    ServedInterface {
        interface: "wasi:cli/terminal-output",
        functions: &[],
        resources: &["terminal-output"],
    },
    ServedInterface {
        interface: "wasi:cli/terminal-stdin",
        functions: &[call(
            "get-terminal-stdin",
            "the call; there is none",
            Recorded,
        )],
        resources: &[],
    },
    ServedInterface {
        interface: "wasi:cli/terminal-stdout",
        functions: &[call(
            "get-terminal-stdout",
            "the call; there is none",
            Recorded,
        )],
        resources: &[],
    },
    ServedInterface {
        interface: "wasi:cli/terminal-stderr",
        functions: &[call(
            "get-terminal-stderr",
            "the call; there is none",
            Recorded,
        )],
        resources: &[],
    },
];
pub(super) const CONFIG: &[ServedInterface] = &[ServedInterface {
    interface: "wasi:config/store",
    functions: &[
        call("get", "key and value", Recorded),
        call("get-all", "keys and values", Recorded),
    ],
    resources: &[],
}];
pub(super) const KEYVALUE: &[ServedInterface] = &[
    ServedInterface {
        interface: "wasi:keyvalue/store",
        functions: &[
            call("open", "bucket and what came of it", Redone),
            call(
                "[method]bucket.get",
                "bucket, key, digest and size of the value",
                Content,
            ),
            call(
                "[method]bucket.set",
                "bucket, key, digest and size of the value",
                Redone,
            ),
            call("[method]bucket.delete", "bucket and key", Redone),
            call("[method]bucket.exists", "bucket, key and answer", Recorded),
            call(
                "[method]bucket.list-keys",
                "bucket, cursor and keys",
                Recorded,
            ),
        ],
        resources: &["bucket"],
    },
    ServedInterface {
        interface: "wasi:keyvalue/atomics",
        functions: &[call(
            "increment",
            "bucket, key, step and the new value",
            Redone,
        )],
        resources: &[],
    },
    ServedInterface {
        interface: "wasi:keyvalue/batch",
        functions: &[
            call(
                "get-many",
                "bucket, keys, digests and sizes of the values",
                Content,
            ),
            call(
                "set-many",
                "bucket, keys, digests and sizes of the values",
                Redone,
            ),
            call("delete-many", "bucket and keys", Redone),
        ],
        resources: &[],
    },
];
pub(super) const MODEL: &[ServedInterface] = &[ServedInterface {
    interface: "aim:model/complete",
    functions: &[call(
        "complete",
        "digest of the request and the denial",
        Recorded,
    )],
    resources: &[],
}];
pub(super) const CODEX: &[ServedInterface] = &[ServedInterface {
    interface: "aim:gate/codex",
    functions: &[
        call("document", "nothing; the codex is in the lock", Pinned),
        call(
            "prepared",
            "nothing; it follows from the codex and the component",
            Pinned,
        ),
    ],
    resources: &[],
}];

/// `wasi:http`. Only sending does anything: no incoming request ever exists, so its half has nothing to be called on.
pub(super) const HTTP: &[ServedInterface] = &[
    ServedInterface {
        interface: "wasi:http/types",
        functions: &[
            call(
                "[constructor]fields",
                "nothing; it is in the record of the request",
                Pinned,
            ),
            call(
                "[static]fields.from-list",
                "nothing; it is in the record of the request",
                Pinned,
            ),
            call(
                "[method]fields.get",
                "nothing; it is in the record of the request",
                Pinned,
            ),
            call(
                "[method]fields.has",
                "nothing; it is in the record of the request",
                Pinned,
            ),
            call(
                "[method]fields.set",
                "nothing; it is in the record of the request",
                Pinned,
            ),
            call(
                "[method]fields.delete",
                "nothing; it is in the record of the request",
                Pinned,
            ),
            call(
                "[method]fields.append",
                "nothing; it is in the record of the request",
                Pinned,
            ),
            call(
                "[method]fields.entries",
                "nothing; it is in the record of the request",
                Pinned,
            ),
            call(
                "[method]fields.clone",
                "nothing; it is in the record of the request",
                Pinned,
            ),
            call(
                "[constructor]outgoing-request",
                "nothing; it is in the record of the request",
                Pinned,
            ),
            call(
                "[method]outgoing-request.body",
                "nothing; it is in the record of the request",
                Pinned,
            ),
            call(
                "[method]outgoing-request.method",
                "nothing; it is in the record of the request",
                Pinned,
            ),
            call(
                "[method]outgoing-request.set-method",
                "nothing; it is in the record of the request",
                Pinned,
            ),
            call(
                "[method]outgoing-request.path-with-query",
                "nothing; it is in the record of the request",
                Pinned,
            ),
            call(
                "[method]outgoing-request.set-path-with-query",
                "nothing; it is in the record of the request",
                Pinned,
            ),
            call(
                "[method]outgoing-request.scheme",
                "nothing; it is in the record of the request",
                Pinned,
            ),
            call(
                "[method]outgoing-request.set-scheme",
                "nothing; it is in the record of the request",
                Pinned,
            ),
            call(
                "[method]outgoing-request.authority",
                "nothing; it is in the record of the request",
                Pinned,
            ),
            call(
                "[method]outgoing-request.set-authority",
                "nothing; it is in the record of the request",
                Pinned,
            ),
            call(
                "[method]outgoing-request.headers",
                "nothing; it is in the record of the request",
                Pinned,
            ),
            call(
                "[constructor]request-options",
                "nothing; it is in the record of the request",
                Pinned,
            ),
            call(
                "[method]request-options.connect-timeout",
                "nothing; it is in the record of the request",
                Pinned,
            ),
            call(
                "[method]request-options.set-connect-timeout",
                "nothing; it is in the record of the request",
                Pinned,
            ),
            call(
                "[method]request-options.first-byte-timeout",
                "nothing; it is in the record of the request",
                Pinned,
            ),
            call(
                "[method]request-options.set-first-byte-timeout",
                "nothing; it is in the record of the request",
                Pinned,
            ),
            call(
                "[method]request-options.between-bytes-timeout",
                "nothing; it is in the record of the request",
                Pinned,
            ),
            call(
                "[method]request-options.set-between-bytes-timeout",
                "nothing; it is in the record of the request",
                Pinned,
            ),
            call(
                "[method]incoming-response.status",
                "nothing; it is in the record of the request",
                Recorded,
            ),
            call(
                "[method]incoming-response.headers",
                "nothing; it is in the record of the request",
                Recorded,
            ),
            call(
                "[method]incoming-response.consume",
                "nothing; it is in the record of the request",
                Recorded,
            ),
            call(
                "[method]incoming-body.stream",
                "nothing; it is in the record of the request",
                Recorded,
            ),
            call(
                "[static]incoming-body.finish",
                "nothing; it is in the record of the request",
                Recorded,
            ),
            call(
                "[method]future-trailers.subscribe",
                "nothing; it is in the record of the request",
                Recorded,
            ),
            call(
                "[method]future-trailers.get",
                "nothing; it is in the record of the request",
                Recorded,
            ),
            call(
                "[method]outgoing-body.write",
                "nothing; it is in the record of the request",
                Pinned,
            ),
            call(
                "[static]outgoing-body.finish",
                "nothing; it is in the record of the request",
                Pinned,
            ),
            call(
                "[method]future-incoming-response.subscribe",
                "nothing; it is in the record of the request",
                Recorded,
            ),
            call(
                "[method]future-incoming-response.get",
                "nothing; it is in the record of the request",
                Recorded,
            ),
            call(
                "[method]incoming-request.method",
                "nothing; no request comes in",
                Pinned,
            ),
            call(
                "[method]incoming-request.path-with-query",
                "nothing; no request comes in",
                Pinned,
            ),
            call(
                "[method]incoming-request.scheme",
                "nothing; no request comes in",
                Pinned,
            ),
            call(
                "[method]incoming-request.authority",
                "nothing; no request comes in",
                Pinned,
            ),
            call(
                "[method]incoming-request.headers",
                "nothing; no request comes in",
                Pinned,
            ),
            call(
                "[method]incoming-request.consume",
                "nothing; no request comes in",
                Pinned,
            ),
            call(
                "[method]response-outparam.send-informational",
                "nothing; no request comes in",
                Pinned,
            ),
            call(
                "[static]response-outparam.set",
                "nothing; no request comes in",
                Pinned,
            ),
            call(
                "[constructor]outgoing-response",
                "nothing; no request comes in",
                Pinned,
            ),
            call(
                "[method]outgoing-response.status-code",
                "nothing; no request comes in",
                Pinned,
            ),
            call(
                "[method]outgoing-response.set-status-code",
                "nothing; no request comes in",
                Pinned,
            ),
            call(
                "[method]outgoing-response.headers",
                "nothing; no request comes in",
                Pinned,
            ),
            call(
                "[method]outgoing-response.body",
                "nothing; no request comes in",
                Pinned,
            ),
            call(
                "http-error-code",
                "nothing; it is in the record of the request",
                Pinned,
            ),
        ],
        resources: &[
            "fields",
            "outgoing-request",
            "request-options",
            "incoming-response",
            "incoming-body",
            "future-trailers",
            "outgoing-body",
            "future-incoming-response",
            "incoming-request",
            "response-outparam",
            "outgoing-response",
        ],
    },
    ServedInterface {
        interface: "wasi:http/outgoing-handler",
        functions: &[call("handle", "request and answer, whole", Recorded)],
        resources: &[],
    },
];
pub(super) const SECRETS: &[ServedInterface] = &[ServedInterface {
    interface: "aim:secret/handles",
    functions: &[
        call("names", "the names", Pinned),
        call("placeholder", "name and placeholder", Pinned),
    ],
    resources: &[],
}];
