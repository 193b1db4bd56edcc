//! The operators of `${name..}` that cut, replace and change a value.

/// Longest value that patterns are cut from, in bytes.
const MAX_CUT: usize = 256;

/// `${name#pattern}` and its like, where the pattern holds `*`, `?` or a set.
fn cut_pattern(value: &str, operator: &str, operand: &str) -> Option<String> {
    if value.len() > MAX_CUT || operand.len() > MAX_CUT {
        return None;
    }
    let ends: Vec<usize> = (0..=value.len()).filter(|at| value.is_char_boundary(*at)).collect();
    let is = |pattern: &str, from: usize, to: usize| {
        value.get(from..to).is_some_and(|text| crate::glob::matches_sets(pattern, text))
    };
    let (mut prefixes, mut suffixes) = (ends.iter(), ends.iter());
    let kept = match operator {
        "#" => value.get(*prefixes.find(|at| is(operand, 0, **at)).unwrap_or(&0)..)?,
        "##" => value.get(*prefixes.rfind(|at| is(operand, 0, **at)).unwrap_or(&0)..)?,
        "%" => value.get(..*suffixes.rfind(|at| is(operand, **at, value.len())).unwrap_or(&value.len()))?,
        "%%" => value.get(..*suffixes.find(|at| is(operand, **at, value.len())).unwrap_or(&value.len()))?,
        "/" | "//" => {
            let (pattern, to) = operand.split_once('/').unwrap_or((operand, ""));
            let mut out = String::new();
            let mut from = 0;
            let mut replaced = false;
            while from < value.len() {
                let longest = ends.iter().rev().find(|to| **to > from && is(pattern, from, **to));
                match longest.filter(|_| !pattern.is_empty() && (operator == "//" || !replaced)) {
                    Some(end) => {
                        out.push_str(to);
                        from = *end;
                        replaced = true;
                    }
                    None => {
                        let next = value.get(from..)?.chars().next()?;
                        out.push(next);
                        from += next.len_utf8();
                    }
                }
            }
            return Some(out);
        }
        _ => return None,
    };
    Some(kept.to_owned())
}

/// Applies an operator of `${name..}` to a known value.
pub(super) fn cut(value: &str, operator: &str, operand: &str) -> Option<String> {
    let plain = !operand.contains(['*', '?', '[']);
    if !plain && operator.starts_with(['#', '%', '/']) {
        return cut_pattern(value, operator, operand);
    }
    match operator {
        "#" | "##" if plain => Some(value.strip_prefix(operand).unwrap_or(value).to_owned()),
        "%" | "%%" if plain => Some(value.strip_suffix(operand).unwrap_or(value).to_owned()),
        "/" | "//" if plain => {
            let (from, to) = operand.split_once('/').unwrap_or((operand, ""));
            if from.is_empty() {
                return None;
            }
            Some(if operator == "/" { value.replacen(from, to, 1) } else { value.replace(from, to) })
        }
        "^^" => Some(value.to_uppercase()),
        ",," => Some(value.to_lowercase()),
        ":" => {
            // the home is absolute, whatever it is called
            let value = if value == "~" { "/home" } else { value };
            let number = |text: &str| text.trim().trim_matches(['(', ')']).trim().parse::<i64>().ok();
            let count = i64::try_from(value.chars().count()).ok()?;
            let from_end = |n: i64| if n < 0 { count + n } else { n };
            let (start, length) = match operand.split_once(':') {
                Some((start, length)) => {
                    let (start, length) = (from_end(number(start)?), number(length)?);
                    (start, if length < 0 { count + length - start } else { length })
                }
                None => (from_end(number(operand)?), i64::MAX),
            };
            let (start, length) = (usize::try_from(start).ok()?, usize::try_from(length).ok()?);
            Some(value.chars().skip(start).take(length).collect())
        }
        _ => None,
    }
}
