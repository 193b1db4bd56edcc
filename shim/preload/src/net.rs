//! Connections.

use core::ffi::{c_int, c_void};

use rampart_frame::Kind;

use crate::{
    ask::{Decimal, may, refused},
    real, settings,
    sys::{AF_INET, AF_INET6},
};

/// Where the address stands in sockaddr_in and sockaddr_in6 (ip(7), ipv6(7)), how long it is, and how long the whole is.
const V4: (usize, usize, u32) = (4, 4, 16);
const V6: (usize, usize, u32) = (8, 16, 28);

#[unsafe(no_mangle)]
unsafe extern "C" fn connect(fd: c_int, address: *const c_void, length: u32) -> c_int {
    if settings::with_net() && !may_reach(address.cast(), length) {
        return refused();
    }
    let Some(real) = real::connect() else { return refused() };
    // SAFETY: the caller's own arguments.
    unsafe { real(fd, address, length) }
}

fn may_reach(address: *const u8, length: u32) -> bool {
    if address.is_null() || length < 2 {
        return true;
    }
    // SAFETY: the caller says that so many bytes are there.
    let bytes = unsafe { core::slice::from_raw_parts(address, length as usize) };
    let [a, b, ..] = bytes else { return true };
    let (start, count, least) = match u16::from_ne_bytes([*a, *b]) {
        AF_INET => V4,
        AF_INET6 => V6,
        // Not to another machine.
        _ => return true,
    };
    // The kernel refuses one that is too short.
    let (Some(place), Some([p, q])) = (bytes.get(start..start + count), bytes.get(2..4)) else { return length < least };
    let mut hex = [0_u8; 33];
    for (digits, byte) in hex.chunks_exact_mut(2).zip(place) {
        if let [high, low] = digits {
            (*high, *low) = (digit(byte >> 4), digit(byte & 15));
        }
    }
    let port = Decimal::of(u16::from_be_bytes([*p, *q]).into());
    may(Kind::Connect, &[hex.as_ptr().cast(), port.text()], core::ptr::null())
}

const fn digit(value: u8) -> u8 {
    if value < 10 { b'0' + value } else { b'a' + value - 10 }
}
