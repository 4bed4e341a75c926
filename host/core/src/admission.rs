//! Whether a component may be linked, and to what: exact import strings against asks, grant and the served table.
//!
//! Every mismatch is collected; one report names them all. The engine links from a [`Linkage`] and from nothing else.
//!
//! INVARIANT: a `Linkage` comes only from [`admit`] without a mismatch, and binds only strings that the component imports.

use alloc::{
    borrow::ToOwned,
    format,
    string::{String, ToString},
    vec::Vec,
};

use serde::{Deserialize, Serialize};

use crate::{
    access::{Ask, Capability, Grant},
    adapter::Profile,
    capability::{self, ImportName, PACKAGES, PLUMBING},
    class::Class,
    digest::Digest,
    inspection::{ImportedInstance, Inspection},
};

/// What a component is built for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum World {
    /// Handles envelopes.
    Step,
    /// Judges requests; has the codex and no effect.
    Gate,
}

impl World {
    /// The export that the world requires, exactly.
    #[must_use]
    pub const fn export(self) -> &'static str {
        match self {
            Self::Step => "aim:step/handler@0.1.0",
            Self::Gate => "aim:gate/judge@0.1.0",
        }
    }

    /// The word used in contracts.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Step => "step",
            Self::Gate => "gate",
        }
    }

    /// True when components of this world may use `capability` at all.
    #[must_use]
    pub const fn allows(self, capability: Capability) -> bool {
        match self {
            Self::Step => !matches!(capability, Capability::Codex),
            Self::Gate => matches!(capability, Capability::Codex),
        }
    }
}

/// What a component is admitted under.
#[derive(Debug, Clone, Copy)]
pub struct AdmissionRequest<'a> {
    /// The world that its contract names.
    pub world: World,
    /// What its contract asks for.
    pub asks: &'a [Ask],
    /// What of that is granted.
    pub grant: &'a Grant,
    /// The toolchain whose unused imports the contract wants adapted.
    pub adapt: Option<Profile>,
    /// How large the component may be: the operator's choice for the node.
    pub class: Class,
}

/// What an import is bound to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum How {
    /// The host's implementation, under the grant.
    Serve(Capability),
    /// The adapter table's answers.
    Adapt,
    /// The streams and polls that granted and adapted interfaces need.
    Plumbing,
    /// Nothing: only types are imported.
    TypesOnly,
}

/// One import and what it is bound to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Binding {
    /// The import with its exact string.
    pub import: ImportedInstance,
    /// `package/interface`, without a version.
    pub interface: String,
    /// What it is bound to.
    pub how: How,
}

/// The only thing that the engine links from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Linkage {
    component: Digest,
    world: World,
    class: Class,
    adapt: Option<Profile>,
    bindings: Vec<Binding>,
    unused_asks: Vec<Ask>,
    extra_exports: Vec<String>,
}

impl Linkage {
    /// The component that was admitted.
    #[must_use]
    pub const fn component(&self) -> Digest {
        self.component
    }

    /// The world it was admitted for.
    #[must_use]
    pub const fn world(&self) -> World {
        self.world
    }

    /// How large it may be.
    #[must_use]
    pub const fn class(&self) -> Class {
        self.class
    }

    /// The toolchain profile that its adapted imports are answered by.
    #[must_use]
    pub const fn adapt(&self) -> Option<Profile> {
        self.adapt
    }

    /// One binding for each import, in the order of the component.
    #[must_use]
    pub fn bindings(&self) -> &[Binding] {
        &self.bindings
    }

    /// Asks that the component has no import for: harmless, worth removing.
    #[must_use]
    pub fn unused_asks(&self) -> &[Ask] {
        &self.unused_asks
    }

    /// Exports beside the world's own; they are never called.
    #[must_use]
    pub fn extra_exports(&self) -> &[String] {
        &self.extra_exports
    }
}

/// Why one thing about a component does not fit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Reason {
    /// The contract does not ask for it.
    NotAsked,
    /// Asked for and not granted.
    NotGranted,
    /// The host knows no such interface.
    UnknownInterface,
    /// The host serves the interface in other versions only.
    UnknownVersion,
    /// The host serves the interface without that function or resource.
    UnknownFunction,
    /// Only a toolchain profile could satisfy it, and the contract names none that covers it.
    NotAdapted,
    /// The component is too large for its class.
    TooBig,
    /// An import that would be adapted has a version that the profile's toolchain does not write.
    OtherToolchain,
    /// The world has no place for the capability.
    NotInWorld,
    /// A function, module, component or value at the root, or inside an instance.
    Shape,
    /// The world's export is missing.
    MissingExport,
}

impl Reason {
    /// The stable code.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::NotAsked => "AIM-A001",
            Self::NotGranted => "AIM-A002",
            Self::UnknownInterface => "AIM-A003",
            Self::UnknownVersion => "AIM-A004",
            Self::UnknownFunction => "AIM-A005",
            Self::NotAdapted => "AIM-A006",
            Self::NotInWorld => "AIM-A008",
            Self::Shape => "AIM-A009",
            Self::MissingExport => "AIM-A010",
            Self::TooBig => "AIM-A050",
            Self::OtherToolchain => "AIM-A051",
        }
    }
}

/// One thing that does not fit.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{subject}` {what}")]
pub struct Mismatch {
    /// Why.
    pub reason: Reason,
    /// The exact import or export string, or the profile's name.
    pub subject: String,
    /// What is wrong with it.
    pub what: String,
    /// What to do about it.
    pub remedy: String,
}

impl Mismatch {
    /// The stable code.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        self.reason.code()
    }

    /// What to do about it.
    #[must_use]
    pub fn help(&self) -> String {
        self.remedy.clone()
    }

    /// True when the operator refused it, so that the run ends as denied; all others are faults of the configuration.
    #[must_use]
    pub const fn is_denial(&self) -> bool {
        matches!(self.reason, Reason::NotGranted)
    }
}

fn mismatch(reason: Reason, subject: &str, what: String, remedy: String) -> Mismatch {
    Mismatch {
        reason,
        subject: subject.to_owned(),
        what,
        remedy,
    }
}

/// Decides whether and how a component is linked.
///
/// # Errors
/// All mismatches, in the order of the component's imports; never an empty list.
pub fn admit(
    inspection: &Inspection,
    request: &AdmissionRequest<'_>,
) -> Result<Linkage, Vec<Mismatch>> {
    let mut faults = Vec::new();
    faults.extend(too_big(inspection, request.class));
    for name in &inspection.root_imports {
        faults.push(mismatch(
            Reason::Shape,
            name,
            "is imported at the root, where only interfaces can be".to_owned(),
            "rebuild the component against a WIT world".to_owned(),
        ));
    }
    let mut bindings = Vec::new();
    for import in &inspection.imports {
        match bind(import, request) {
            Ok((interface, how)) => bindings.push(Binding {
                import: import.clone(),
                interface,
                how,
            }),
            Err(mut found) => faults.append(&mut found),
        }
    }
    check_plumbing(&bindings, &mut faults);
    let extra_exports = check_exports(inspection, request.world, &mut faults);
    if !faults.is_empty() {
        return Err(faults);
    }
    let is_used = |ask: &&Ask| {
        bindings
            .iter()
            .any(|binding| binding.how == How::Serve(ask.capability))
    };
    let unused_asks = request.asks.iter().filter(|ask| !is_used(ask)).cloned();
    Ok(Linkage {
        component: inspection.digest,
        world: request.world,
        class: request.class,
        adapt: request.adapt,
        unused_asks: unused_asks.collect(),
        bindings,
        extra_exports,
    })
}

/// One fault that names everything that is too large.
fn too_big(inspection: &Inspection, class: Class) -> Option<Mismatch> {
    let excess = class.excess(inspection);
    if excess.is_empty() {
        return None;
    }
    let remedy = match Class::needed_by(inspection) {
        Some(needed) => format!(
            "the operator can give the node that room: `{} = [\"<node id>\"]` under `[operator]` in aim.toml",
            needed.word()
        ),
        None => "build a smaller component; no class has room for it".to_owned(),
    };
    let what = format!(
        "is too large for the {} class: {}",
        class.word(),
        excess.join(", ")
    );
    let subject = inspection.digest.to_string();
    Some(mismatch(Reason::TooBig, &subject, what, remedy))
}

fn bind(
    import: &ImportedInstance,
    request: &AdmissionRequest<'_>,
) -> Result<(String, How), Vec<Mismatch>> {
    let subject = import.name.as_str();
    let name = served_name(subject).map_err(|fault| alloc::vec![fault])?;
    if import.has_other_items {
        return Err(alloc::vec![mismatch(
            Reason::Shape,
            subject,
            "imports something else than functions, resources and types".to_owned(),
            "rebuild the component against a WIT world".to_owned(),
        )]);
    }
    let interface = name.interface.to_owned();
    if import.is_types_only() {
        return Ok((interface, How::TypesOnly));
    }
    if PLUMBING.contains(&name.interface) {
        check_items(import, &name, |function| {
            crate::adapter::answer(name.interface, function).is_some()
        })?;
        return Ok((interface, How::Plumbing));
    }
    match served_by(&name, request) {
        Served::Granted(capability, row) => {
            check_items(import, &name, |function| row.has_function(function))?;
            Ok((interface, How::Serve(capability)))
        }
        Served::Adapted => {
            check_items(import, &name, |function| {
                crate::adapter::answer(name.interface, function).is_some()
            })?;
            Ok((interface, How::Adapt))
        }
        Served::No(fault) => Err(alloc::vec![fault]),
    }
}

fn served_name(subject: &str) -> Result<ImportName<'_>, Mismatch> {
    let unknown = || {
        mismatch(
            Reason::UnknownInterface,
            subject,
            "is not an interface that this host knows".to_owned(),
            "build the component without it; no setting can link it".to_owned(),
        )
    };
    let name = ImportName::parse(subject).ok_or_else(unknown)?;
    let is_types_package = matches!(name.interface, "aim:types/types" | "aim:gate/types");
    let is_types = is_types_package && PACKAGES.contains(&name.package);
    if !name.is_known() && !is_types {
        return Err(unknown());
    }
    if name.has_served_version() {
        return Ok(name);
    }
    let versions = name.served_versions();
    let served = match (versions.first(), versions.last()) {
        (Some(first), Some(last)) if first != last => format!("{first} to {last}"),
        (Some(only), _) => (*only).to_string(),
        _ => "none".to_owned(),
    };
    Err(mismatch(
        Reason::UnknownVersion,
        subject,
        format!("has a version that this host does not serve; it serves {served}"),
        "rebuild the component against a served version".to_owned(),
    ))
}

enum Served {
    Granted(Capability, &'static capability::ServedInterface),
    Adapted,
    No(Mismatch),
}

fn served_by(name: &ImportName<'_>, request: &AdmissionRequest<'_>) -> Served {
    let subject = format!("{}@{}", name.interface, name.version);
    let adapts = request
        .adapt
        .is_some_and(|profile| profile.covers(name.interface));
    let adapted = || match request.adapt {
        Some(profile) if !profile.versions().contains(&name.version) => {
            Served::No(other_toolchain(&subject, profile))
        }
        _ => Served::Adapted,
    };
    let Some((capability, row)) = name.capability() else {
        return if adapts {
            adapted()
        } else {
            Served::No(not_adapted(&subject, name.interface))
        };
    };
    // A gate's codex is what the world is for: it comes from the deployment, not from an ask.
    if capability == Capability::Codex && request.world == World::Gate {
        return Served::Granted(capability, row);
    }
    let is_asked = request.asks.iter().any(|ask| ask.capability == capability);
    if !is_asked && adapts {
        return adapted();
    }
    if !request.world.allows(capability) {
        return Served::No(mismatch(
            Reason::NotInWorld,
            &subject,
            format!("has no place in a {}", request.world.word()),
            "build the component for the world that its contract names".to_owned(),
        ));
    }
    if !is_asked {
        return Served::No(mismatch(
            Reason::NotAsked,
            &subject,
            "is imported and the contract does not ask for it".to_owned(),
            format!("add `capability: {capability}` to the contract's asks, or stop importing it"),
        ));
    }
    if !request.grant.permits(capability, None) {
        return Served::No(mismatch(
            Reason::NotGranted,
            &subject,
            format!("needs `{capability}`, which is asked for and not granted"),
            format!("the operator's policy must permit `{capability}` for this step"),
        ));
    }
    Served::Granted(capability, row)
}

fn other_toolchain(subject: &str, profile: Profile) -> Mismatch {
    let versions = profile.versions().join(", ");
    mismatch(
        Reason::OtherToolchain,
        subject,
        format!("is no import that the toolchain of `{profile}` writes; it writes {versions}"),
        "name the profile of the toolchain that built the component, or build it with the profile's toolchain".to_owned(),
    )
}

fn not_adapted(subject: &str, interface: &str) -> Mismatch {
    let profile = Profile::ALL
        .into_iter()
        .find(|profile| profile.covers(interface));
    let remedy = match profile {
        Some(profile) => format!("add `adapt: {profile}` to the contract, or build without it"),
        None => "build the component without it; no setting can link it".to_owned(),
    };
    mismatch(
        Reason::NotAdapted,
        subject,
        "can not be granted, only adapted for a toolchain, and the contract adapts none that covers it"
            .to_owned(),
        remedy,
    )
}

fn check_items(
    import: &ImportedInstance,
    name: &ImportName<'_>,
    is_served: impl Fn(&str) -> bool,
) -> Result<(), Vec<Mismatch>> {
    let faults: Vec<Mismatch> = import
        .functions
        .iter()
        .filter(|function| !is_served(function))
        .map(|function| {
            mismatch(
                Reason::UnknownFunction,
                &import.name,
                format!("has a function `{function}` that this host does not serve"),
                format!(
                    "rebuild the component against the host's own `{}`",
                    name.package
                ),
            )
        })
        .collect();
    if faults.is_empty() {
        Ok(())
    } else {
        Err(faults)
    }
}

/// Streams and polls follow from something granted or adapted; alone they are undeclared imports like any other.
fn check_plumbing(bindings: &[Binding], faults: &mut Vec<Mismatch>) {
    let has_user = bindings.iter().any(|binding| match binding.how {
        How::Adapt => true,
        How::Serve(capability) => capability.uses_io(),
        How::Plumbing | How::TypesOnly => false,
    });
    if has_user {
        return;
    }
    for binding in bindings
        .iter()
        .filter(|binding| binding.how == How::Plumbing)
    {
        faults.push(mismatch(
            Reason::NotAsked,
            &binding.import.name,
            "is imported and nothing granted or adapted needs it".to_owned(),
            format!(
                "add `adapt: {}` to the contract, or stop importing it",
                Profile::Std
            ),
        ));
    }
}

fn check_exports(inspection: &Inspection, world: World, faults: &mut Vec<Mismatch>) -> Vec<String> {
    let required = world.export();
    if !inspection.exports.iter().any(|export| export == required) {
        faults.push(mismatch(
            Reason::MissingExport,
            required,
            format!("is not exported, and a {} must export it", world.word()),
            "build the component for the world that its contract names".to_owned(),
        ));
    }
    let extras = inspection
        .exports
        .iter()
        .filter(|export| *export != required);
    extras.cloned().collect()
}

#[cfg(test)]
mod tests;
