//! Who may start an attempt now, who waits, and who is sent away: memory by bytes, tenants in turns.
//!
//! An attempt holds the memory that its limits allow, the guest's and what the host keeps for it, from the moment it starts
//! until it ends. Whoever does not fit waits in
//! the queue of its tenant; queues are bounded, and past the bound an arrival is refused, so that load shows where it comes
//! from instead of growing the host.
//!
//! INVARIANT: what runs never exceeds a limit of [`TrafficLimits`]; a tenant's place in the turn does not depend on how much
//! it asks for, and nobody who waits is overtaken because it needs more memory than others.

use alloc::{
    collections::{BTreeMap, VecDeque},
    vec::Vec,
};

use serde::{Deserialize, Serialize};

use crate::{
    access::{Capability, Grant, Mode},
    limits::Limits,
    name::TenantId,
};

/// How much may run and wait. All are inclusive maxima and greater than zero.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct TrafficLimits {
    /// Attempts that run at the same time.
    pub attempts_max: u32,
    /// Attempts of one tenant that run at the same time.
    pub attempts_per_tenant_max: u32,
    /// Bytes of memory that all running attempts may take together, by [`memory_bytes`].
    pub memory_bytes_max: u64,
    /// Attempts that wait.
    pub waiting_max: u32,
    /// Attempts of one tenant that wait.
    pub waiting_per_tenant_max: u32,
}

impl TrafficLimits {
    /// What a host has when its deployment says nothing: 64 attempts of the default size.
    pub const DEFAULT: Self = Self {
        attempts_max: 256,
        attempts_per_tenant_max: 64,
        memory_bytes_max: 4 * 1024 * 1024 * 1024,
        waiting_max: 4_096,
        waiting_per_tenant_max: 1_024,
    };

    /// Names every limit that is zero.
    #[must_use]
    pub fn faults(&self) -> Vec<&'static str> {
        [
            ("attempts_max", u64::from(self.attempts_max)),
            (
                "attempts_per_tenant_max",
                u64::from(self.attempts_per_tenant_max),
            ),
            ("memory_bytes_max", self.memory_bytes_max),
            ("waiting_max", u64::from(self.waiting_max)),
            (
                "waiting_per_tenant_max",
                u64::from(self.waiting_per_tenant_max),
            ),
        ]
        .into_iter()
        .filter(|(_, value)| *value == 0)
        .map(|(name, _)| name)
        .collect()
    }
}

impl Default for TrafficLimits {
    fn default() -> Self {
        Self::DEFAULT
    }
}

/// What an attempt may take of the host's memory at most: the guest's own, and what the host keeps for it of what it is
/// granted until its witness is durable (artifacts, buckets, folders as they were and as they become, requests and answers).
#[must_use]
pub fn memory_bytes(limits: &Limits, grant: &Grant) -> u64 {
    let staged = grant.asks.iter().map(|ask| {
        let names = u64::try_from(ask.scope.len()).unwrap_or(u64::MAX);
        let (reads, writes) = (
            ask.modes.contains(&Mode::Read),
            ask.modes.contains(&Mode::Write),
        );
        match ask.capability {
            Capability::Artifact if ask.modes.contains(&Mode::Put) => limits.artifact_bytes_max,
            Capability::Keyvalue if writes => limits.kv_bytes_max.saturating_mul(names),
            Capability::Filesystem if writes => {
                let copies = if reads { 2 } else { 1 };
                limits
                    .folder_bytes_max
                    .saturating_mul(copies)
                    .saturating_mul(names)
            }
            Capability::Http => limits.effect_bytes_max,
            _ => 0,
        }
    });
    staged.fold(limits.memory_bytes_max, u64::saturating_add)
}

/// One attempt on its way through; unique within one [`Traffic`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Ticket(u64);

/// Why an attempt is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BusyError {
    /// Its limits ask for more memory than the host has for all.
    #[error(
        "the attempt may take {memory_bytes} bytes of memory and the host has {bytes_max} for all attempts"
    )]
    TooLarge {
        /// What the attempt's limits allow.
        memory_bytes: u64,
        /// What the host has.
        bytes_max: u64,
    },
    /// Too many wait.
    #[error("{waiting} attempts are waiting already")]
    Full {
        /// How many wait.
        waiting: u32,
    },
    /// Too many of the same tenant wait.
    #[error("{waiting} attempts of this tenant are waiting already")]
    TenantFull {
        /// How many of them wait.
        waiting: u32,
    },
}

impl BusyError {
    /// The stable code.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::TooLarge { .. } => "AIM-R061",
            Self::Full { .. } | Self::TenantFull { .. } => "AIM-R060",
        }
    }
}

#[derive(Debug)]
struct Waiting {
    ticket: Ticket,
    memory_bytes: u64,
}

#[derive(Debug, Default)]
struct Tenant {
    running: u32,
    waiting: VecDeque<Waiting>,
}

#[derive(Debug)]
struct Running {
    tenant: TenantId,
    memory_bytes: u64,
}

/// The state of all attempts that run or wait.
#[derive(Debug)]
pub struct Traffic {
    limits: TrafficLimits,
    next_ticket: u64,
    memory_bytes: u64,
    waiting: u32,
    running: BTreeMap<Ticket, Running>,
    tenants: BTreeMap<TenantId, Tenant>,
    /// Tenants with somebody waiting, in the order of their turns.
    turns: VecDeque<TenantId>,
}

impl Traffic {
    /// Starts empty.
    #[must_use]
    pub const fn new(limits: TrafficLimits) -> Self {
        Self {
            limits,
            next_ticket: 0,
            memory_bytes: 0,
            waiting: 0,
            running: BTreeMap::new(),
            tenants: BTreeMap::new(),
            turns: VecDeque::new(),
        }
    }

    /// Takes an attempt in. It runs when [`Traffic::runs`] says so of its ticket, else it waits for its turn.
    ///
    /// # Errors
    /// [`BusyError`] when it could never run, or when too many wait already; nothing changes then.
    pub fn enter(&mut self, tenant: &TenantId, memory_bytes: u64) -> Result<Ticket, BusyError> {
        let limits = self.limits;
        if memory_bytes > limits.memory_bytes_max {
            return Err(BusyError::TooLarge {
                memory_bytes,
                bytes_max: limits.memory_bytes_max,
            });
        }
        let ticket = Ticket(self.next_ticket);
        let room = self.has_room(tenant, memory_bytes);
        if room && self.turns.is_empty() {
            self.next_ticket = self.next_ticket.saturating_add(1);
            self.start(ticket, tenant.clone(), memory_bytes);
            return Ok(ticket);
        }
        let own = self.tenants.get(tenant).map_or(0, |own| own.waiting.len());
        let own = u32::try_from(own).unwrap_or(u32::MAX);
        if own >= limits.waiting_per_tenant_max {
            return Err(BusyError::TenantFull { waiting: own });
        }
        if self.waiting >= limits.waiting_max {
            return Err(BusyError::Full {
                waiting: self.waiting,
            });
        }
        self.next_ticket = self.next_ticket.saturating_add(1);
        self.waiting = self.waiting.saturating_add(1);
        let queue = &mut self.tenants.entry(tenant.clone()).or_default().waiting;
        if queue.is_empty() {
            self.turns.push_back(tenant.clone());
        }
        queue.push_back(Waiting {
            ticket,
            memory_bytes,
        });
        // Those who wait may all belong to tenants that have their share; then this one goes at once.
        self.start_waiting();
        Ok(ticket)
    }

    /// True while the attempt runs.
    #[must_use]
    pub fn runs(&self, ticket: Ticket) -> bool {
        self.running.contains_key(&ticket)
    }

    /// How many attempts run and how many wait.
    #[must_use]
    pub fn counts(&self) -> (usize, u32) {
        (self.running.len(), self.waiting)
    }

    /// Takes an attempt out, whether it ran or waited, and returns those that run now because of it.
    pub fn leave(&mut self, ticket: Ticket) -> Vec<Ticket> {
        match self.running.remove(&ticket) {
            Some(run) => {
                self.memory_bytes = self.memory_bytes.saturating_sub(run.memory_bytes);
                if let Some(tenant) = self.tenants.get_mut(&run.tenant) {
                    tenant.running = tenant.running.saturating_sub(1);
                }
                self.forget_if_idle(&run.tenant);
            }
            None => self.give_up(ticket),
        }
        self.start_waiting()
    }

    /// Starts whoever has its turn, for as long as there is room.
    fn start_waiting(&mut self) -> Vec<Ticket> {
        let mut started = Vec::new();
        let mut skipped = 0;
        // BOUND: each round starts one of a bounded number of waiters or skips one of the tenants.
        while let Some(tenant) = self.turns.get(skipped).cloned() {
            let Some(head) = self.head(&tenant) else {
                self.turns.remove(skipped);
                continue;
            };
            if self.has_its_share(&tenant) {
                skipped += 1;
                continue;
            }
            if !self.has_room(&tenant, head) {
                break;
            }
            self.turns.remove(skipped);
            started.extend(self.start_head(tenant));
        }
        started
    }

    /// Starts the tenant's first waiter; the tenant's next turn comes after everybody else's.
    fn start_head(&mut self, tenant: TenantId) -> Option<Ticket> {
        let queue = &mut self.tenants.get_mut(&tenant)?.waiting;
        let Waiting {
            ticket,
            memory_bytes,
        } = queue.pop_front()?;
        self.waiting = self.waiting.saturating_sub(1);
        if !queue.is_empty() {
            self.turns.push_back(tenant.clone());
        }
        self.start(ticket, tenant, memory_bytes);
        Some(ticket)
    }

    fn start(&mut self, ticket: Ticket, tenant: TenantId, memory_bytes: u64) {
        let of_tenant = self.tenants.entry(tenant.clone()).or_default();
        of_tenant.running = of_tenant.running.saturating_add(1);
        self.memory_bytes = self.memory_bytes.saturating_add(memory_bytes);
        let run = Running {
            tenant,
            memory_bytes,
        };
        self.running.insert(ticket, run);
    }

    fn give_up(&mut self, ticket: Ticket) {
        let mut emptied = None;
        for (name, tenant) in &mut self.tenants {
            let before = tenant.waiting.len();
            tenant.waiting.retain(|waiting| waiting.ticket != ticket);
            if tenant.waiting.len() < before {
                self.waiting = self.waiting.saturating_sub(1);
                emptied = tenant.waiting.is_empty().then(|| name.clone());
                break;
            }
        }
        if let Some(name) = emptied {
            self.turns.retain(|turn| *turn != name);
            self.forget_if_idle(&name);
        }
    }

    fn head(&self, tenant: &TenantId) -> Option<u64> {
        let waiting = &self.tenants.get(tenant)?.waiting;
        waiting.front().map(|head| head.memory_bytes)
    }

    fn has_its_share(&self, tenant: &TenantId) -> bool {
        (self.tenants.get(tenant))
            .is_some_and(|tenant| tenant.running >= self.limits.attempts_per_tenant_max)
    }

    fn has_room(&self, tenant: &TenantId, memory_bytes: u64) -> bool {
        let running = u32::try_from(self.running.len()).unwrap_or(u32::MAX);
        let memory = self.memory_bytes.saturating_add(memory_bytes);
        running < self.limits.attempts_max
            && memory <= self.limits.memory_bytes_max
            && !self.has_its_share(tenant)
    }

    /// Tenants come and go; one that has nothing here takes no room.
    fn forget_if_idle(&mut self, name: &TenantId) {
        let is_idle = (self.tenants.get(name))
            .is_some_and(|tenant| tenant.running == 0 && tenant.waiting.is_empty());
        if is_idle {
            self.tenants.remove(name);
        }
    }
}

#[cfg(test)]
mod tests;
