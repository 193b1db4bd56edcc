//! Netlink (netlink(7), RFC 3549): requests to the kernel as messages of attributes, and what it answers.

use std::{io, os::fd::OwnedFd};

use rustix::net::{
    AddressFamily, Protocol, RecvFlags, SendFlags, SocketFlags, SocketType, netlink::SocketAddrNetlink, recv, sendto,
    socket_with,
};

/// `struct nlmsghdr`: length, type, flags, sequence, port.
const HEADER: usize = 16;
/// `struct nlattr`: length and type.
const ATTRIBUTE: usize = 4;
/// All lengths are rounded up to this.
const ALIGN: usize = 4;

const NLM_F_REQUEST: u16 = 0x1;
/// The answer says when it was carried out.
pub(crate) const NLM_F_ACK: u16 = 0x4;
const NLM_F_DUMP: u16 = 0x300;
/// Make it where it is not there yet.
pub(crate) const NLM_F_CREATE: u16 = 0x400;
/// Behind those that are there.
pub(crate) const NLM_F_APPEND: u16 = 0x800;

const NLMSG_ERROR: u16 = 0x2;
const NLMSG_DONE: u16 = 0x3;

/// The attribute holds attributes.
const NLA_F_NESTED: u16 = 0x8000;
/// The bits of a type that are not flags.
const NLA_TYPE_MASK: u16 = 0x3fff;

/// One attribute of a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Attribute {
    Value(u16, Vec<u8>),
    Nest(u16, Vec<Attribute>),
}

impl Attribute {
    /// A name, ended by a zero byte.
    pub(crate) fn text(kind: u16, text: &str) -> Self {
        Self::Value(kind, [text.as_bytes(), &[0]].concat())
    }

    /// A number in network order, as netfilter wants them.
    pub(crate) fn be32(kind: u16, value: u32) -> Self {
        Self::Value(kind, value.to_be_bytes().to_vec())
    }

    fn write(&self, out: &mut Vec<u8>) {
        let start = out.len();
        let kind = match self {
            Self::Value(kind, _) => *kind,
            Self::Nest(kind, _) => kind | NLA_F_NESTED,
        };
        out.extend([0; 2]);
        out.extend(kind.to_ne_bytes());
        match self {
            Self::Value(_, bytes) => out.extend(bytes),
            Self::Nest(_, inside) => inside.iter().for_each(|attribute| attribute.write(out)),
        }
        let length = u16::try_from(out.len() - start).unwrap_or(u16::MAX);
        out.splice(start..start + 2, length.to_ne_bytes());
        out.resize(out.len().next_multiple_of(ALIGN), 0);
    }

    /// Whether `bytes` are this attribute's payload, or hold more than it: the kernel tells more than it was told.
    pub(crate) fn is_in(&self, bytes: &[u8]) -> bool {
        match self {
            Self::Value(_, value) => bytes == value,
            Self::Nest(_, inside) => are_in(inside, bytes),
        }
    }

    pub(crate) fn kind(&self) -> u16 {
        match self {
            Self::Value(kind, _) | Self::Nest(kind, _) => *kind,
        }
    }
}

/// Whether these attributes stand in `bytes`, in this order, whatever stands between them.
fn are_in(attributes: &[Attribute], bytes: &[u8]) -> bool {
    // Elements of a list all have one type: none may be missing, and none may be more.
    let list = attributes.windows(2).any(|pair| matches!(pair, [a, b] if a.kind() == b.kind()));
    let mut there = read(bytes);
    if list && there.clone().count() != attributes.len() {
        return false;
    }
    attributes.iter().all(|attribute| {
        if list {
            there.next().is_some_and(|(kind, bytes)| kind == attribute.kind() && attribute.is_in(bytes))
        } else {
            read(bytes).any(|(kind, bytes)| kind == attribute.kind() && attribute.is_in(bytes))
        }
    })
}

/// The attributes in `bytes`, by type and payload, as far as they are well formed.
pub(crate) fn read(mut bytes: &[u8]) -> impl Iterator<Item = (u16, &[u8])> + Clone {
    std::iter::from_fn(move || {
        let (length, rest) = bytes.split_first_chunk::<2>()?;
        let (kind, _) = rest.split_first_chunk::<2>()?;
        let length = usize::from(u16::from_ne_bytes(*length));
        let payload = bytes.get(ATTRIBUTE..length)?;
        bytes = bytes.get(length.next_multiple_of(ALIGN)..).unwrap_or_default();
        Some((u16::from_ne_bytes(*kind) & NLA_TYPE_MASK, payload))
    })
}

/// A request.
#[derive(Debug, Clone)]
pub(crate) struct Message {
    pub(crate) kind: u16,
    pub(crate) flags: u16,
    /// What stands before the attributes, as its subsystem defines it.
    pub(crate) header: Vec<u8>,
    pub(crate) attributes: Vec<Attribute>,
}

impl Message {
    fn write(&self, flags: u16, sequence: u32, out: &mut Vec<u8>) {
        let start = out.len();
        out.extend([0; 4]);
        out.extend(self.kind.to_ne_bytes());
        out.extend((self.flags | flags | NLM_F_REQUEST).to_ne_bytes());
        out.extend(sequence.to_ne_bytes());
        out.extend([0; 4]);
        out.extend(&self.header);
        out.resize(out.len().next_multiple_of(ALIGN), 0);
        self.attributes.iter().for_each(|attribute| attribute.write(out));
        let length = u32::try_from(out.len() - start).unwrap_or(u32::MAX);
        out.splice(start..start + 4, length.to_ne_bytes());
    }
}

/// A conversation with one part of the kernel, about the network namespace that it was opened in.
pub(crate) struct Netlink(OwnedFd);

impl Netlink {
    /// `None` is the protocol of links, addresses and routes.
    pub(crate) fn open(protocol: Option<Protocol>) -> io::Result<Self> {
        let socket = socket_with(AddressFamily::NETLINK, SocketType::RAW, SocketFlags::CLOEXEC, protocol)?;
        Ok(Self(socket))
    }

    /// Sends requests at once, and reads the word on each that asks for one.
    ///
    /// # Errors
    /// Which request was refused first, and why.
    pub(crate) fn request(&self, messages: &[Message]) -> Result<(), (usize, io::Error)> {
        let mut bytes = Vec::new();
        for (sequence, message) in (0..).zip(messages) {
            message.write(0, sequence, &mut bytes);
        }
        self.send(&bytes).map_err(|error| (0, error))?;
        let mut open = messages.iter().filter(|message| message.flags & NLM_F_ACK != 0).count();
        while open > 0 {
            for reply in self.receive().map_err(|error| (0, error))? {
                if reply.kind == NLMSG_ERROR {
                    let which = usize::try_from(reply.sequence).unwrap_or_default();
                    reply.error().map_err(|error| (which, error))?;
                    open -= 1;
                }
            }
        }
        Ok(())
    }

    /// All that the kernel has of what is asked for: the payloads of its answers, with their headers.
    pub(crate) fn dump(&self, message: &Message) -> io::Result<Vec<Vec<u8>>> {
        let mut bytes = Vec::new();
        message.write(NLM_F_DUMP, 0, &mut bytes);
        self.send(&bytes)?;
        let mut found = Vec::new();
        loop {
            for reply in self.receive()? {
                match reply.kind {
                    NLMSG_DONE => return Ok(found),
                    NLMSG_ERROR => reply.error()?,
                    _ => found.push(reply.payload),
                }
            }
        }
    }

    fn send(&self, bytes: &[u8]) -> io::Result<()> {
        let kernel = SocketAddrNetlink::new(0, 0);
        sendto(&self.0, bytes, SendFlags::empty(), &kernel)?;
        Ok(())
    }

    /// The kernel works while we send, so that what it has to say is there when we ask for it.
    fn receive(&self) -> io::Result<Vec<Reply>> {
        let mut buffer = vec![0; 64 * 1024];
        let (_, length) = recv(&self.0, &mut buffer[..], RecvFlags::DONTWAIT | RecvFlags::TRUNC)?;
        let mut rest = buffer.get(..length).ok_or_else(|| io::Error::other("an answer that is too long"))?;
        let mut replies = Vec::new();
        while let Some((reply, behind)) = Reply::read(rest) {
            replies.push(reply);
            rest = behind;
        }
        Ok(replies)
    }
}

struct Reply {
    kind: u16,
    sequence: u32,
    payload: Vec<u8>,
}

impl Reply {
    fn read(bytes: &[u8]) -> Option<(Self, &[u8])> {
        let length = usize::try_from(u32::from_ne_bytes(*bytes.first_chunk()?)).ok()?;
        let payload = bytes.get(HEADER..length)?.to_vec();
        let kind = u16::from_ne_bytes(*bytes.get(4..)?.first_chunk()?);
        let sequence = u32::from_ne_bytes(*bytes.get(8..)?.first_chunk()?);
        Some((Self { kind, sequence, payload }, bytes.get(length.next_multiple_of(ALIGN)..).unwrap_or_default()))
    }

    /// The number with which `struct nlmsgerr` begins: 0 where all went well.
    fn error(&self) -> io::Result<()> {
        match self.payload.first_chunk().map(|code| i32::from_ne_bytes(*code)) {
            Some(0) => Ok(()),
            Some(code) => Err(io::Error::from_raw_os_error(-code)),
            None => Err(io::Error::other("an answer that is too short")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_back() {
        let inside = vec![Attribute::text(1, "abc"), Attribute::be32(2, 7)];
        let mut bytes = Vec::new();
        Attribute::Nest(5, inside.clone()).write(&mut bytes);
        assert_eq!(bytes.len() % ALIGN, 0);
        let (kind, payload) = read(&bytes).next().unwrap();
        assert_eq!(kind, 5);
        assert_eq!(read(payload).collect::<Vec<_>>(), [(1, &b"abc\0"[..]), (2, &[0, 0, 0, 7][..])]);
        assert!(Attribute::Nest(5, inside).is_in(payload));
    }

    #[test]
    fn what_the_kernel_adds_is_no_difference_but_what_it_lacks_is() {
        let told = |attributes: &[Attribute]| {
            let mut bytes = Vec::new();
            for attribute in attributes {
                attribute.write(&mut bytes);
            }
            bytes
        };
        let (a, b) = (Attribute::be32(1, 1), Attribute::be32(2, 2));
        assert!(are_in(std::slice::from_ref(&a), &told(&[a.clone(), b.clone()])));
        assert!(!are_in(&[a.clone(), b.clone()], &told(std::slice::from_ref(&a))));
        assert!(!are_in(&[a.clone(), b.clone()], &told(&[a.clone(), Attribute::be32(2, 3)])));
        let (c, d) = (Attribute::be32(1, 2), Attribute::be32(1, 3));
        assert!(are_in(&[a.clone(), c.clone()], &told(&[a.clone(), c.clone()])));
        assert!(!are_in(&[a.clone(), c.clone()], &told(&[c.clone(), a.clone()])), "a list has an order");
        assert!(!are_in(&[a.clone(), c.clone()], &told(&[a.clone(), c.clone(), d])), "and a length");
    }

    #[test]
    fn bytes_that_are_no_attributes_end_the_reading() {
        for bytes in [&[][..], &[1], &[255, 255, 1, 0], &[0, 0, 0, 0], &[3, 0, 1, 0, 9]] {
            assert_eq!(read(bytes).count(), 0, "{bytes:?}");
        }
    }
}
