//! Rules of the packet filter (nftables) that leave one way out, told to the kernel over netlink, without the `nft` program.

mod expression;

use std::io;

use rustix::net::netlink::NETFILTER;

use self::expression::{
    Expression, Header, Meta, Verdict, connection_state, is, is_not, mask, meta, payload, redirect, reject, verdict,
};
use crate::netlink::{Attribute, Message, NLM_F_ACK, NLM_F_APPEND, NLM_F_CREATE, Netlink, read};

/// Where the connections of this network namespace are sent instead of to where they were going. As `nft` would show it
/// (the lines with `skuid`, `icmpv6` and `127.0.0.11` only where somebody is exempt):
///
/// ```text
/// table inet rampart {
///     chain nat_output {
///         type nat hook output priority -110; policy accept;
///         meta skuid 1337 return
///         meta l4proto udp udp dport 53 redirect to :15053
///         meta l4proto tcp tcp dport 53 redirect to :15053
///         ip daddr 127.0.0.0/8 return
///         ip6 daddr ::1 return
///         meta l4proto tcp redirect to :15001
///     }
///     chain filter_output {
///         type filter hook output priority 0; policy drop;
///         meta skuid 1337 accept
///         meta l4proto icmpv6 icmpv6 type { 133, 135, 136 } accept      (one rule each)
///         ct state established,related accept
///         ip daddr 127.0.0.11 reject with icmpx admin-prohibited
///         ip daddr 127.0.0.0/8 accept
///         ip6 daddr ::1 accept
///         reject with icmpx admin-prohibited
///     }
/// }
/// ```
///
/// TCP arrives at 127.0.0.1 or `::1`, whichever it was, and `SO_ORIGINAL_DST` tells where it was going; so does every
/// question for a name, even one to a resolver on the own loopback (Docker's 127.0.0.11, systemd's 127.0.0.53): Docker has a
/// rule of its own for those, at priority -100, and the first one counts. Docker's resolver really listens at another port of
/// that address, so beside a proxy all of it is closed. The rest of the loopback stays the namespace's own. All else is refused, and the sender told so at once, so that clients that try QUIC
/// go on to TCP. The loopback is named by address, not by interface, because in a namespace where everything is local all
/// packets leave through `lo`, and because a redirected packet still shows the interface that it would have left through.
///
/// The listeners must be at 127.0.0.1 and at `::1` by themselves: a UDP socket at the wildcard address answers from the wrong
/// one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Redirection {
    /// Port that every TCP connection is redirected to.
    pub tcp: u16,
    /// Port that questions for names are redirected to, by UDP and by TCP.
    pub dns: u16,
    /// User whose sockets may go anywhere: the proxy's own, where it shares the namespace. With it come the neighbour
    /// discovery and router solicitation messages of IPv6 (RFC 4861), without which a real interface has no IPv6.
    pub exempt: Option<u32>,
}

/// Why rules are not in force.
#[derive(Debug, thiserror::Error)]
pub enum RulesError {
    /// The kernel took none of them: a set of rules comes into force as a whole or not at all.
    #[error(
        "the kernel refused `{step}` of the packet filter: {source}; it needs CAP_NET_ADMIN in this network namespace and \
         nftables with NAT (nf_tables, nft_redir, nft_reject_inet, nf_conntrack)"
    )]
    Refused {
        /// What was to be made, as `nft` names such things.
        step: &'static str,
        /// The kernel's word.
        source: io::Error,
    },
    /// Nobody to talk to.
    #[error("cannot talk to the packet filter: {0}")]
    System(#[from] io::Error),
}

const TABLE: &str = "rampart";
const NAT: &str = "nat_output";
const FILTER: &str = "filter_output";

const NFPROTO_INET: u8 = 1;
const NFPROTO_IPV4: u8 = 2;
const NFPROTO_IPV6: u8 = 10;
const TCP: u8 = 6;
const UDP: u8 = 17;
const ICMPV6: u8 = 58;
const DOCKER_RESOLVER: [u8; 4] = [127, 0, 0, 11];
const LOOPBACK_V6: [u8; 16] = std::net::Ipv6Addr::LOCALHOST.octets();

const NFNL_SUBSYS_NFTABLES: u16 = 10;
const NFNL_MSG_BATCH_BEGIN: u16 = 0x10;
const NFNL_MSG_BATCH_END: u16 = 0x11;
const NFT_MSG_NEWTABLE: u16 = NFNL_SUBSYS_NFTABLES << 8;
const NFT_MSG_DELTABLE: u16 = NFT_MSG_NEWTABLE + 2;
const NFT_MSG_NEWCHAIN: u16 = NFT_MSG_NEWTABLE + 3;
const NFT_MSG_GETCHAIN: u16 = NFT_MSG_NEWTABLE + 4;
const NFT_MSG_NEWRULE: u16 = NFT_MSG_NEWTABLE + 6;
const NFT_MSG_GETRULE: u16 = NFT_MSG_NEWTABLE + 7;

const NFTA_TABLE_NAME: u16 = 1;
const NFTA_CHAIN_NAME: u16 = 3;
const NFTA_RULE_TABLE: u16 = 1;
const NFTA_RULE_CHAIN: u16 = 2;
const NFTA_RULE_EXPRESSIONS: u16 = 4;

/// `struct nfgenmsg`: family, version, and where a batch begins or ends whose it is.
const GENERIC: usize = 4;

impl Redirection {
    /// Puts the rules in force in the network namespace of the calling thread, in place of what an earlier call put there.
    /// Other tables are left alone.
    ///
    /// # Errors
    /// [`RulesError::Refused`] where the kernel does not take them; then none is in force.
    pub fn install(&self) -> Result<(), RulesError> {
        let table = || vec![Attribute::text(NFTA_TABLE_NAME, TABLE)];
        // Deleting needs something to delete, so it is made first; all of it happens at once.
        let mut steps = vec![
            ("add table", message(NFT_MSG_NEWTABLE, NLM_F_CREATE, table())),
            ("delete table", message(NFT_MSG_DELTABLE, 0, table())),
            ("add table", message(NFT_MSG_NEWTABLE, NLM_F_CREATE, table())),
        ];
        for chain in self.chains() {
            steps.push((chain.kind, message(NFT_MSG_NEWCHAIN, NLM_F_CREATE, chain.attributes())));
            for rule in &chain.rules {
                steps.push((
                    rule.name,
                    message(NFT_MSG_NEWRULE, NLM_F_CREATE | NLM_F_APPEND, rule.attributes(chain.name)),
                ));
            }
        }
        let batch: Vec<_> = [batch(NFNL_MSG_BATCH_BEGIN)]
            .into_iter()
            .chain(steps.iter().map(|(_, message)| message.clone()))
            .chain([batch(NFNL_MSG_BATCH_END)])
            .collect();
        Netlink::open(Some(NETFILTER))?.request(&batch).map_err(|(which, source)| {
            let step = which.checked_sub(1).and_then(|which| steps.get(which)).map_or("begin", |(name, _)| name);
            RulesError::Refused { step, source }
        })
    }

    /// Whether exactly these rules are in force in the network namespace of the calling thread. Reading them needs
    /// CAP_NET_ADMIN as well.
    ///
    /// # Errors
    /// When the kernel does not say.
    pub fn stands(&self) -> Result<bool, RulesError> {
        let netlink = Netlink::open(Some(NETFILTER))?;
        let of_ours = vec![Attribute::text(NFTA_RULE_TABLE, TABLE)];
        let chains = netlink.dump(&message(NFT_MSG_GETCHAIN, 0, Vec::new()))?;
        let rules = netlink.dump(&message(NFT_MSG_GETRULE, 0, of_ours))?;
        let own = Attribute::text(NFTA_RULE_TABLE, TABLE);
        let ours = |answer: &[u8], also: &Attribute| {
            let mut found = 0;
            for (kind, bytes) in read(answer.get(GENERIC..).unwrap_or_default()) {
                found += usize::from([&own, also].iter().any(|part| part.kind() == kind && part.is_in(bytes)));
            }
            found == 2
        };
        Ok(self.chains().iter().all(|chain| {
            let name = Attribute::text(NFTA_CHAIN_NAME, chain.name);
            let there = chains.iter().any(|answer| ours(answer, &name) && holds(answer, &chain.attributes()));
            let place = Attribute::text(NFTA_RULE_CHAIN, chain.name);
            let found: Vec<_> = rules.iter().filter(|answer| ours(answer, &place)).collect();
            let same = |(rule, answer): (&Rule, &&Vec<u8>)| holds(answer, &rule.attributes(chain.name));
            there && found.len() == chain.rules.len() && chain.rules.iter().zip(&found).all(same)
        }))
    }

    fn chains(&self) -> [Chain; 2] {
        let transport = |protocol: u8| vec![meta(Meta::Transport), is(&[protocol])];
        let names = |protocol: u8| {
            [transport(protocol), vec![payload(Header::Transport, 2, 2), is(&53_u16.to_be_bytes())]].concat()
        };
        let to = |port: u16| redirect(port).to_vec();
        let loopback_v4 = vec![
            meta(Meta::Family),
            is(&[NFPROTO_IPV4]),
            payload(Header::Network, 16, 4),
            mask(&[0xff, 0, 0, 0]),
            is(&[127, 0, 0, 0]),
        ];
        let loopback_v6 =
            vec![meta(Meta::Family), is(&[NFPROTO_IPV6]), payload(Header::Network, 24, 16), is(&LOOPBACK_V6)];
        let exempt: Vec<_> =
            self.exempt.iter().map(|uid| vec![meta(Meta::SocketUid), is(&uid.to_ne_bytes())]).collect();
        let rule = |name, parts: &[&[Expression]]| Rule { name, steps: parts.concat() };
        let end = |what| vec![verdict(what)];

        let mut nat: Vec<_> =
            exempt.iter().map(|who| rule("meta skuid return", &[who, &end(Verdict::Return)])).collect();
        nat.extend([
            rule("udp dport 53 redirect", &[&names(UDP), &to(self.dns)]),
            rule("tcp dport 53 redirect", &[&names(TCP), &to(self.dns)]),
            rule("ip daddr 127.0.0.0/8 return", &[&loopback_v4, &end(Verdict::Return)]),
            rule("ip6 daddr ::1 return", &[&loopback_v6, &end(Verdict::Return)]),
            rule("tcp redirect", &[&transport(TCP), &to(self.tcp)]),
        ]);
        let mut filter: Vec<_> =
            exempt.iter().map(|who| rule("meta skuid accept", &[who, &end(Verdict::Accept)])).collect();
        // Router solicitation, neighbour solicitation and advertisement (RFC 4861 section 4).
        filter.extend(exempt.iter().flat_map(|_| [133_u8, 135, 136]).map(|kind| {
            let kind = [transport(ICMPV6), vec![payload(Header::Transport, 0, 1), is(&[kind])]].concat();
            rule("icmpv6 type accept", &[&kind, &end(Verdict::Accept)])
        }));
        // NF_CT_STATE_BIT of IP_CT_ESTABLISHED and IP_CT_RELATED.
        let known = [connection_state(), mask(&(2_u32 | 4).to_ne_bytes()), is_not(&[0; 4])];
        filter.push(rule("ct state established,related accept", &[&known, &end(Verdict::Accept)]));
        let docker = [meta(Meta::Family), is(&[NFPROTO_IPV4]), payload(Header::Network, 16, 4), is(&DOCKER_RESOLVER)];
        filter.extend(exempt.iter().map(|_| rule("ip daddr 127.0.0.11 reject", &[&docker, &[reject()]])));
        filter.extend([
            rule("ip daddr 127.0.0.0/8 accept", &[&loopback_v4, &end(Verdict::Accept)]),
            rule("ip6 daddr ::1 accept", &[&loopback_v6, &end(Verdict::Accept)]),
            rule("reject with icmpx admin-prohibited", &[&[reject()]]),
        ]);
        [
            Chain { name: NAT, kind: "nat", priority: -110, policy: Policy::Accept, rules: nat },
            Chain { name: FILTER, kind: "filter", priority: 0, policy: Policy::Drop, rules: filter },
        ]
    }
}

struct Chain {
    name: &'static str,
    kind: &'static str,
    priority: i32,
    policy: Policy,
    rules: Vec<Rule>,
}

#[derive(Clone, Copy)]
enum Policy {
    Drop = 0,
    Accept = 1,
}

impl Chain {
    fn attributes(&self) -> Vec<Attribute> {
        const NF_INET_LOCAL_OUT: u32 = 3;
        let priority = Attribute::Value(2, self.priority.to_be_bytes().to_vec());
        vec![
            Attribute::text(1, TABLE),
            Attribute::text(NFTA_CHAIN_NAME, self.name),
            Attribute::Nest(4, vec![Attribute::be32(1, NF_INET_LOCAL_OUT), priority]),
            Attribute::be32(5, self.policy as u32),
            Attribute::text(7, self.kind),
        ]
    }
}

struct Rule {
    name: &'static str,
    steps: Vec<Expression>,
}

impl Rule {
    fn attributes(&self, chain: &str) -> Vec<Attribute> {
        vec![
            Attribute::text(NFTA_RULE_TABLE, TABLE),
            Attribute::text(NFTA_RULE_CHAIN, chain),
            Attribute::Nest(NFTA_RULE_EXPRESSIONS, self.steps.clone()),
        ]
    }
}

/// Whether an answer holds all of these.
fn holds(answer: &[u8], attributes: &[Attribute]) -> bool {
    attributes.iter().all(|attribute| {
        let there = read(answer.get(GENERIC..).unwrap_or_default());
        there.into_iter().any(|(kind, bytes)| kind == attribute.kind() && attribute.is_in(bytes))
    })
}

fn message(kind: u16, flags: u16, attributes: Vec<Attribute>) -> Message {
    Message { kind, flags: flags | NLM_F_ACK, header: vec![NFPROTO_INET, 0, 0, 0], attributes }
}

/// The begin or the end of what happens at once. Older kernels do not acknowledge these.
fn batch(kind: u16) -> Message {
    let [high, low] = NFNL_SUBSYS_NFTABLES.to_be_bytes();
    Message { kind, flags: 0, header: vec![0, 0, high, low], attributes: Vec::new() }
}
