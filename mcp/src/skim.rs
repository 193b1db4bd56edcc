//! Finds the id of a message that is too long to keep: somebody waits for the answer it was.

use crate::message::Id;
use rampart_call::strict;

/// Follows JSON byte by byte, in constant memory, far enough to tell the members of the outermost object.
#[derive(Debug, Default)]
pub(crate) struct Skimmer {
    depth: usize,
    in_string: bool,
    escaped: bool,
    /// The scalar that is being read in the outermost object, or the last one read.
    token: Vec<u8>,
    /// The member whose value comes next is `id`.
    at_id: bool,
    id: Option<Id>,
    /// Members called `id`: with more than one, no request is meant.
    ids: usize,
}

/// Longer tokens are no ids.
const MAX_TOKEN: usize = 1024;

impl Skimmer {
    pub(crate) fn feed(&mut self, bytes: &[u8]) {
        for &byte in bytes {
            self.byte(byte);
        }
    }

    /// The id, when the message had exactly one.
    pub(crate) fn id(self) -> Option<Id> {
        self.id.filter(|_| self.ids == 1)
    }

    fn byte(&mut self, byte: u8) {
        if self.in_string {
            self.keep(byte);
            match byte {
                _ if self.escaped => self.escaped = false,
                b'\\' => self.escaped = true,
                b'"' => self.in_string = false,
                _ => {}
            }
            return;
        }
        match byte {
            b'"' => {
                self.in_string = true;
                self.token.clear();
                self.keep(byte);
            }
            b'{' | b'[' => {
                self.depth += 1;
                self.token.clear();
            }
            b':' if self.depth == 1 => {
                self.at_id = self.token == b"\"id\"";
                self.ids += usize::from(self.at_id);
                self.token.clear();
            }
            b',' | b'}' | b']' => {
                if self.depth == 1 && self.at_id {
                    self.id = strict::parse(&self.token).ok().and_then(|value| Id::from_value(&value).ok());
                    self.at_id = false;
                }
                self.token.clear();
                self.depth = self.depth.saturating_sub(usize::from(byte != b','));
            }
            b' ' | b'\t' | b'\r' | b'\n' => {}
            _ => self.keep(byte),
        }
    }

    fn keep(&mut self, byte: u8) {
        if self.depth == 1 && self.token.len() < MAX_TOKEN {
            self.token.push(byte);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, id: Option<Id>) {
        let mut skimmer = Skimmer::default();
        text.as_bytes().chunks(3).for_each(|chunk| skimmer.feed(chunk));
        assert_eq!(skimmer.id(), id, "{text}");
    }

    #[test]
    fn the_id_is_found_wherever_it_stands_and_nowhere_else() {
        check(r#"{"jsonrpc":"2.0","id":7,"result":{}}"#, Some(Id::Number(7)));
        check(r#" { "result":{"id":1,"x":["id",{"id":2}]} , "id" : "a,}\"b" } "#, Some(Id::Text("a,}\"b".into())));
        check(r#"{"result":"\"id\":5","jsonrpc":"2.0","id":-3}"#, Some(Id::Number(-3)));
        check(r#"{"id":1,"id":2}"#, None);
        check(r#"{"id":null}"#, None);
        check(r#"{"id":{"id":1}}"#, None);
        check(r#"{"id":1.5}"#, None);
        check(r#"{"x":"id"}"#, None);
        check(r#"[{"id":1}]"#, None);
        check("noise: id: 5, }}}]", None);
        check("", None);
    }
}
