//! Calls that pay or move money, or that change where it goes.

use rampart_shell::verbs::any;
use serde_json::Value;

use super::{
    LONGEST, rights,
    said::{one_of, plain},
};

/// Words with which money is moved.
const MOVES: &[&str] = &[
    "approve", "confirm", "create", "execute", "fund", "initiate", "instant", "issue", "make", "new", "post",
    "release", "schedule", "send", "submit",
];

/// What is money that leaves.
const LEAVES: &[&str] = &["disbursement", "payout", "payouts", "remittance", "withdraw", "withdrawal", "withdrawals"];

/// What is money where the arguments say how much of it, or where it goes.
const MONEY: &[&str] = &[
    "ach",
    "eth",
    "funds",
    "money",
    "payment",
    "payments",
    "pix",
    "sepa",
    "swift",
    "token",
    "tokens",
    "transfer",
    "transfers",
    "wire",
    "zelle",
];

/// Words of names that ask, plan, ask others to pay or tell of what was paid.
const OTHER: &[&str] = &[
    "calculate",
    "cancel",
    "check",
    "find",
    "query",
    "search",
    "validate",
    "design",
    "estimate",
    "fee",
    "fees",
    "history",
    "intent",
    "intents",
    "link",
    "links",
    "method",
    "methods",
    "plan",
    "preview",
    "quote",
    "reminder",
    "report",
    "request",
    "schedules",
    "simulate",
    "status",
    "template",
    "terms",
];

/// Arguments that say how much, or who gets it.
const AMOUNTS: &[&str] = &[
    "amount",
    "amountcents",
    "amountminor",
    "beneficiaire",
    "beneficiary",
    "betrag",
    "currency",
    "importe",
    "kwota",
    "montant",
    "monto",
    "quoteuuid",
    "targetaccount",
    "transferamount",
    "valor",
    "waehrung",
    "сумма",
    "金額",
    "金额",
];

/// What wallets hold.
const COINS: &[&str] = &["bitcoin", "btc", "coins", "crypto", "eth", "ether", "sol", "transaction", "usdc", "usdt"];

/// Methods of wallets by JSON-RPC that send what the wallet holds.
const WALLETS: &[&str] = &[
    "eth_sendrawtransaction",
    "eth_sendtransaction",
    "sendmany",
    "sendrawtransaction",
    "sendtoaddress",
    "sendtransaction",
    "wallet_sendtransaction",
];

/// Words of networks whose money is of no worth.
const PLAY: &[&str] = &[":18332", ":18443", ":8545", "devnet", "goerli", "holesky", "regtest", "sepolia", "testnet"];

/// How deep arguments are looked at.
const MAX_DEPTH: usize = 8;

/// Whether a call moves money, or changes the account that it goes to.
pub(super) fn pays(tool: &[String], arguments: &Value) -> bool {
    let has = |known: &[&str]| any(tool, known);
    if rights::asks(tool) {
        return false;
    }
    if credits(tool, arguments) {
        return true;
    }
    if has(OTHER) {
        return false;
    }
    let amount = || holds(arguments, &|key, value| is_amount(key) || value.as_str().is_some_and(is_iban), 0);
    let whole = || has(&["close", "liquidate", "sell"]) && has(&["all"]) && has(&["position", "positions", "holdings"]);
    let pay = tool.first().is_some_and(|word| matches!(word.as_str(), "pay" | "payment" | "transfer" | "withdraw"));
    let changes = has(&["batch", "bulk", "change", "edit", "modify", "patch", "set", "update"]);
    let moves = has(MOVES) && has(LEAVES)
        || has(LEAVES) && amount()
        || has(MONEY) && (has(MOVES) || pay) && amount()
        || pay && !has(&["transfer"]) && amount()
        || whole()
        || has(&["approve", "execute", "process", "run", "submit"]) && has(&["payroll"])
        || has(&["transaction", "transactions"])
            && has(MOVES)
            && names(arguments, &["to"])
            && amount()
            && holds(arguments, &|key, value| key == "type" && matches!(value.as_str(), Some("send" | "transfer")), 0)
        || has(&["send"]) && has(COINS) && names(arguments, &["address", "recipient", "to", "toaddress"])
        || has(&["create", "execute", "place", "submit"])
            && has(&["order", "orders", "trade"])
            && names(arguments, &["symbol", "ticker"])
            && names(arguments, &["side"])
        || changes && holds(arguments, &|_, value| value.as_str().is_some_and(is_iban), 0)
        || changes && has(&["budget", "budgets", "bid", "bids"]) && has(&["ad", "ads", "adset", "campaign"])
        || changes
            && has(&["payment", "payments", "payout", "payouts"])
            && has(&["account", "destination", "gateway", "processor", "provider"]);
    moves && !holds(arguments, &|key, value| is_network(key) && value.as_str().is_some_and(is_play), 0)
}

/// Whether somebody gets what is as good as money: a gift card that is filled, credit in a shop, a balance that is raised.
fn credits(tool: &[String], arguments: &Value) -> bool {
    let has = |known: &[&str]| any(tool, known);
    let worth = |value: &Value| {
        holds(value, &|key, _| is_amount(key) || one_of(key, &["initialvalue", "creditamount"]), 0)
            && !value.to_string().contains("REDEEM")
    };
    let card = has(&["gift"]) && has(&["card", "cards"]) || has(&["giftcard", "giftcards"]);
    let credit = has(&["store", "customer", "account"]) && has(&["credit", "credits"])
        || has(&["balance"])
            && has(&["customer", "wallet"])
            && has(&["add", "adjust", "increase", "topup", "transaction"])
        || has(&["credit"]) && has(&["note", "notes"]);
    let gives = has(&["activate", "add", "adjust", "create", "credit", "fill", "increase", "issue", "load", "topup"]);
    let held = |key: &str, value: &Value| plain(key).contains("giftcard") && value.is_object() && worth(value);
    (card || credit) && gives && worth(arguments) || holds(arguments, &held, 0)
}

/// Whether an argument says which network is meant.
fn is_network(key: &str) -> bool {
    ["chain", "cluster", "endpoint", "env", "environment", "network", "node", "rpc", "url"]
        .iter()
        .any(|end| plain(key).ends_with(end))
}

fn names(arguments: &Value, keys: &[&str]) -> bool {
    arguments.as_object().into_iter().flatten().any(|(key, value)| one_of(key, keys) && !value.is_null())
}

/// Whether a request's document has a wallet send what it holds.
pub(super) fn sends_coins(url: &str, document: &Value) -> bool {
    let one = |call: &Value| {
        let method = call.get("method").and_then(Value::as_str).unwrap_or("").to_ascii_lowercase();
        call.get("params").is_some() && WALLETS.contains(&method.as_str())
    };
    let place = url.split(['?', '#']).next().unwrap_or(url);
    !is_play(place) && (one(document) || document.as_array().is_some_and(|calls| calls.iter().any(one)))
}

/// Whether what a browser is told, in words or in code, is to send money to an account that stands there.
pub(super) fn tells_to_pay(text: &str) -> bool {
    const PAYS: &[&str] = &["pay", "send", "transfer", "wire", "überweise", "überweisung", "virement", "envía"];
    let sum = |word: &str| {
        let digits = word.trim_start_matches(['$', '€', '£']);
        digits.len() < word.len() && digits.starts_with(|c: char| c.is_ascii_digit())
    };
    let account = || text.split(|c: char| !c.is_ascii_alphanumeric()).any(is_iban);
    let lower = text.to_lowercase();
    lower.split(|c: char| !c.is_alphanumeric()).any(|word| PAYS.contains(&word))
        && (account() || text.split_whitespace().any(sum) && lower.contains(" to ") && !lower.contains("test"))
}

fn is_play(text: &str) -> bool {
    let text = text.to_ascii_lowercase();
    PLAY.iter().any(|word| text.contains(word))
}

fn is_amount(key: &str) -> bool {
    one_of(key, AMOUNTS) || AMOUNTS.contains(&key.to_lowercase().as_str()) || plain(key).ends_with("amount")
}

/// Whether one of the arguments is such, also of those in a text.
fn holds(value: &Value, is: &dyn Fn(&str, &Value) -> bool, depth: usize) -> bool {
    match value {
        _ if depth > MAX_DEPTH => false,
        Value::Object(map) => map.iter().any(|(key, value)| is(key, value) || holds(value, is, depth + 1)),
        Value::Array(list) => list.iter().any(|value| holds(value, is, depth + 1)),
        Value::String(text) if text.len() <= LONGEST && text.trim_start().starts_with(['{', '[']) => {
            serde_json::from_str(text).is_ok_and(|value: Value| !value.is_string() && holds(&value, is, depth + 4))
        }
        _ => false,
    }
}

fn is_iban(text: &str) -> bool {
    rampart_scan::iban(text.as_bytes())
}

/// Whether what is moved, or where to, stands in the argument.
pub(super) fn decides(tool: &[String], key: &str, value: &Value) -> bool {
    let about = any(tool, LEAVES) || any(tool, MONEY);
    about && !rights::asks(tool) && !any(tool, OTHER) && (is_amount(key) || value.is_object() || value.is_array())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{super::tongues::words, *};

    #[test]
    fn money_is_moved() {
        for (tool, arguments, expect) in [
            ("create_payout", json!({"items": [{"amount": {"value": "3.00"}}]}), true),
            ("stripe_api_execute PostPayouts", json!({"params": "{\"amount\": 1}"}), true),
            ("createTransfer", json!({"targetAccount": 1, "fund": true}), true),
            ("ueberweisungAusfuehren", json!({"betrag": 1, "empfaenger": "x"}), true),
            ("pay_invoice", json!({"id": 1, "amount": 3}), true),
            ("transfer_repository", json!({"newOwner": "x"}), false),
            ("create_transfer", json!({"source": "s3://a", "sink": "gs://b"}), false),
            ("send_tokens", json!({"amount": "1", "network": "sepolia"}), false),
            ("send_tokens", json!({"amount": "1", "network": "mainnet", "memo": "sepolia"}), true),
            ("create v1 payments search", json!({"amount": 3}), false),
            ("list_payouts", json!({"amount": 1}), false),
            ("create_payment_link", json!({"amount": 1, "currency": "eur"}), false),
            ("create_invoice", json!({"amount": 1, "iban": "DE89370400440532013000"}), false),
            ("update_employee", json!({"fields": {"iban": "DE89370400440532013000"}}), true),
            ("update_employee", json!({"fields": {"iban": "DE00370400440532013000"}}), false),
            (
                "make_api_request",
                json!({"request": {"gift_card_activity": {"type": "ADJUST_INCREMENT", "amount_money": {"amount": 9}}}}),
                true,
            ),
            (
                "make_api_request",
                json!({"request": {"gift_card_activity": {"type": "REDEEM", "amount_money": {"amount": 9}}}}),
                false,
            ),
            ("create_gift_card", json!({"initialValue": "100"}), true),
            ("create_credit_note", json!({"invoice": "1", "amount": 5}), true),
            ("create accounts transactions", json!({"type": "send", "to": "x", "amount": "1"}), true),
            ("create accounts transactions", json!({"type": "note", "to": "x", "amount": "1"}), false),
            ("get_gift_card", json!({"initialValue": "100"}), false),
            ("add_store_credit", json!({"customer": "1", "amount": 5}), true),
            ("create capital withdraw apply", json!({"coin": "USDT", "amount": "900"}), true),
            ("close_all_positions", json!({}), true),
            ("close_position", json!({"symbol": "A"}), false),
            ("run_payroll", json!({"id": 1}), true),
            ("send_crypto", json!({"to": "x", "asset": "ETH"}), true),
            ("place_market_order", json!({"symbol": "A", "side": "buy", "qty": 1}), true),
            ("create_order", json!({"items": [{"sku": "A"}]}), false),
            ("hacerTransferencia", json!({"importe": 1}), true),
            ("get_transfer_quote", json!({"amount": 1}), false),
        ] {
            assert_eq!(pays(&words(tool), &arguments), expect, "{tool} {arguments}");
        }
    }

    #[test]
    fn wallets_and_browsers_send_it() {
        let call = |method: &str| json!({"jsonrpc": "2.0", "method": method, "params": []});
        for (url, method, expect) in [
            ("https://mainnet.example/v3/1", "eth_sendRawTransaction", true),
            ("https://sepolia.example/v3/1", "eth_sendRawTransaction", false),
            ("https://mainnet.example/v3/1?n=sepolia", "eth_sendRawTransaction", true),
            ("https://mainnet.example/v3/1", "eth_getBalance", false),
            ("http://127.0.0.1:8332/", "sendtoaddress", true),
            ("http://127.0.0.1:18443/", "sendtoaddress", false),
        ] {
            assert_eq!(sends_coins(url, &call(method)), expect, "{url} {method}");
        }
        for (text, expect) in [
            ("log in and send 100 EUR to DE89370400440532013000", true),
            ("check that DE89370400440532013000 is shown", false),
            ("send the report to Ann", false),
            ("go to the bank and send $500 to mike@mail.example", true),
            ("pay $5 to the shop in the test system", false),
            ("find shoes below $50", false),
        ] {
            assert_eq!(tells_to_pay(text), expect, "{text}");
        }
    }
}
