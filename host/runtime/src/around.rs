//! What an attempt finds around it: this host, or an earlier try of it as the record has it.
//!
//! A replay differs from what it replays in here and in nothing else: where time, state and the answers to host calls come
//! from. Gates are components with a codex and no effect, so they are asked again in both.
//!
//! INVARIANT: there is one loop; it doesn't know which of the two it runs in.

use std::sync::Arc;

use aim_core::{effect::EffectRecord, pool::Prices, transcript::Transcript};
use aim_engine::Resources;
use aim_ports::{PortError, clock::Clock, services::StepServices};

use crate::{
    attempt::RunFacts,
    history::Scope,
    host::Host,
    outside::EffectDesk,
    replay::Recorded,
    services::{Asking, AttemptServices, Contents},
    unit::Unit,
};

/// Where an attempt runs.
pub(crate) enum Around<'a> {
    /// On this host, for good.
    Live(Live<'a>),
    /// In its own past: nothing is done outside, nothing is kept.
    Recorded(&'a Recorded),
}

/// A host, and what the attempt has of it for itself.
pub(crate) struct Live<'a> {
    pub(crate) host: &'a Host,
    pub(crate) contents: &'a Arc<Contents>,
    pub(crate) desk: &'a Arc<EffectDesk>,
}

impl<'a> Around<'a> {
    /// On `host`, with what the attempt has of it for itself.
    pub(crate) const fn live(
        host: &'a Host,
        contents: &'a Arc<Contents>,
        desk: &'a Arc<EffectDesk>,
    ) -> Self {
        Self::Live(Live {
            host,
            contents,
            desk,
        })
    }

    /// Where a gate's own last verdict is looked up.
    pub(crate) fn scope(&self, unit: &Unit, run: &RunFacts) -> Scope {
        match self {
            Self::Live(live) => Scope {
                history: Arc::clone(&live.host.history),
                run: run.run,
                step: unit.step.name.clone(),
                turnstile: live.host.turnstile.clone(),
            },
            Self::Recorded(recorded) => recorded.scope.clone(),
        }
    }

    /// The log whose host takes the attempt's tokens.
    pub(crate) fn origin(&self) -> &str {
        match self {
            Self::Live(live) => &live.host.facts.origin,
            Self::Recorded(recorded) => &recorded.origin,
        }
    }

    /// The time that tokens expire by.
    pub(crate) fn clock(&self) -> Arc<dyn Clock> {
        match self {
            Self::Live(live) => Arc::clone(&live.host.clock),
            Self::Recorded(recorded) => Arc::clone(&recorded.clock),
        }
    }

    /// Everything that the unit's grant names, as it is when the attempt begins.
    pub(crate) async fn resources(
        &self,
        unit: &Unit,
        run: &RunFacts,
    ) -> Result<Resources, PortError> {
        match self {
            Self::Live(live) => live.host.effects.resources(live.host, unit, run).await,
            Self::Recorded(recorded) => Ok(recorded.resources.clone()),
        }
    }

    /// What host calls reach.
    pub(crate) fn services(
        &self,
        unit: &Unit,
        run: &RunFacts,
        scope: &Scope,
    ) -> Arc<dyn StepServices> {
        let live = match self {
            Self::Live(live) => live,
            Self::Recorded(recorded) => return Arc::clone(&recorded.services) as _,
        };
        Arc::new(AttemptServices {
            contents: Arc::clone(live.contents),
            store: Arc::clone(&live.host.store),
            asking: Asking::new(unit, run.plan_name.as_str(), scope),
            desk: Arc::clone(live.desk),
        })
    }

    /// The host calls that answer in place of this machine.
    pub(crate) fn playback(&self) -> Option<Arc<Transcript>> {
        match self {
            Self::Live(_) => None,
            Self::Recorded(recorded) => Some(Arc::clone(&recorded.transcript)),
        }
    }

    /// What calls cost. A record tells what was used, and not what it was worth.
    pub(crate) fn prices(&self) -> Prices {
        match self {
            Self::Live(live) => live.host.outside.prices,
            Self::Recorded(_) => Prices::default(),
        }
    }

    /// Ends the attempt's effects, and lists them.
    pub(crate) async fn close(&self) -> Vec<EffectRecord> {
        match self {
            Self::Live(live) => live.desk.close().await,
            Self::Recorded(recorded) => recorded.services.effects(),
        }
    }
}
