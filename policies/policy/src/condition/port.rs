//! `port`: the port that is contacted is one of these, or within a range such as `8000-8999`.

use std::ops::RangeInclusive;

use super::{Fields, Reader, RuleBuilder};
use crate::tool::Tools;

/// What is written.
#[derive(Debug, Clone, Default)]
pub(crate) struct Source(pub(crate) Option<Vec<RangeInclusive<u16>>>);

impl Source {
    pub(super) fn read(fields: &mut Fields<'_>, reader: &mut Reader<'_>) -> Self {
        let Some(node) = fields.take("port") else { return Self(None) };
        let mut ranges = Vec::new();
        for text in reader.texts(node, "port") {
            let (low, high) = text.value.split_once('-').unwrap_or((&text.value, &text.value));
            match (low.trim().parse::<u16>(), high.trim().parse::<u16>()) {
                (Ok(low), Ok(high)) if low <= high => ranges.push(low..=high),
                _ => {
                    let message = format!("`{}` is not a port", text.value);
                    reader.error_with("bad-port", &text.span, message, "write `443` or `8000-8999`");
                }
            }
        }
        Self(Some(ranges))
    }

    pub(super) fn compile(&self, into: &mut RuleBuilder<'_>) {
        let Some(ranges) = self.0.clone() else { return };
        into.reaches(Tools::CARRIERS.and(Tools::FETCH).and(Tools::CONNECT));
        into.item("port", move |item, _| {
            item.site.as_ref().and_then(|s| s.port).is_some_and(|port| ranges.iter().any(|r| r.contains(&port)))
        });
    }
}
