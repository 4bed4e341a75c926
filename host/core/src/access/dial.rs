//! What policy says about an address at the moment when it is about to be dialled.
//!
//! At admission nobody knows where a name leads, so policy granted the endpoint without its address. When a connection is
//! made, the questions of the grant that covers it are put once more with the address as a fact, and the answers are kept.
//!
//! INVARIANT: this can only take away. What the grant does not cover is refused without asking, and a use that a person had
//! to approve stays permitted only where it would still be theirs to approve.

use alloc::{borrow::ToOwned, string::String, vec::Vec};
use core::{fmt, net::IpAddr};

use super::{
    ADDRESS, AccessDecision, AccessRequest, Asker, Capability, DecisionCache, Fact, Grant,
    GrantMatcher, Mode, Resource, Use,
};
use crate::{
    digest::Digest,
    http::{HttpScope, special_range},
};

/// Whose requests are judged, and what was granted to them.
#[derive(Debug, Clone)]
pub struct DialRule {
    asker: Asker,
    matcher: GrantMatcher,
    uses: Vec<Use>,
}

/// A use that policy takes back for one address.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct RefusedDial {
    /// The action: `http.request`, `http.special`.
    pub action: String,
    /// The granted endpoint.
    pub resource: Resource,
    /// The address.
    pub address: IpAddr,
    /// Rules that forbid it; empty when none permits it.
    pub rules: Vec<String>,
}

impl DialRule {
    /// Of one step's grant; `None` when it grants no requests.
    #[must_use]
    pub fn of(asker: Asker, grant: &Grant) -> Option<Self> {
        let is_http = grant.permits(Capability::Http, None);
        is_http.then(|| Self {
            asker,
            matcher: GrantMatcher::compile(grant),
            uses: grant.uses().collect(),
        })
    }

    /// The granted endpoint that covers `scope`: the one whose token pays for the request.
    #[must_use]
    pub fn granted(&self, scope: &HttpScope) -> Option<&Resource> {
        let name = alloc::format!("{scope}");
        let place = (self.matcher).find(Capability::Http, Some(Mode::Request), &name)?;
        self.uses.get(place).map(|one| &one.resource)
    }

    /// Asks the policy with this digest about dialling `address` for a granted endpoint, where `kept` has no answer yet. Policy
    /// is told the address that it reaches: the IPv4 address for one that maps it. `None` when it may be dialled.
    pub fn refusal(
        &self,
        (resource, address): (&Resource, IpAddr),
        kept: &mut DecisionCache,
        policy: Digest,
        decide: impl Fn(&AccessRequest) -> AccessDecision,
    ) -> Option<RefusedDial> {
        // The range of the address as it is written, which is special for every mapped one.
        let special = special_range(address).map(|_| Mode::Special);
        let address = address.to_canonical();
        let modes = [Some(Mode::Request), special];
        modes.into_iter().flatten().find_map(|mode| {
            let bare = self.asker.request(&Use {
                capability: Capability::Http,
                mode: Some(mode),
                resource: resource.clone(),
            });
            let mut asked = bare.clone();
            asked.facts.push((ADDRESS, Fact::address(address)));
            let decision = kept.decide(policy, &asked, &decide);
            if decision.is_permitted {
                return None;
            }
            if decision.is_approvable && kept.decide(policy, &bare, &decide).is_approvable {
                return None;
            }
            Some(RefusedDial {
                action: asked.action(),
                resource: resource.clone(),
                address,
                rules: decision.rules,
            })
        })
    }

    /// What a policy on trial would take back for `address`. What it would not have granted in the first place was counted
    /// at admission.
    pub fn trial(
        &self,
        (resource, address): (&Resource, IpAddr),
        kept: &mut DecisionCache,
        policy: Digest,
        decide: impl Fn(&AccessRequest) -> AccessDecision,
    ) -> Option<RefusedDial> {
        let refused = self.refusal((resource, address), kept, policy, &decide)?;
        let mode = if refused.action == "http.special" {
            Mode::Special
        } else {
            Mode::Request
        };
        let bare = self.asker.request(&Use {
            capability: Capability::Http,
            mode: Some(mode),
            resource: resource.clone(),
        });
        let is_granted = kept.decide(policy, &bare, &decide).is_permitted;
        is_granted.then_some(refused)
    }
}

impl fmt::Display for RefusedDial {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = self.resource.name.escape_debug();
        write!(f, "{} on `{name}` to {}", self.action, self.address)
    }
}

impl RefusedDial {
    /// Action, endpoint and address of what `Display` writes; `None` for any other text.
    #[must_use]
    pub fn parse_shown(text: &str) -> Option<(&str, &str, IpAddr)> {
        let (action, rest) = text.split_once(" on `")?;
        let (endpoint, address) = rest.rsplit_once("` to ")?;
        Some((action, endpoint, address.parse().ok()?))
    }
}

/// The rule of a refusal that no rule of policy made: none permits the address.
const NO_RULE: &str = "http.address";

impl RefusedDial {
    /// The rule that a denial cites.
    #[must_use]
    pub fn rule(&self) -> String {
        self.rules
            .first()
            .cloned()
            .unwrap_or_else(|| NO_RULE.to_owned())
    }
}

#[cfg(test)]
mod tests {
    use alloc::{string::ToString, vec};
    use core::{cell::Cell, net::Ipv4Addr};

    use super::*;
    use crate::{
        access::Ask,
        contract::Autonomy,
        name::{NodeId, StepName, TenantId},
    };

    const NAME: &str = "POST http://local.example:80/v1/ via 10.0.0.0/8,127.0.0.0/8";
    const HERE: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);
    const FAR: IpAddr = IpAddr::V4(Ipv4Addr::new(93, 184, 216, 34));

    fn rule(modes: &[Mode]) -> DialRule {
        let asker = Asker {
            component: Digest::of(b"component"),
            node: NodeId::parse("node").unwrap(),
            plan: StepName::parse("plan").unwrap(),
            step: StepName::parse("step").unwrap(),
            tenant: TenantId::parse("global").unwrap(),
            autonomy: Autonomy::ReadOnly,
        };
        let ask = Ask {
            modes: modes.iter().copied().collect(),
            scope: [NAME.to_string()].into(),
            ..Ask::plain(Capability::Http)
        };
        let grant = Grant {
            asks: vec![ask],
            policy: None,
        };
        DialRule::of(asker, &grant).unwrap()
    }

    fn address(request: &AccessRequest) -> Option<IpAddr> {
        request.facts.iter().find_map(|(name, fact)| match fact {
            Fact::Address(address) if *name == ADDRESS => Some(*address),
            _ => None,
        })
    }

    fn answer(is_permitted: bool, is_approvable: bool) -> AccessDecision {
        AccessDecision {
            is_permitted,
            is_approvable,
            rules: vec!["rule".to_string()],
        }
    }

    // Negative control: with the address left out of the question, the first address is dialled and this fails.
    #[test]
    fn an_address_that_policy_forbids_is_refused_and_asked_about_once() {
        let rule = rule(&[Mode::Request, Mode::Special]);
        let resource = Resource::new(super::super::ResourceKind::Endpoint, NAME);
        let mut kept = DecisionCache::default();
        let asked = Cell::new(0);
        let decide = |request: &AccessRequest| {
            asked.set(asked.get() + 1);
            answer(address(request) != Some(HERE), false)
        };
        for _ in 0..3 {
            let refused = rule.refusal((&resource, HERE), &mut kept, Digest::of(b"p"), decide);
            let refused = refused.unwrap();
            let shown = alloc::format!("{refused}");
            let parsed = RefusedDial::parse_shown(&shown);
            assert_eq!(parsed, Some(("http.request", NAME, HERE)));
            assert_eq!(refused.rule(), "rule");
            let open = rule.refusal((&resource, FAR), &mut kept, Digest::of(b"p"), decide);
            assert_eq!(open, None);
        }
        assert_eq!(asked.get(), 2, "once for each address");
    }

    /// Case, modes, policy, address, the action that is refused, and whether a policy on trial counts it.
    type Row = (
        &'static str,
        &'static [Mode],
        fn(&AccessRequest) -> AccessDecision,
        IpAddr,
        Option<&'static str>,
        bool,
    );

    fn no_special(request: &AccessRequest) -> AccessDecision {
        answer(request.mode != Some(Mode::Special), false)
    }

    // Negative control: with the address told as it is written, a rule about IPv4 networks does not see it and this fails (seen).
    #[test]
    fn a_mapped_address_is_told_as_the_ipv4_address_that_it_reaches() {
        let rule = rule(&[Mode::Request, Mode::Special]);
        let resource = Resource::new(super::super::ResourceKind::Endpoint, NAME);
        let mut kept = DecisionCache::default();
        let asked = Cell::new(0);
        let decide = |request: &AccessRequest| {
            asked.set(asked.get() + 1);
            answer(address(request) != Some(HERE), false)
        };
        let policy = Digest::of(b"p");
        let mapped: IpAddr = "::ffff:127.0.0.1".parse().unwrap();
        for address in [mapped, HERE] {
            let refused = rule.refusal((&resource, address), &mut kept, policy, decide);
            assert_eq!(refused.unwrap().address, HERE);
        }
        assert_eq!(asked.get(), 1, "they are one address");
        let elsewhere: IpAddr = "::ffff:93.184.216.34".parse().unwrap();
        let decide = |request: &AccessRequest| answer(request.mode != Some(Mode::Special), false);
        let mut kept = DecisionCache::default();
        let refused = rule.refusal((&resource, elsewhere), &mut kept, policy, decide);
        assert_eq!(
            refused.unwrap().action,
            "http.special",
            "however public it is"
        );
    }

    fn for_a_person(_: &AccessRequest) -> AccessDecision {
        answer(false, true)
    }

    fn for_a_person_once_known(request: &AccessRequest) -> AccessDecision {
        let is_known = address(request).is_some();
        answer(!is_known, is_known)
    }

    fn no_address(request: &AccessRequest) -> AccessDecision {
        answer(address(request).is_none(), false)
    }

    fn nothing(_: &AccessRequest) -> AccessDecision {
        answer(false, false)
    }

    const PLAIN: &[Mode] = &[Mode::Request];
    const BOTH: &[Mode] = &[Mode::Request, Mode::Special];
    const REQUEST: Option<&str> = Some("http.request");
    const SPECIAL: Option<&str> = Some("http.special");

    #[rustfmt::skip]
    const ROWS: [Row; 7] = [
        ("a special address is asked about as special",  BOTH,  no_special,              HERE, SPECIAL, false),
        ("any other is not",                             BOTH,  no_special,              FAR,  None,    false),
        ("what a person approved stays permitted",       PLAIN, for_a_person,            FAR,  None,    false),
        ("granted without a person, and nobody approved",PLAIN, for_a_person_once_known, FAR,  REQUEST, true),
        ("granted, but not at an address",               PLAIN, no_address,              FAR,  REQUEST, true),
        ("granted, but not at an address of its own",    BOTH,  no_address,              HERE, REQUEST, true),
        ("never granted",                                PLAIN, nothing,                 FAR,  REQUEST, false),
    ];

    // Negative control: with a person's approval counted wherever one may be given, the fourth row is permitted; with a trial that
    // counts every refusal, the first row is counted.
    #[test]
    fn each_address_is_refused_as_its_policy_says_and_a_trial_counts_what_it_would_have_granted() {
        for (what, modes, decide, address, refused, is_counted) in ROWS {
            let rule = rule(modes);
            let resource = Resource::new(super::super::ResourceKind::Endpoint, NAME);
            let policy = Digest::of(b"p");
            let mut kept = DecisionCache::default();
            let found = rule.refusal((&resource, address), &mut kept, policy, decide);
            assert_eq!(
                found.as_ref().map(|one| one.action.as_str()),
                refused,
                "{what}"
            );
            let mut kept = DecisionCache::default();
            let counted = rule.trial((&resource, address), &mut kept, policy, decide);
            assert_eq!(counted.is_some(), is_counted, "{what}");
        }
    }

    #[test]
    fn a_request_belongs_to_the_granted_endpoint_that_covers_it() {
        let rule = rule(&[Mode::Request]);
        let find = |text: &str| rule.granted(&text.parse().unwrap());
        assert_eq!(find("POST http://local.example:80/v1/").unwrap().name, NAME);
        assert_eq!(find("POST http://local.example:80/v2/"), None);
        assert_eq!(find("GET http://local.example:80/v1/"), None);
    }
}
