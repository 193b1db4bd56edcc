//! Finds the rules that may match a call without looking at the others.

use std::collections::HashMap;

use crate::{condition::Trigger, facts::Known, pattern::Ids, tool::Tools};

/// Rules by what triggers them.
#[derive(Debug, Default)]
pub(crate) struct Index {
    by_trigger: HashMap<Trigger, Vec<u32>>,
    /// Rules that nothing particular triggers.
    always: Vec<u32>,
}

impl Index {
    pub(crate) fn add(&mut self, rule: u32, triggers: Option<Vec<Trigger>>, tools: Option<Tools>) {
        let triggers = triggers.or_else(|| tools.map(|t| t.each().map(Trigger::Tool).collect()));
        match triggers {
            Some(triggers) => {
                for trigger in triggers {
                    self.by_trigger.entry(trigger).or_default().push(rule);
                }
            }
            None => self.always.push(rule),
        }
    }

    /// The rules that may match, in order.
    pub(crate) fn candidates(&self, facts: &Known<'_>) -> Ids {
        let mut found: Vec<u32> = self.always.clone();
        let mut add = |trigger: Trigger| found.extend(self.by_trigger.get(&trigger).into_iter().flatten());
        for (item, effect) in facts.items.iter().zip(&facts.effects) {
            add(Trigger::Kind(effect.kind));
            item.paths.iter().map(Trigger::Path).for_each(&mut add);
            item.domains.iter().map(Trigger::Domain).for_each(&mut add);
            item.urls.iter().map(Trigger::Url).for_each(&mut add);
        }
        for unit in &facts.units {
            unit.commands.iter().map(Trigger::Command).for_each(&mut add);
            unit.pipelines.iter().map(Trigger::Pipeline).for_each(&mut add);
            unit.contained.iter().map(Trigger::Contained).for_each(&mut add);
        }
        for id in facts.verbatim.iter() {
            add(Trigger::Command(id));
            add(Trigger::Pipeline(id));
        }
        facts.tools().each().map(Trigger::Tool).for_each(&mut add);
        found.into_iter().collect()
    }
}
