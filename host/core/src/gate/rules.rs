//! What a deployment wants of its gates, as one set of rules with one digest.
//!
//! INVARIANT: a lock pins the digest, so rules that come from elsewhere count only when they have it.

use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

use super::floor::Floors;
use crate::{
    digest::Digest,
    kappa::{composite::CompositeRule, demand::ConfidenceRules},
};

/// What a deployment wants of gates, and what is done after them.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct GateRules {
    /// What every score must reach at least.
    pub floors: Floors,
    /// How several risks make one outcome; without it none is composed.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub composite: Option<CompositeRule>,
    /// What confidences are held against.
    pub confidence: ConfidenceRules,
    /// True when outputs that people may release are kept aside instead of dropped.
    pub is_quarantining: bool,
}

impl GateRules {
    /// The digest that a lock pins; `None` for no rules at all.
    #[must_use]
    pub fn digest(&self) -> Option<Digest> {
        let composite = self.composite.as_ref().map(CompositeRule::digest);
        let confidence = self.confidence.digest();
        let says_nothing = self.floors == Floors::default() && !self.is_quarantining;
        if says_nothing && composite.is_none() && confidence.is_none() {
            return None;
        }
        let Floors {
            hysteresis_ppm,
            kappa_ppm,
            review_below_ppm,
        } = self.floors;
        let mut fields = Vec::new();
        for number in [hysteresis_ppm, kappa_ppm, review_below_ppm] {
            fields.extend_from_slice(&number.to_le_bytes());
        }
        fields.push(u8::from(self.is_quarantining));
        let composite = composite.map_or([0; 32], |digest| *digest.as_bytes());
        let confidence = confidence.map_or([0; 32], |digest| *digest.as_bytes());
        let parts: [&[u8]; 3] = [&fields, &composite, &confidence];
        Some(Digest::derive("gate-rules", &parts))
    }
}
