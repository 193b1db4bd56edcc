//! Card and account numbers: no keyword announces them, so runs of digits and capitals are looked for by skipping.

use std::collections::BTreeSet;

use crate::check::{iban, luhn};

/// The shortest card number, with or without separators. Account numbers are longer.
const SHORTEST: usize = 13;
/// The longest account number, in groups of four.
const LONGEST: usize = 42;
/// How many digits an account number has at least.
const DIGITS: usize = 7;

/// Reports card numbers and bank accounts.
pub(crate) fn numbers(bytes: &[u8], report: &mut impl FnMut(&str, usize, usize)) {
    let mut i = 0;
    while let Some(probe) = bytes.get(i..i + SHORTEST) {
        // A number that covers this stretch would have no byte out of place in it, and no two gaps in a row. Mostly the
        // last two bytes tell.
        let goes_on = |pair: &[u8]| pair.iter().map(|b| of_number(*b)).sum::<u8>() > CHARACTER;
        if let Some(bad) = probe.windows(2).rposition(|pair| !goes_on(pair)) {
            i += bad + 1;
            continue;
        }
        let rest = bytes.get(i..).unwrap_or_default();
        let length = rest.windows(2).position(|pair| !goes_on(pair)).map_or(rest.len(), |last| last + 1);
        let run = rest.get(..length).unwrap_or_default();
        if run.iter().filter(|b| b.is_ascii_digit()).take(DIGITS).count() == DIGITS {
            cards(bytes, i, i + length, report);
            accounts(bytes, i, i + length, report);
        }
        i += length;
    }
}

/// What [`of_number`] says of a character and of a gap.
const CHARACTER: u8 = 2;
const GAP: u8 = 1;

/// Whether a byte may stand in a number, as one of its characters or between them; 0 if not.
fn of_number(byte: u8) -> u8 {
    match byte {
        b'0'..=b'9' | b'A'..=b'Z' => CHARACTER,
        b' ' | b'-' => GAP,
        _ => 0,
    }
}

/// Cards in a run of digits, capitals, spaces and dashes: 13 to 19 digits of a known issuer, together or in groups.
fn cards(bytes: &[u8], start: usize, end: usize, report: &mut impl FnMut(&str, usize, usize)) {
    let groups = groups(bytes, start, end);
    let mut i = 0;
    'from: while let Some((first, _)) = groups.get(i).copied() {
        i += 1;
        if first
            .checked_sub(1)
            .and_then(|b| bytes.get(b))
            .is_some_and(|b| b.is_ascii_alphanumeric() || b"._".contains(b))
        {
            continue;
        }
        let mut digits = 0;
        for (n, (from, to)) in groups.iter().copied().skip(i - 1).enumerate() {
            let next = from == first + digits + n;
            digits += to - from;
            if digits > 19 || !next || (n > 0 && (!(3..=7).contains(&(to - from)) || digits - (to - from) < 4)) {
                continue 'from;
            }
            let Some(number) = bytes.get(first..to) else { continue 'from };
            let whole = bytes.get(to).is_none_or(|b| !b.is_ascii_alphanumeric());
            if digits >= SHORTEST
                && whole
                && issued(number, digits)
                && luhn(number)
                && !of_table(number, bytes.get(to..))
                && !among_numbers(bytes, first, to)
            {
                report("payment-card", first, to);
                i += n;
                continue 'from;
            }
        }
    }
}

/// Whether a number in groups is a part of a table of code points: most groups begin alike, or another of hexadecimal
/// digits follows.
fn of_table(number: &[u8], after: Option<&[u8]>) -> bool {
    let groups: BTreeSet<&[u8]> = number.split(|b| !b.is_ascii_digit()).collect();
    let alike = |group: &&[u8]| groups.iter().filter(|other| other.get(..2) == group.get(..2)).count() >= 3;
    let goes_on = || match after {
        Some([b' ', group @ ..]) => {
            let length = group.iter().take_while(|b| b.is_ascii_hexdigit()).count();
            length == 4 && group.iter().take(length).any(u8::is_ascii_uppercase)
        }
        _ => false,
    };
    groups.iter().any(alike) || groups.len() > 1 && goes_on()
}

/// Whether a number is negative, or one of many in code or data: between two in a list that are as long and no cards, or beside one
/// where its brackets begin or end. One neighbour alone is not enough: a customer's number stands beside a card in many a table.
fn among_numbers(bytes: &[u8], first: usize, to: usize) -> bool {
    const BETWEEN: usize = 32;
    let separates = |b: &&u8| b.is_ascii_whitespace() || **b == b',';
    let no_card =
        |number: &[u8]| (SHORTEST..=20).contains(&number.len()) && !(issued(number, number.len()) && luhn(number));
    let (before, after) = (bytes.get(..first).unwrap_or_default(), bytes.get(to..).unwrap_or_default());
    if matches!(before, [.., sign, b'-'] if !sign.is_ascii_alphanumeric()) {
        return true;
    }
    let gap = after.iter().take(BETWEEN).take_while(separates).count();
    let next = after.get(gap..).unwrap_or_default();
    let digits = next.iter().take(21).take_while(|b| b.is_ascii_digit()).count();
    let (is_followed, ends) = (gap > 0 && next.get(..digits).is_some_and(no_card), next.starts_with(b"]"));
    let gap = before.iter().rev().take(BETWEEN).take_while(separates).count();
    let last = before.get(..before.len() - gap).unwrap_or_default();
    let digits = last.iter().rev().take(21).take_while(|b| b.is_ascii_digit()).count();
    let is_led = gap > 0 && last.get(last.len() - digits..).is_some_and(no_card);
    is_led && (is_followed || ends) || is_followed && last.ends_with(b"[")
}

/// The groups of digits that single spaces or dashes separate.
fn groups(bytes: &[u8], start: usize, end: usize) -> Vec<(usize, usize)> {
    let mut groups = Vec::new();
    let mut from = start;
    for i in start..=end {
        if i == end || bytes.get(i).is_none_or(|b| !b.is_ascii_digit()) {
            if i > from {
                groups.push((from, i));
            }
            from = i + 1;
        }
    }
    groups
}

/// Whether an issuer gives out numbers that begin so and are `length` long (Visa, Mastercard, American Express, Discover,
/// Diners, JCB, UnionPay).
fn issued(number: &[u8], length: usize) -> bool {
    let head = number.iter().filter(|b| b.is_ascii_digit()).take(4).fold(0u32, |n, b| n * 10 + u32::from(b - b'0'));
    match head {
        4000..=4999 => length == 16,
        5100..=5599 | 2221..=2720 => length == 16,
        3400..=3499 | 3700..=3799 => length == 15,
        6011 | 6440..=6599 | 3528..=3589 | 6200..=6299 => length == 16,
        3000..=3059 | 3600..=3699 | 3800..=3999 => length == 14,
        _ => false,
    }
}

/// Accounts that begin between `from` and `to`: two capitals, two digits, then letters and digits, together or in fours.
fn accounts(bytes: &[u8], from: usize, to: usize, report: &mut impl FnMut(&str, usize, usize)) {
    let mut i = from;
    while i < to {
        let Some(head) = bytes.get(i..i + 4) else { return };
        let begins = head.iter().take(2).all(u8::is_ascii_uppercase) && head.iter().skip(2).all(u8::is_ascii_digit);
        let word = i.checked_sub(1).and_then(|p| bytes.get(p)).is_some_and(u8::is_ascii_alphanumeric);
        if begins
            && !word
            && let Some(end) = account_end(bytes, i)
        {
            report("iban", i, end);
            i = end;
        } else {
            i += 1;
        }
    }
}

/// The end of the account number that begins at `start`.
fn account_end(bytes: &[u8], start: usize) -> Option<usize> {
    let run = bytes.get(start..bytes.len().min(start + LONGEST))?;
    let in_number = |b: &&u8| b.is_ascii_uppercase() || b.is_ascii_digit() || **b == b' ';
    let longest = run.iter().take_while(in_number).count();
    (15..=longest).rev().map(|length| start + length).find(|end| {
        let number = bytes.get(start..*end).unwrap_or_default();
        let ends = bytes.get(*end).is_none_or(|b| !b.is_ascii_alphanumeric()) && number.last() != Some(&b' ');
        ends && iban(number)
    })
}
