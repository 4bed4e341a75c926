//! Budgets that are shared: what a step may take before it runs, and what it gives back.
//!
//! INVARIANT: a charge that would exceed changes nothing, and what was taken and not used is there again.

use crate::plan::{Budget, Caps, PlanBudget, PoolPolicy};

mod meter;

pub use meter::{CallClass, Meter, Prices};

/// What is left of each part; `None` is not capped.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Left {
    /// Model tokens.
    pub tokens: Option<u64>,
    /// Milliseconds.
    pub time_ms: Option<u64>,
    /// Tool calls.
    pub tools: Option<u64>,
    /// Millionths of the plan's currency.
    pub cost_micros: Option<u64>,
}

/// An amount of each part.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Amount {
    /// Model tokens.
    pub tokens: u64,
    /// Milliseconds.
    pub time_ms: u64,
    /// Tool calls.
    pub tools: u64,
    /// Millionths of the plan's currency.
    pub cost_micros: u64,
}

/// A part that there is not enough of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{part}: {wanted} would be needed and {left} are left")]
pub struct OverBudget {
    /// Which part.
    pub part: &'static str,
    /// What was asked for.
    pub wanted: u64,
    /// What there is.
    pub left: u64,
}

impl OverBudget {
    /// The stable code.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        "ACL-R101"
    }
}

impl Left {
    /// What a plan's budget holds.
    #[must_use]
    pub const fn of_plan(budget: PlanBudget) -> Self {
        Self {
            tokens: budget.tokens,
            time_ms: budget.time_ms,
            tools: budget.tools,
            cost_micros: budget.cost_micros,
        }
    }

    /// What a shard's pools hold.
    #[must_use]
    pub const fn of_shard(caps: Caps) -> Self {
        Self {
            tokens: caps.token_pool,
            time_ms: caps.wall_ms_pool,
            tools: None,
            cost_micros: None,
        }
    }

    fn parts(&mut self, amount: Amount) -> [(&'static str, &mut Option<u64>, u64); 4] {
        [
            ("tokens", &mut self.tokens, amount.tokens),
            ("time", &mut self.time_ms, amount.time_ms),
            ("tools", &mut self.tools, amount.tools),
            ("cost", &mut self.cost_micros, amount.cost_micros),
        ]
    }

    /// Takes an amount.
    ///
    /// # Errors
    /// [`OverBudget`] with the first part that there is not enough of; nothing was taken.
    pub fn charge(&mut self, amount: Amount) -> Result<(), OverBudget> {
        for (part, left, wanted) in self.parts(amount) {
            if let Some(left) = *left
                && wanted > left
            {
                return Err(OverBudget { part, wanted, left });
            }
        }
        for (_, left, wanted) in self.parts(amount) {
            *left = left.map(|left| left.saturating_sub(wanted));
        }
        Ok(())
    }

    /// Gives back what was taken and not used.
    pub fn give_back(&mut self, amount: Amount) {
        for (_, left, unused) in self.parts(amount) {
            *left = left.map(|left| left.saturating_add(unused));
        }
    }

    /// The most of `budget` that there is, at least 1 of each part that is left at all.
    ///
    /// # Errors
    /// [`OverBudget`] when a part is used up.
    pub fn offer(&mut self, budget: &Budget) -> Result<Amount, OverBudget> {
        let mut amount = Amount::whole(budget);
        let mut offered = Amount::default();
        let slots = [
            &mut offered.tokens,
            &mut offered.time_ms,
            &mut offered.tools,
            &mut offered.cost_micros,
        ];
        for ((part, left, wanted), slot) in self.parts(amount).into_iter().zip(slots) {
            *slot = left.map_or(wanted, |left| left.min(wanted));
            if *slot == 0 && wanted > 0 {
                return Err(OverBudget {
                    part,
                    wanted,
                    left: 0,
                });
            }
        }
        core::mem::swap(&mut amount, &mut offered);
        Ok(amount)
    }
}

/// A plan's pool, shared among its nodes as the plan says.
#[derive(Debug, Clone)]
pub struct Pool {
    left: Left,
    total: Left,
    policy: PoolPolicy,
    nodes: u64,
    /// Nodes that have neither started nor been left out.
    waiting: u64,
}

impl Pool {
    /// The pool of a plan with so many nodes.
    #[must_use]
    pub fn new(budget: PlanBudget, nodes: usize) -> Self {
        let nodes = u64::try_from(nodes).unwrap_or(u64::MAX);
        Self {
            left: Left::of_plan(budget),
            total: Left::of_plan(budget),
            policy: budget.pool,
            nodes,
            waiting: nodes,
        }
    }

    /// What is left.
    #[must_use]
    pub const fn left(&self) -> Left {
        self.left
    }

    /// A node has begun, or will never run: from here on it waits for nothing.
    pub const fn leave(&mut self) {
        self.waiting = self.waiting.saturating_sub(1);
    }

    /// The most that a node with `budget` may take now, having used `used` in earlier tries. Call it before [`Self::leave`]
    /// for a node's first try and after it for a further one.
    ///
    /// # Errors
    /// [`OverBudget`] when nothing is left of a part that it needs.
    pub fn offer(
        &self,
        budget: &Budget,
        used: Amount,
        is_first: bool,
    ) -> Result<Amount, OverBudget> {
        let mut room = match self.policy {
            PoolPolicy::Greedy | PoolPolicy::Priority => self.left,
            PoolPolicy::Fair => self.left.within(self.total.share_of(self.nodes, used)),
            PoolPolicy::Adaptive => {
                let sharing = self.waiting.saturating_add(u64::from(!is_first)).max(1);
                self.left.share_of(sharing, Amount::default())
            }
        };
        room.offer(budget)
    }

    /// Takes an amount.
    ///
    /// # Errors
    /// [`OverBudget`]; nothing was taken.
    pub fn charge(&mut self, amount: Amount) -> Result<(), OverBudget> {
        self.left.charge(amount)
    }

    /// Gives back what was taken and not used.
    pub fn give_back(&mut self, amount: Amount) {
        self.left.give_back(amount);
    }
}

impl Left {
    /// One of `parts` equal shares, with `used` taken off it.
    fn share_of(self, parts: u64, used: Amount) -> Self {
        let share = |left: Option<u64>, used: u64| {
            left.map(|left| (left / parts.max(1)).saturating_sub(used))
        };
        Self {
            tokens: share(self.tokens, used.tokens),
            time_ms: share(self.time_ms, used.time_ms),
            tools: share(self.tools, used.tools),
            cost_micros: share(self.cost_micros, used.cost_micros),
        }
    }

    /// The smaller of both, part by part.
    fn within(self, other: Self) -> Self {
        let smaller = |one: Option<u64>, other: Option<u64>| match (one, other) {
            (Some(one), Some(other)) => Some(one.min(other)),
            (one, other) => one.or(other),
        };
        Self {
            tokens: smaller(self.tokens, other.tokens),
            time_ms: smaller(self.time_ms, other.time_ms),
            tools: smaller(self.tools, other.tools),
            cost_micros: smaller(self.cost_micros, other.cost_micros),
        }
    }
}

impl Amount {
    /// Both together.
    #[must_use]
    pub const fn plus(self, other: Self) -> Self {
        Self {
            tokens: self.tokens.saturating_add(other.tokens),
            time_ms: self.time_ms.saturating_add(other.time_ms),
            tools: self.tools.saturating_add(other.tools),
            cost_micros: self.cost_micros.saturating_add(other.cost_micros),
        }
    }

    /// The parts by the names and in the order of [`Budget::parts`].
    #[must_use]
    pub const fn parts(&self) -> [(&'static str, u64); 4] {
        [
            ("tokens", self.tokens),
            ("time", self.time_ms),
            ("tools", self.tools),
            ("cost", self.cost_micros),
        ]
    }

    /// A whole budget; cost that is not capped is not taken.
    #[must_use]
    pub fn whole(budget: &Budget) -> Self {
        Self {
            tokens: budget.tokens,
            time_ms: budget.time_ms,
            tools: budget.tools,
            cost_micros: budget.cost_micros.unwrap_or(0),
        }
    }

    /// What is left of this once `used` is taken off.
    #[must_use]
    pub const fn without(self, used: Self) -> Self {
        Self {
            tokens: self.tokens.saturating_sub(used.tokens),
            time_ms: self.time_ms.saturating_sub(used.time_ms),
            tools: self.tools.saturating_sub(used.tools),
            cost_micros: self.cost_micros.saturating_sub(used.cost_micros),
        }
    }

    /// The smaller of both, part by part.
    #[must_use]
    pub fn min(self, other: Self) -> Self {
        Self {
            tokens: self.tokens.min(other.tokens),
            time_ms: self.time_ms.min(other.time_ms),
            tools: self.tools.min(other.tools),
            cost_micros: self.cost_micros.min(other.cost_micros),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const POOL: Left = Left {
        tokens: Some(100),
        time_ms: Some(1_000),
        tools: None,
        cost_micros: None,
    };

    fn amount(tokens: u64, time_ms: u64) -> Amount {
        Amount {
            tokens,
            time_ms,
            tools: 3,
            cost_micros: 0,
        }
    }

    /// Control: with the check and the charge in one loop, tokens are gone after the refusal and this fails.
    #[test]
    fn a_charge_that_would_exceed_changes_nothing() {
        let mut left = POOL;
        let refused = left.charge(amount(50, 1_001)).unwrap_err();
        assert_eq!(
            (refused.part, refused.wanted, refused.left),
            ("time", 1_001, 1_000)
        );
        assert_eq!(left, POOL);
        left.charge(amount(100, 1_000)).unwrap();
        assert_eq!(left.charge(amount(1, 0)).unwrap_err().part, "tokens");
    }

    fn sharing(policy: PoolPolicy) -> Pool {
        let budget = PlanBudget {
            tokens: Some(100),
            pool: policy,
            ..PlanBudget::default()
        };
        Pool::new(budget, 4)
    }

    fn tokens(pool: &Pool, used: u64, is_first: bool) -> Result<u64, OverBudget> {
        let budget = Budget {
            tokens: 80,
            ..Budget::DEFAULT
        };
        let used = Amount {
            tokens: used,
            ..Amount::default()
        };
        pool.offer(&budget, used, is_first).map(|one| one.tokens)
    }

    /// Control: with the share of `Fair` left out of `offer`, the second node gets 80 and this fails (seen).
    #[test]
    fn a_fair_share_is_equal_whoever_comes_first_and_is_not_grown_by_what_others_leave() {
        let mut pool = sharing(PoolPolicy::Fair);
        assert_eq!(tokens(&pool, 0, true), Ok(25));
        pool.leave();
        pool.charge(amount(25, 0)).unwrap();
        pool.give_back(amount(20, 0));
        assert_eq!(tokens(&pool, 0, true), Ok(25));
        assert_eq!(
            tokens(&pool, 5, false),
            Ok(20),
            "what is left of its own share"
        );
        assert_eq!(tokens(&pool, 25, false).unwrap_err().part, "tokens");
    }

    #[test]
    fn an_adaptive_share_grows_by_what_others_leave() {
        let mut pool = sharing(PoolPolicy::Adaptive);
        assert_eq!(tokens(&pool, 0, true), Ok(25));
        pool.charge(amount(25, 0)).unwrap();
        pool.leave();
        assert_eq!(tokens(&pool, 0, true), Ok(25));
        pool.give_back(amount(24, 0));
        assert_eq!(tokens(&pool, 0, true), Ok(33), "99 among three");
        pool.leave();
        assert_eq!(tokens(&pool, 0, true), Ok(49), "one was left out");
        assert_eq!(
            tokens(&pool, 9, false),
            Ok(33),
            "a further try shares with both"
        );
    }

    #[test]
    fn a_greedy_node_takes_its_whole_budget_as_far_as_there_is_one() {
        for policy in [PoolPolicy::Greedy, PoolPolicy::Priority] {
            let mut pool = sharing(policy);
            assert_eq!(tokens(&pool, 0, true), Ok(80));
            pool.charge(amount(80, 0)).unwrap();
            pool.leave();
            assert_eq!(tokens(&pool, 0, true), Ok(20));
        }
    }

    #[test]
    fn what_was_not_used_is_there_again() {
        let mut left = POOL;
        left.charge(amount(80, 900)).unwrap();
        left.give_back(amount(80, 900).without(amount(30, 900)));
        assert_eq!(
            (left.tokens, left.time_ms, left.tools),
            (Some(70), Some(100), None)
        );
    }

    #[test]
    fn an_offer_is_what_there_is_and_none_when_a_part_is_used_up() {
        let mut left = POOL;
        let offered = left.offer(&Budget::DEFAULT).unwrap();
        assert_eq!(
            (offered.tokens, offered.time_ms, offered.tools),
            (100, 1_000, 10)
        );
        left.charge(amount(100, 1)).unwrap();
        assert_eq!(left.offer(&Budget::DEFAULT).unwrap_err().part, "tokens");
    }
}
