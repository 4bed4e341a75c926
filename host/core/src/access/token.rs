//! Capability tokens: a granted use as something that is spent, runs out, and can be divided but never multiplied.
//!
//! The host mints one token for each granted use of an attempt, from the grant and the attempt's id. Its number (`jti`) is
//! derived, so two hosts mint the same; what was minted and spent stands in the witness, which is signed. Guests never
//! hold a token and can not name one: the door spends it for them.
//!
//! INVARIANT: a token is linear. It can't be copied, only moved; splitting consumes it, and the parts together are never
//! more than what was left of it, never live longer and never cover more.

use alloc::{
    format,
    string::{String, ToString},
    vec::Vec,
};

use serde::{Deserialize, Serialize};

use super::{Ask, Capability, Grant, GrantMatcher, Mode, Use, action_name};
use crate::{
    id::{AttemptId, CapId},
    limits::Limits,
    time::Timestamp,
};

/// The most runs of call numbers that are kept for one token; past that only the count goes on.
const RUNS_MAX: usize = 256;

/// How much may be done with a token in all.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TokenLimits {
    /// Bytes, both ways.
    pub bytes: u64,
    /// Calls.
    pub calls: u32,
}

impl TokenLimits {
    /// What each of `branches` gets of it. What can't be divided is given up.
    ///
    /// # Errors
    /// [`SplitError`] for no branches, or more than there are calls, or bytes where there are any.
    pub fn divided(self, branches: u32) -> Result<Self, SplitError> {
        let calls = self.calls.checked_div(branches).unwrap_or(0);
        let bytes = self.bytes.checked_div(u64::from(branches)).unwrap_or(0);
        if calls == 0 || (bytes == 0 && self.bytes > 0) {
            return Err(SplitError {
                branches,
                bytes: self.bytes,
                calls: self.calls,
            });
        }
        Ok(Self { bytes, calls })
    }

    /// What an ask leaves of it.
    #[must_use]
    fn within(self, ask: &Ask) -> Self {
        Self {
            bytes: (ask.bytes_max).map_or(self.bytes, |max| max.min(self.bytes)),
            calls: (ask.calls_max).map_or(self.calls, |max| max.min(self.calls)),
        }
    }

    /// What a step's limits let it do with one use in all.
    #[must_use]
    pub fn of(limits: &Limits) -> Self {
        let bytes =
            u64::from(limits.host_calls_max).saturating_mul(u64::from(limits.host_call_bytes_max));
        Self {
            bytes,
            calls: limits.host_calls_max,
        }
    }
}

/// What a token says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TokenClaims {
    /// The action: `artifact.put`.
    pub act: String,
    /// The only host that takes it: the origin of its log.
    pub aud: String,
    /// The last moment at which it can be spent.
    pub exp: Timestamp,
    /// Its number, which labels what was got with it.
    pub jti: CapId,
    /// What may be done with it in all.
    pub lim: TokenLimits,
    /// What it is for: `Folder/logs`.
    pub res: String,
    /// Who may spend it: `<plan>/<step path>`.
    pub sub: String,
}

/// A token. It has no `Clone`: whoever has it can spend it, hand it on or divide it, once.
#[derive(Debug, PartialEq, Eq)]
pub struct CapToken {
    claims: TokenClaims,
    used: TokenLimits,
}

/// Why a token can't be divided.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{calls} calls of {bytes} bytes can not be split into {branches} parts")]
pub struct SplitError {
    /// The parts that were wanted.
    pub branches: u32,
    /// The bytes that are left.
    pub bytes: u64,
    /// The calls that are left.
    pub calls: u32,
}

impl SplitError {
    /// The stable code.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        "AIM-P043"
    }
}

/// One of the parallel branches that a step runs in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Branch {
    /// Which one, from 0.
    pub index: u32,
    /// How many there are.
    pub of: u32,
}

/// Why a use is not covered. Every one of them is a violation and ends as a denial of the call.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SpendError {
    /// No token is for it.
    #[error("requires {wanted}; have {have}")]
    Missing {
        /// The use that was wanted.
        wanted: String,
        /// The uses of that capability that there are tokens for, or `nothing`.
        have: String,
    },
    /// It expired.
    #[error("{jti} for {act} expired at {exp}: the contract's ask can give it more time")]
    Expired {
        /// The token.
        jti: CapId,
        /// Its action.
        act: String,
        /// Since when.
        exp: Timestamp,
    },
    /// Its calls are used up.
    #[error("{jti} for {act} was good for {calls} calls: the contract's ask can name more")]
    Calls {
        /// The token.
        jti: CapId,
        /// Its action.
        act: String,
        /// How many calls it was good for.
        calls: u32,
    },
    /// Its bytes are used up.
    #[error("{jti} for {act} was good for {bytes} bytes: the contract's ask can name more")]
    Bytes {
        /// The token.
        jti: CapId,
        /// Its action.
        act: String,
        /// How many bytes it was good for.
        bytes: u64,
    },
}

impl SpendError {
    /// The stable code.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Missing { .. } => "AIM-P040",
            Self::Expired { .. } => "AIM-P041",
            Self::Calls { .. } | Self::Bytes { .. } => "AIM-P042",
        }
    }

    /// The rule that the denial of the call names.
    #[must_use]
    pub const fn rule(&self) -> &'static str {
        match self {
            Self::Missing { .. } => "grant",
            Self::Expired { .. } => "token.expired",
            Self::Calls { .. } => "token.calls",
            Self::Bytes { .. } => "token.bytes",
        }
    }
}

impl CapToken {
    /// What it says.
    #[must_use]
    pub const fn claims(&self) -> &TokenClaims {
        &self.claims
    }

    /// What was spent of it.
    #[must_use]
    pub const fn used(&self) -> TokenLimits {
        self.used
    }

    /// What is left of it.
    #[must_use]
    pub const fn left(&self) -> TokenLimits {
        TokenLimits {
            bytes: self.claims.lim.bytes.saturating_sub(self.used.bytes),
            calls: self.claims.lim.calls.saturating_sub(self.used.calls),
        }
    }

    /// Spends one call and `bytes` of it at the moment `now`. Nothing is spent when it is not enough.
    ///
    /// # Errors
    /// [`SpendError`], for anything but [`SpendError::Missing`].
    pub fn spend(&mut self, bytes: u64, now: Timestamp) -> Result<CapId, SpendError> {
        if now <= self.claims.exp && self.left().calls == 0 {
            return Err(SpendError::Calls {
                jti: self.claims.jti,
                act: self.claims.act.clone(),
                calls: self.claims.lim.calls,
            });
        }
        let jti = self.draw(bytes, now)?;
        self.used.calls = self.used.calls.saturating_add(1);
        Ok(jti)
    }

    /// Spends `bytes` of it at the moment `now` for a call that was paid for before: what comes through a stream.
    ///
    /// # Errors
    /// [`SpendError::Expired`] and [`SpendError::Bytes`]; nothing is spent then.
    pub fn draw(&mut self, bytes: u64, now: Timestamp) -> Result<CapId, SpendError> {
        let (jti, act) = (self.claims.jti, || self.claims.act.clone());
        if now > self.claims.exp {
            let exp = self.claims.exp;
            return Err(SpendError::Expired {
                jti,
                act: act(),
                exp,
            });
        }
        if bytes > self.left().bytes {
            let bytes = self.claims.lim.bytes;
            return Err(SpendError::Bytes {
                jti,
                act: act(),
                bytes,
            });
        }
        self.used.bytes = self.used.bytes.saturating_add(bytes);
        Ok(jti)
    }

    /// A token with at most these limits, that expires at the latest then. What is wider than the token has no effect.
    #[must_use]
    pub fn narrow(mut self, limits: TokenLimits, exp: Timestamp) -> Self {
        let left = self.left();
        self.claims.lim = TokenLimits {
            bytes: self.used.bytes.saturating_add(left.bytes.min(limits.bytes)),
            calls: self.used.calls.saturating_add(left.calls.min(limits.calls)),
        };
        self.claims.exp = self.claims.exp.min(exp);
        self
    }

    /// The part of one branch; the others belong to the other branches, each of which divides an equal token.
    fn branch(mut self, branch: Branch) -> Self {
        // A part of too little is one that nothing can be done with.
        let lim = self.left().divided(branch.of).unwrap_or_default();
        self.claims.jti = self.claims.jti.part(branch.index);
        self.claims.sub = format!("{}[{}]", self.claims.sub, branch.index);
        self.claims.lim = if branch.index < branch.of {
            lim
        } else {
            TokenLimits::default()
        };
        self.used = TokenLimits::default();
        self
    }

    /// Divides what is left evenly among parallel branches. What can't be divided is given up.
    ///
    /// # Errors
    /// [`SplitError`], as [`TokenLimits::divided`] says; the token is gone then.
    pub fn split(self, branches: u32) -> Result<Vec<Self>, SplitError> {
        let lim = self.left().divided(branches)?;
        let part = |index| Self {
            claims: TokenClaims {
                jti: self.claims.jti.part(index),
                lim,
                sub: format!("{}[{index}]", self.claims.sub),
                ..self.claims.clone()
            },
            used: TokenLimits::default(),
        };
        Ok((0..branches).map(part).collect())
    }
}

/// The granted asks that can't be divided among so many branches, each with the reason.
#[must_use]
pub fn undivided(grant: &Grant, limits: TokenLimits, branches: u32) -> Vec<(Ask, SplitError)> {
    let asks = grant.asks.iter();
    asks.filter_map(|ask| {
        let error = limits.within(ask).divided(branches).err()?;
        // What is granted nothing of can't be divided among one either, and that is no matter of branches.
        (branches > 1).then(|| (ask.clone(), error))
    })
    .collect()
}

/// What was minted and what became of it, for the witness.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TokenRecord {
    /// Host calls that were made with it, by number: runs of first and last. What they returned is labelled by `claims.jti`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub calls: Vec<[u32; 2]>,
    /// What it says.
    pub claims: TokenClaims,
    /// Calls that it was refused for.
    pub refused: u32,
    /// What was spent.
    pub used: TokenLimits,
}

/// Under which terms tokens are minted.
#[derive(Debug, Clone)]
pub struct WalletTerms {
    /// The attempt that they are for; of parallel branches, one and the same for all.
    pub attempt: AttemptId,
    /// The branch that they are for, where the step runs in several: it gets its part of what is minted.
    pub branch: Option<Branch>,
    /// Who may spend them: `<plan>/<step path>`.
    pub subject: String,
    /// The only host that takes them.
    pub audience: String,
    /// When the attempt starts.
    pub starts_at: Timestamp,
    /// How long they live at most, in milliseconds.
    pub time_ms_max: u64,
    /// What each is good for when its ask names nothing less.
    pub limits: TokenLimits,
}

#[derive(Debug)]
struct Slot {
    granted: Use,
    token: CapToken,
    calls: Vec<[u32; 2]>,
    refused: u32,
}

/// The tokens of one attempt: one for each granted use, spent at the door.
#[derive(Debug, Default)]
pub struct Wallet {
    matcher: GrantMatcher,
    slots: Vec<Slot>,
}

impl Wallet {
    /// Mints the tokens of an attempt; of a branch, its part of the tokens of all branches.
    #[must_use]
    pub fn mint(grant: &Grant, terms: &WalletTerms) -> Self {
        let mut slots = Vec::new();
        for ask in &grant.asks {
            let limits = terms.limits.within(ask);
            let time_ms = ask
                .time_ms_max
                .map_or(terms.time_ms_max, |max| max.min(terms.time_ms_max));
            let exp = Timestamp::from_millis(terms.starts_at.millis().saturating_add(time_ms));
            for (mode, resource) in ask.uses() {
                let index = u32::try_from(slots.len()).unwrap_or(u32::MAX);
                let act = action_name(ask.capability, mode);
                let res = format!("{}/{}", resource.kind.entity(), resource.name);
                let claims = TokenClaims {
                    aud: terms.audience.clone(),
                    exp,
                    jti: CapId::minted(terms.attempt, index, &act, &res),
                    lim: limits,
                    sub: terms.subject.clone(),
                    act,
                    res,
                };
                let capability = ask.capability;
                let token = CapToken {
                    claims,
                    used: TokenLimits::default(),
                };
                slots.push(Slot {
                    granted: Use {
                        capability,
                        mode,
                        resource,
                    },
                    token: match terms.branch {
                        Some(branch) => token.branch(branch),
                        None => token,
                    },
                    calls: Vec::new(),
                    refused: 0,
                });
            }
        }
        Self {
            matcher: GrantMatcher::compile(grant),
            slots,
        }
    }

    /// Spends one call of `bytes` on this use, for host call number `call`, and says which token that was.
    ///
    /// # Errors
    /// [`SpendError`]; the call is to be denied then.
    pub fn spend(
        &mut self,
        wanted: (Capability, Option<Mode>, &str),
        bytes: u64,
        call: u32,
        now: Timestamp,
    ) -> Result<CapId, SpendError> {
        let (capability, mode, name) = wanted;
        let found = self.matcher.find(capability, mode, name);
        let Some(slot) = found.and_then(|index| self.slots.get_mut(index)) else {
            return Err(self.missing(capability, mode, name));
        };
        match slot.token.spend(bytes, now) {
            Ok(jti) => {
                slot.note(call);
                Ok(jti)
            }
            Err(error) => {
                slot.refused = slot.refused.saturating_add(1);
                Err(error)
            }
        }
    }

    /// Spends `bytes` on this use without a call: what comes through a stream that a call opened.
    ///
    /// # Errors
    /// [`SpendError`]; the bytes are to be held back then.
    pub fn draw(
        &mut self,
        wanted: (Capability, Option<Mode>, &str),
        bytes: u64,
        now: Timestamp,
    ) -> Result<CapId, SpendError> {
        let (capability, mode, name) = wanted;
        let found = self.matcher.find(capability, mode, name);
        let Some(slot) = found.and_then(|index| self.slots.get_mut(index)) else {
            return Err(self.missing(capability, mode, name));
        };
        let drawn = slot.token.draw(bytes, now);
        if drawn.is_err() {
            slot.refused = slot.refused.saturating_add(1);
        }
        drawn
    }

    /// What there is instead of what was wanted.
    fn missing(&self, capability: Capability, mode: Option<Mode>, name: &str) -> SpendError {
        let wanted = Use {
            capability,
            mode,
            resource: super::Resource::new(capability.resource_kind(), name),
        };
        let same = self.slots.iter().map(|slot| &slot.granted);
        let same = same.filter(|granted| granted.capability == capability);
        let have: Vec<String> = same.map(ToString::to_string).collect();
        SpendError::Missing {
            wanted: wanted.to_string(),
            have: if have.is_empty() {
                "nothing".to_string()
            } else {
                have.join(", ")
            },
        }
    }

    /// The tokens.
    pub fn tokens(&self) -> impl Iterator<Item = &CapToken> {
        self.slots.iter().map(|slot| &slot.token)
    }

    /// What became of the tokens that something was done with, in order. Ends the wallet.
    #[must_use]
    pub fn settle(self) -> Vec<TokenRecord> {
        self.slots
            .into_iter()
            .filter(|slot| slot.token.used != TokenLimits::default() || slot.refused > 0)
            .map(|slot| TokenRecord {
                calls: slot.calls,
                refused: slot.refused,
                used: slot.token.used,
                claims: slot.token.claims,
            })
            .collect()
    }
}

impl Slot {
    fn note(&mut self, call: u32) {
        if let Some([_, last]) = self.calls.last_mut()
            && (*last == call || last.checked_add(1) == Some(call))
        {
            *last = call;
        } else if self.calls.len() < RUNS_MAX {
            self.calls.push([call, call]);
        }
    }
}

#[cfg(test)]
mod tests;
