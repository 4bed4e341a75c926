//! Why a component can not be read, compiled or loaded; running has outcomes instead (`crate::invoke`).
//!
//! INVARIANT: every refusal has a stable code and never repeats bytes of the component unescaped.

use core::fmt;

/// Why bytes are not a component that this host would load.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InspectError {
    /// Larger than the cap.
    #[error("component has {size_bytes} bytes, more than the {max_bytes} that are allowed")]
    TooLarge {
        /// Its size.
        size_bytes: usize,
        /// The cap.
        max_bytes: usize,
    },
    /// Not WebAssembly in binary form.
    #[error("file is not a WebAssembly component in binary form{hint}")]
    NotBinary {
        /// What it may be instead; empty or starting with a semicolon.
        hint: &'static str,
    },
    /// A core module, not a component.
    #[error("file is a bare core module, not a component{hint}")]
    CoreModule {
        /// What it imports, when that says how to fix it; empty or starting with a semicolon.
        hint: &'static str,
    },
    /// Ends early.
    #[error("component is cut off at byte {offset}")]
    Truncated {
        /// Where more was expected.
        offset: usize,
    },
    /// Breaks the format or uses a switched-off proposal.
    #[error("component is malformed at byte {offset}: {detail}")]
    Malformed {
        /// Where.
        offset: usize,
        /// What the parser says, escaped and shortened.
        detail: String,
    },
    /// Components inside components, deeper than allowed.
    #[error("component nests {depth} deep, more than the {max} levels that are allowed")]
    TooDeep {
        /// How deep.
        depth: u32,
        /// The cap.
        max: u32,
    },
    /// More of something than allowed.
    #[error("component has more than {max} {what}")]
    TooMany {
        /// What.
        what: &'static str,
        /// The cap.
        max: usize,
    },
}

impl InspectError {
    /// The stable code.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::TooLarge { .. } => "AIM-A020",
            Self::NotBinary { .. } => "AIM-A021",
            Self::CoreModule { .. } => "AIM-A022",
            Self::Truncated { .. } => "AIM-A023",
            Self::Malformed { .. } => "AIM-A024",
            Self::TooDeep { .. } => "AIM-A025",
            Self::TooMany { .. } => "AIM-A026",
        }
    }

    /// What to do about it.
    #[must_use]
    pub fn help(&self) -> String {
        match self {
            Self::TooLarge { .. } => "strip the component, or build it without debug information",
            Self::NotBinary { .. } => "give the `.wasm` file that the build wrote",
            Self::CoreModule { .. } => {
                "build for `wasm32-wasip2`, or wrap the module with `wasm-tools component new`"
            }
            Self::Truncated { .. } => "copy or build the file again",
            Self::Malformed { .. } => {
                "build with a current toolchain; proposals beyond WebAssembly 2.0 are off"
            }
            Self::TooDeep { .. } | Self::TooMany { .. } => "build a flatter component",
        }
        .to_owned()
    }
}

/// Why native code could not be made.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CompileError {
    /// The compiler could not be set up.
    #[error("compiler can not be set up: {0}")]
    Profile(String),
    /// The component does not compile.
    #[error("component does not compile: {0}")]
    Component(String),
}

impl CompileError {
    /// The stable code.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Profile(_) => "AIM-A030",
            Self::Component(_) => "AIM-A031",
        }
    }
}

/// Why the engine could not be set up.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EngineError {
    /// No allocator of the preference works here.
    #[error("engine can not be set up: {0}")]
    Config(String),
    /// A thread could not be started.
    #[error("engine can not start its tick thread: {0}")]
    Thread(String),
}

impl EngineError {
    /// The stable code.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Config(_) => "AIM-R001",
            Self::Thread(_) => "AIM-R002",
        }
    }
}

/// Why native code could not be loaded and linked.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LoadError {
    /// The native code is for another engine, profile or machine, or damaged.
    #[error("native code can not be loaded: {0}")]
    NativeCode(String),
    /// The engine of the component's class can not be set up.
    #[error(transparent)]
    Engine(#[from] EngineError),
    /// The linkage was computed for the other world.
    #[error("linkage is for a {admitted}, not for a {wanted}")]
    World {
        /// The world it was admitted for.
        admitted: &'static str,
        /// The world that was to be loaded.
        wanted: &'static str,
    },
    /// The native code imports something that the linkage does not bind, so it is not the admitted component.
    #[error("native code imports `{0}`, which admission did not bind")]
    Unbound(String),
    /// A bound import has another shape than the host's.
    #[error("component does not fit the host's interfaces: {0}")]
    Link(String),
    /// The world's function has another shape.
    #[error("component exports `{export}` with another shape: {detail}")]
    Export {
        /// The function.
        export: &'static str,
        /// The difference.
        detail: String,
    },
}

impl LoadError {
    /// The stable code.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Engine(error) => error.code(),
            Self::NativeCode(_) => "AIM-A032",
            Self::World { .. } => "AIM-A033",
            Self::Unbound(_) => "AIM-A034",
            Self::Link(_) => "AIM-A035",
            Self::Export { .. } => "AIM-A036",
        }
    }
}

/// Text from a component or the engine, shortened and with control characters escaped.
pub(crate) fn shown(error: &dyn fmt::Display) -> String {
    crate::text::neutralise(&format!("{error:#}"), 400)
}
