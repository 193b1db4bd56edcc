//! Brace expressions: `{a,b}` and `{1..5}`.

use super::expand::MAX_WORDS;
use crate::syntax::Part;

/// A piece of a word while braces are taken apart.
#[derive(Clone, Copy)]
pub(super) enum Piece<'p, 't> {
    Bare(&'p str),
    Whole(&'p Part<'t>),
}

pub(super) enum Choice<'p, 't> {
    Pieces(Vec<Piece<'p, 't>>),
    Text(String),
}

type Split<'p, 't> = (Vec<Piece<'p, 't>>, Vec<Choice<'p, 't>>, Vec<Piece<'p, 't>>);

/// Takes the first brace expression of a word apart: what stands before, the choices, what stands after.
pub(super) fn split_braces<'p, 't>(pieces: &[Piece<'p, 't>]) -> Option<Split<'p, 't>> {
    for (first, piece) in pieces.iter().enumerate() {
        let Piece::Bare(text) = piece else { continue };
        for (at, _) in text.match_indices('{').take(MAX_WORDS) {
            if let Some(split) = close_braces(pieces, first, text, at) {
                return Some(split);
            }
        }
    }
    None
}

fn close_braces<'p, 't>(pieces: &[Piece<'p, 't>], first: usize, text: &'p str, at: usize) -> Option<Split<'p, 't>> {
    let mut depth = 0_usize;
    let mut choices: Vec<Vec<Piece<'p, 't>>> = vec![Vec::new()];
    for (number, piece) in pieces.iter().enumerate().skip(first) {
        let text = match piece {
            Piece::Whole(_) => {
                choices.last_mut()?.push(*piece);
                continue;
            }
            Piece::Bare(_) if number == first => text.get(at + 1..)?,
            Piece::Bare(text) => text,
        };
        let mut from = 0;
        for (offset, c) in text.char_indices() {
            match c {
                '{' => depth += 1,
                '}' if depth > 0 => depth -= 1,
                '}' => {
                    choices.last_mut()?.push(Piece::Bare(text.get(from..offset)?));
                    let mut before = pieces.get(..first)?.to_vec();
                    let Some(Piece::Bare(head)) = pieces.get(first) else { return None };
                    before.push(Piece::Bare(head.get(..at)?));
                    let mut after = vec![Piece::Bare(text.get(offset + 1..)?)];
                    after.extend(pieces.get(number + 1..)?);
                    if let [only] = &choices[..] {
                        let [Piece::Bare(range)] = only[..] else { return None };
                        let texts = sequence(range)?;
                        return Some((before, texts.into_iter().map(Choice::Text).collect(), after));
                    }
                    return Some((before, choices.into_iter().map(Choice::Pieces).collect(), after));
                }
                ',' if depth == 0 => {
                    choices.last_mut()?.push(Piece::Bare(text.get(from..offset)?));
                    from = offset + 1;
                    choices.push(Vec::new());
                }
                _ => {}
            }
        }
        choices.last_mut()?.push(Piece::Bare(text.get(from..)?));
    }
    None
}

/// `1..5` and `a..e`.
fn sequence(range: &str) -> Option<Vec<String>> {
    let (from, to) = range.split_once("..")?;
    let to = to.split("..").next()?;
    if let (Ok(from), Ok(to)) = (from.parse::<i64>(), to.parse::<i64>()) {
        let span = from.min(to)..=from.max(to);
        return Some(span.take(MAX_WORDS).map(|n| n.to_string()).collect());
    }
    let (Some(from), Some(to)) = (from.chars().next(), to.chars().next()) else { return None };
    (range.len() == 4).then(|| (from.min(to)..=from.max(to)).take(MAX_WORDS).map(String::from).collect())
}
