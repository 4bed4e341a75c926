//! Who does a node's work: a component, a part of the host, or nobody yet.
//!
//! INVARIANT: a contract that names a component and one that names a part of the host can not be mistaken for each other.

use alloc::{format, string::String};

use crate::{
    contract::{
        ComponentRef, ContractRule, DbEffect, EffectType, HttpEffect, Implementation, NodeDocument,
        NodeKind, World, error::Faults,
    },
    name::NodeId,
};

impl NodeDocument {
    pub(super) fn implementation(&self, faults: &mut Faults) -> Implementation {
        if let Some(effect) = self.effect_type {
            return self.host_effect(effect, faults);
        }
        for (key, is_set) in [("/db", self.db.is_some()), ("/http", self.http.is_some())] {
            if is_set {
                faults.add(
                    ContractRule::MissingKey,
                    "/effect_type",
                    format!(
                        "`effect_type` must say what `{}` is",
                        &key.trim_start_matches('/')
                    ),
                );
            }
        }
        if self.component.is_some() {
            return Implementation::Component(self.component_ref(faults));
        }
        self.refuse_component_keys(faults);
        Implementation::Host
    }

    fn host_effect(&self, effect: EffectType, faults: &mut Faults) -> Implementation {
        if self.kind != NodeKind::Effect {
            faults.add(
                ContractRule::Contradiction,
                "/effect_type",
                "only a node of kind `effect` has an `effect_type`",
            );
        }
        if self.component.is_some() {
            faults.add(
                ContractRule::Contradiction,
                "/component",
                "a node has a `component` or an `effect_type`, not both",
            );
        } else {
            self.refuse_component_keys(faults);
        }
        for (key, is_set, owner) in [
            ("/db", self.db.is_some(), EffectType::Db),
            ("/http", self.http.is_some(), EffectType::Http),
        ] {
            let key_name = key.trim_start_matches('/');
            if is_set && effect != owner {
                faults.add(
                    ContractRule::Contradiction,
                    key,
                    format!("`{key_name}` goes with `effect_type: {key_name}` only"),
                );
            } else if !is_set && effect == owner {
                faults.add(
                    ContractRule::MissingKey,
                    key,
                    format!("`effect_type: {key_name}` needs the key `{key_name}`"),
                );
            }
        }
        match effect {
            EffectType::Db => self.db_effect(faults),
            EffectType::Http => self.http_effect(faults),
            EffectType::Local => Implementation::Host,
        }
    }

    fn db_effect(&self, faults: &mut Faults) -> Implementation {
        let Some(db) = &self.db else {
            return Implementation::Host;
        };
        faults.take(
            ContractRule::Name,
            "/db/connection",
            NodeId::parse(&db.connection),
        );
        if db.sql.trim().is_empty() {
            faults.add(ContractRule::Value, "/db/sql", "the statement is empty");
        }
        for (name, source) in &db.params {
            if !source.starts_with("$.") {
                faults.add(
                    ContractRule::Value,
                    format!("/db/params/{}", escape_pointer(name)),
                    "a parameter's source starts with `$.`, as in `$.payload.user_id`",
                );
            }
        }
        Implementation::Db(DbEffect {
            connection: db.connection.clone(),
            sql: db.sql.clone(),
            params: db.params.clone(),
        })
    }

    fn http_effect(&self, faults: &mut Faults) -> Implementation {
        let Some(http) = &self.http else {
            return Implementation::Host;
        };
        let is_method = (1..=16).contains(&http.method.len())
            && http.method.bytes().all(|b| b.is_ascii_uppercase());
        if !is_method {
            faults.add(
                ContractRule::Value,
                "/http/method",
                "a method is a word in capitals",
            );
        }
        if !http.url_template.starts_with("http://") && !http.url_template.starts_with("https://") {
            faults.add(
                ContractRule::Value,
                "/http/url_template",
                "the address starts with `http://` or `https://`",
            );
        }
        Implementation::Http(HttpEffect {
            url_template: http.url_template.clone(),
            method: http.method.clone(),
            headers: http.headers.clone(),
        })
    }

    /// Keys that say something about a component, where there is none.
    fn refuse_component_keys(&self, faults: &mut Faults) {
        for (key, is_set) in [
            ("world", self.world.is_some()),
            ("asks", !self.asks.is_empty()),
            ("adapt", self.adapt.is_some()),
            ("codex", self.codex.is_some()),
        ] {
            if is_set {
                faults.add(
                    ContractRule::Contradiction,
                    format!("/{key}"),
                    format!(
                        "`{key}` says something about a component, and there is no `component`"
                    ),
                );
            }
        }
    }

    fn component_ref(&self, faults: &mut Faults) -> ComponentRef {
        let written = self.component.clone().unwrap_or_default();
        if written.path.is_none() && written.digest.is_none() {
            faults.add(
                ContractRule::MissingKey,
                "/component",
                "a component needs a `path`, a `digest` or both",
            );
        }
        if let Some(path) = &written.path {
            check_path("/component/path", path, faults);
        }
        let digest = written
            .digest
            .as_deref()
            .and_then(|text| faults.take(ContractRule::Name, "/component/digest", text.parse()));
        let world = self.world.unwrap_or(World::Step);
        if let Some(codex) = &self.codex {
            check_path("/codex", codex, faults);
            if world != World::Gate {
                faults.add(
                    ContractRule::Contradiction,
                    "/codex",
                    "only a gate has a codex; this component's world is another",
                );
            }
        }
        if world == World::Gate && self.kind != NodeKind::Compute {
            faults.add(
                ContractRule::Contradiction,
                "/kind",
                "a gate is a node of kind `compute`",
            );
        }
        if let Some(adapt) = &self.adapt {
            // A profile is named by the rule of node ids.
            faults.take(ContractRule::Name, "/adapt", NodeId::parse(adapt));
        }
        ComponentRef {
            path: written.path,
            digest,
            world,
            adapt: self.adapt.clone(),
            codex: self.codex.clone(),
        }
    }
}

/// What can be said about a path without looking: it is relative and holds nothing that never belongs in one.
fn check_path(field: &str, path: &str, faults: &mut Faults) {
    let is_drive = path.as_bytes().get(1) == Some(&b':');
    if path.is_empty() || path.len() > 1024 {
        faults.add(ContractRule::Value, field, "a path has 1 to 1024 bytes");
    } else if path.starts_with('/') || path.contains('\\') || is_drive {
        faults.add(
            ContractRule::Value,
            field,
            "a path is relative, with `/` between its parts",
        );
    } else if path.chars().any(char::is_control) {
        faults.add(
            ContractRule::Value,
            field,
            "a path has no control characters",
        );
    }
}

fn escape_pointer(key: &str) -> String {
    key.replace('~', "~0").replace('/', "~1")
}
