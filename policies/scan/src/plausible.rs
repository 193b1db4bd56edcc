//! What tells a secret from a word: entropy, placeholders, the look of passwords and random keys.

/// Shannon entropy of the bytes, in bits a byte.
pub(crate) fn entropy(bytes: &[u8]) -> f32 {
    let mut counts = [0u32; 256];
    for byte in bytes {
        if let Some(count) = counts.get_mut(usize::from(*byte)) {
            *count += 1;
        }
    }
    let total = bytes.len() as f32;
    counts.iter().filter(|c| **c > 0).map(|c| *c as f32 / total).map(|p| -p * p.log2()).sum()
}

/// Words that stand in values which documentation and templates show.
const PLACEHOLDERS: &[&str] = &[
    "example",
    // of RFC 7617, section 2
    "qwxhzgrpbjpvcgvuihnlc2ftzq",
    "placeholder",
    "redacted",
    "changeme",
    "change_me",
    "change-me",
    "your_",
    "your-",
    "yourtoken",
    "yourkey",
    "yourpass",
    "yoursecret",
    "insert_",
    "insert-",
    "replace_",
    "replace-",
    "replaceme",
    "xxxx",
    "****",
    "....",
    "dummy",
    "notreal",
    "not-real",
    "not_real",
    "00000000",
    "12345678901234567890",
    "todo",
    "hidden",
    // the payload of the token that jwt.io shows: `{"sub":"1234567890","name":"John Doe"`
    "eyjzdwiioiixmjm0nty3odkwiiwibmftzsi6ikpvag4grg9l",
];

/// Values that are placeholders when they are all there is, and passwords that servers for development come with.
const WHOLE: &[&str] = &[
    "password",
    "passwd",
    "pass",
    "pwd",
    "secret",
    "token",
    "key",
    "username:password",
    "user:password",
    "user:pass",
    "admin",
    "guest",
    "mariadb",
    "minioadmin",
    "mysql",
    "postgres",
    "rabbitmq",
];

/// Whether the value says itself that it is none.
pub(crate) fn is_placeholder(value: &[u8]) -> bool {
    let lower = value.to_ascii_lowercase();
    // `secret123` is as much of a secret as `secret`.
    let counted = |rest: &[u8]| b"1234567890".starts_with(rest);
    WHOLE.iter().any(|w| lower.strip_prefix(w.as_bytes()).is_some_and(counted))
        || PLACEHOLDERS.iter().any(|p| lower.windows(p.len()).any(|w| w == p.as_bytes()))
}

/// Whether a value reads as one that a program puts in later: `${X}`, `$X`, `%(x)s`, `{{ x }}`, `<x>`, `process.env.X`.
fn is_reference(value: &[u8]) -> bool {
    const STARTS: &[&str] = &[
        "${",
        "$(",
        "$ENV",
        "%(",
        "{{",
        "<",
        "@",
        "process.",
        "os.",
        "env.",
        "secrets.",
        "vars.",
        "var.",
        "self.",
        "this.",
        "config.",
        "settings.",
        "data.",
        "module.",
        "local.",
        "vault:",
        "arn:",
        "http:",
        "https:",
        "file:",
        // of a secret manager
        "projects/",
        "/",
        "./",
        "~/",
        // publishable keys
        "pk.",
        "pk_",
    ];
    let upper_variable =
        value.strip_prefix(b"$").is_some_and(|v| v.iter().all(|b| b.is_ascii_alphanumeric() || *b == b'_'));
    upper_variable || STARTS.iter().any(|s| value.starts_with(s.as_bytes()))
}

/// Whether the value could be a password that someone chose: 8 characters, letters and something else, no reference.
pub(crate) fn password(value: &[u8]) -> bool {
    // what is beyond ASCII is a letter, mostly, or a sign between words
    let is_letter = |b: &u8| b.is_ascii_alphabetic() || !b.is_ascii();
    let letters = value.iter().filter(|b| is_letter(b)).count();
    let joined = value.iter().all(|b| is_letter(b) || b"_-.:/".contains(b));
    letters >= 2 && !joined && entropy(value) >= 2.4 && !is_reference(value) && !is_code(value) && !is_date(value)
}

/// Whether the value begins with a day: `2026-11-27`.
fn is_date(value: &[u8]) -> bool {
    let like = |(b, form): (&u8, &u8)| if *form == b'0' { b.is_ascii_digit() } else { b == form };
    value.len() >= 10 && value.iter().zip(b"0000-00-00").all(like)
}

/// Whether a word between others can only be a password or key: all kinds of letters, and signs or more than one number
/// as no word has them, or words and a number that are strung together.
pub(crate) fn strong(value: &[u8]) -> bool {
    if is_strung(value) {
        return true;
    }
    if memchr::memmem::find(value, b"%20").is_some() {
        return false;
    }
    let numbers = value.split(|b| !b.is_ascii_digit()).filter(|n| !n.is_empty()).count();
    let signs = value.iter().filter(|b| b"!@#$%^&*+=?".contains(b)).count();
    mixed(value) && numbers + signs >= 2 && password(value) && entropy(value) >= 2.7
}

/// Whether a value is words with capitals and a number, strung together: `Copper-Finch-2290`.
fn is_strung(value: &[u8]) -> bool {
    let mut parts: Vec<&[u8]> = value.split(|b| b"-_.".contains(b)).collect();
    let number = parts.pop().is_some_and(|n| n.len() >= 3 && n.iter().all(u8::is_ascii_digit));
    let capital = |word: &[u8]| matches!(word, [first, rest @ ..] if first.is_ascii_uppercase() && rest.len() >= 3 && rest.iter().all(u8::is_ascii_lowercase));
    number && parts.len() >= 2 && parts.into_iter().all(capital)
}

/// Whether the value could be a key that a machine made: letters and digits mixed, and not words, a version or a path.
pub(crate) fn random(value: &[u8]) -> bool {
    let digits = value.iter().filter(|b| b.is_ascii_digit()).count();
    let letters = value.iter().filter(|b| b.is_ascii_alphabetic()).count();
    // Of many letters in both cases, few may be digits by chance.
    let enough = digits >= 2 || digits == 1 && value.len() >= LONG && mixed(value);
    let plain = enough && letters >= 2 && !is_name(value) && !is_reference(value) && !is_code(value);
    plain && entropy(value) >= if hexadecimal(value) { 3.0 } else { 3.5 }
}

/// From which length on letters and digits are looked at as those of a key.
const LONG: usize = 32;

/// Whether most of the value is words, as in names that programs give: `Rfc5915PrivateKeyDer`.
fn is_name(value: &[u8]) -> bool {
    let numbers = value.split(|b| !b.is_ascii_digit()).filter(|n| !n.is_empty()).count();
    // A name as long as a key has some longer words; letters of a key follow each other by chance.
    let shortest = if value.len() >= LONG { 4 } else { 2 };
    let in_words: usize = value.split(|b| !b.is_ascii_lowercase()).map(<[u8]>::len).filter(|n| *n >= shortest).sum();
    numbers <= 1 && in_words * 2 > value.len()
}

/// Whether the value has upper case, lower case and digits, as keys of mixed alphabets of some length do.
pub(crate) fn mixed(value: &[u8]) -> bool {
    let has = |f: fn(&u8) -> bool| value.iter().any(f);
    has(u8::is_ascii_uppercase) && has(u8::is_ascii_lowercase) && has(u8::is_ascii_digit)
}

fn hexadecimal(value: &[u8]) -> bool {
    value.iter().all(|b| b.is_ascii_hexdigit() || *b == b'-')
}

/// Whether the value reads as the name of a constant: `ML_KEM_512_SECRET_LENGTH`.
fn is_constant(value: &[u8]) -> bool {
    let count = |f: fn(&u8) -> bool| value.iter().filter(|b| f(b)).count();
    let (letters, digits, joints) = (count(u8::is_ascii_uppercase), count(u8::is_ascii_digit), count(|b| *b == b'_'));
    joints > 0 && letters + digits + joints == value.len() && letters > 2 * digits
}

/// Whether the value reads as an expression: a path, the name of a constant, or words with hardly a digit between them.
fn is_code(value: &[u8]) -> bool {
    if value.windows(2).any(|pair| pair == b"::") || is_constant(value) {
        return true;
    }
    let words = value.split(|b| !b.is_ascii_alphanumeric()).filter(|w| w.len() > 2);
    let (mut all, mut plain) = (0, 0);
    for word in words {
        all += 1;
        let lower = word.iter().skip(1).all(u8::is_ascii_lowercase) || word.iter().all(u8::is_ascii_uppercase);
        plain += usize::from(lower);
    }
    all >= 3 && all == plain
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entropy_counts_bits() {
        assert!(entropy(b"aaaa") < 0.01);
        assert!((entropy(b"abcd") - 2.0).abs() < 0.01);
        assert!(entropy(b"") < 0.01);
    }

    #[test]
    fn passwords_are_told_from_words_and_references() {
        for value in ["hunter2hunter2", "Tr0ub4dor&3", "S3cret!pass", "p@ssw0rd2024"] {
            assert!(password(value.as_bytes()), "{value}");
        }
        for value in [
            "string",
            "userPassword",
            "forgot-your-password",
            "${DB_PASSWORD}",
            "process.env.PW1",
            "$PASSWORD1",
            "super::super::Win32::UNICODE_STRING",
            "WIN32_ERROR",
            "12345678",
            "Contraseña",
            "–password–command",
            "2016-09-08T21:47:36Z",
        ] {
            assert!(!password(value.as_bytes()), "{value}");
        }
    }

    #[test]
    fn random_keys_are_told_from_words_and_versions() {
        for value in
            ["a8f5f167f44f4964e6c998dee827110c", "Zk3vQ9xW2mN7pL4sT8rY", "LfvqteMyzxCgcqRo5odaMeqpWzElkqGYlsrtBYDb"]
        {
            assert!(random(value.as_bytes()), "{value}");
        }
        for value in [
            "next-auth.session-token.v2",
            "cancellationTokenSource",
            "aaaaaaaa11111111",
            "EcPrivateKeyRfc5915Der",
            "TLS13_AES_128_GCM_SHA256_INTERNAL_SECRET",
            "GetSecretValueResponseOfVersion2AndMore",
        ] {
            assert!(!random(value.as_bytes()), "{value}");
        }
    }

    #[test]
    fn documentation_shows_placeholders() {
        for value in ["AKIAIOSFODNN7EXAMPLE", "your_api_key_here1", "xxxxxxxxxxxx", "postgres", "secret123"] {
            assert!(is_placeholder(value.as_bytes()), "{value}");
        }
        assert!(!is_placeholder(b"Zk3vQ9xW2mN7pL4sT8rY"));
    }
}
