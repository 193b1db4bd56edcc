//! What rules of nftables consist of, as the kernel knows them (`linux/netfilter/nf_tables.h`): each loads something into a
//! register, compares a register, or ends the rule.

use crate::netlink::Attribute;

/// One step of a rule.
pub(super) type Expression = Attribute;

const NFTA_LIST_ELEM: u16 = 1;
const NFTA_EXPR_NAME: u16 = 1;
const NFTA_EXPR_DATA: u16 = 2;
const NFTA_DATA_VALUE: u16 = 1;
const NFTA_DATA_VERDICT: u16 = 2;
const NFTA_VERDICT_CODE: u16 = 1;

/// The register of verdicts, and the one that everything is loaded into here.
const NFT_REG_VERDICT: u32 = 0;
const NFT_REG_1: u32 = 1;

fn expression(name: &str, data: Vec<Attribute>) -> Expression {
    Attribute::Nest(NFTA_LIST_ELEM, vec![Attribute::text(NFTA_EXPR_NAME, name), Attribute::Nest(NFTA_EXPR_DATA, data)])
}

fn data(kind: u16, bytes: &[u8]) -> Attribute {
    Attribute::Nest(kind, vec![Attribute::Value(NFTA_DATA_VALUE, bytes.to_vec())])
}

/// `meta KEY`: a fact about the packet.
#[derive(Debug, Clone, Copy)]
pub(super) enum Meta {
    /// Whose socket sent it.
    SocketUid = 10,
    /// IPv4 or IPv6.
    Family = 15,
    /// TCP, UDP and so on.
    Transport = 16,
}

pub(super) fn meta(key: Meta) -> Expression {
    expression("meta", vec![Attribute::be32(1, NFT_REG_1), Attribute::be32(2, key as u32)])
}

/// `ct state`: what the packet is to the connection it belongs to, as bits.
pub(super) fn connection_state() -> Expression {
    expression("ct", vec![Attribute::be32(1, NFT_REG_1), Attribute::be32(2, 0)])
}

/// Which header bytes are counted from.
#[derive(Debug, Clone, Copy)]
pub(super) enum Header {
    Network = 1,
    Transport = 2,
}

/// Bytes of a header.
pub(super) fn payload(header: Header, offset: u32, length: u32) -> Expression {
    expression(
        "payload",
        vec![
            Attribute::be32(1, NFT_REG_1),
            Attribute::be32(2, header as u32),
            Attribute::be32(3, offset),
            Attribute::be32(4, length),
        ],
    )
}

/// Keeps the bits of the register that are set in `mask`.
pub(super) fn mask(mask: &[u8]) -> Expression {
    expression(
        "bitwise",
        vec![
            Attribute::be32(1, NFT_REG_1),
            Attribute::be32(2, NFT_REG_1),
            Attribute::be32(3, u32::try_from(mask.len()).unwrap_or(u32::MAX)),
            data(4, mask),
            data(5, &vec![0; mask.len()]),
        ],
    )
}

/// Goes on only where the register holds this.
pub(super) fn is(bytes: &[u8]) -> Expression {
    expression("cmp", vec![Attribute::be32(1, NFT_REG_1), Attribute::be32(2, 0), data(3, bytes)])
}

/// Goes on only where the register holds something else.
pub(super) fn is_not(bytes: &[u8]) -> Expression {
    expression("cmp", vec![Attribute::be32(1, NFT_REG_1), Attribute::be32(2, 1), data(3, bytes)])
}

/// What becomes of a packet.
#[derive(Debug, Clone, Copy)]
pub(super) enum Verdict {
    Accept = 1,
    /// Nothing more in this chain.
    Return = -5,
}

pub(super) fn verdict(verdict: Verdict) -> Expression {
    let code = Attribute::Value(NFTA_VERDICT_CODE, (verdict as i32).to_be_bytes().to_vec());
    let code = Attribute::Nest(NFTA_DATA_VERDICT, vec![code]);
    expression("immediate", vec![Attribute::be32(1, NFT_REG_VERDICT), Attribute::Nest(2, vec![code])])
}

/// `redirect to :PORT`, as two steps.
pub(super) fn redirect(port: u16) -> [Expression; 2] {
    [
        expression("immediate", vec![Attribute::be32(1, NFT_REG_1), data(2, &port.to_be_bytes())]),
        expression("redir", vec![Attribute::be32(1, NFT_REG_1)]),
    ]
}

/// `reject with icmpx admin-prohibited`: the sender hears at once that this leads nowhere.
pub(super) fn reject() -> Expression {
    const NFT_REJECT_ICMPX_UNREACH: u32 = 2;
    const NFT_REJECT_ICMPX_ADMIN_PROHIBITED: u8 = 3;
    expression(
        "reject",
        vec![
            Attribute::be32(1, NFT_REJECT_ICMPX_UNREACH),
            Attribute::Value(2, vec![NFT_REJECT_ICMPX_ADMIN_PROHIBITED]),
        ],
    )
}
