//! Connections that the kernel brought here: SNI or Host names the destination, the kernel its port.

use std::sync::Arc;

use tokio::{net::TcpStream, time::timeout};

use super::original;
use crate::{
    destination::{Destination, Host, Scheme},
    proxy::{Scope, Slot, http1},
    strict::Strict,
    tunnel::{self, Opened},
};

pub(super) async fn serve(tcp: TcpStream, slot: Arc<Slot>) -> Result<(), String> {
    let proxy = Arc::clone(&slot.proxy);
    let address = original(&tcp).ok_or("where it was going is not known")?;
    let by_address = Destination { scheme: Scheme::Https, host: Host::Address(address.ip()), port: address.port() };
    if proxy.passes_through(&by_address) {
        let opened = Opened::judge(&proxy, slot.silent(), by_address).await;
        return tunnel::inside(slot, tcp, opened).await;
    }
    let limit = proxy.limits.handshake_time;
    let mut io = Strict::new(tcp, proxy.head_limits()).into_raw(&[]);
    match timeout(limit, io.peek()).await.map_err(|e| e.to_string())?.map_err(|e| e.to_string())? {
        Some(0x16) => {
            let name = timeout(limit, tunnel::name_asked(&mut io)).await.map_err(|e| e.to_string())??;
            let host = match name {
                Some(name) => Host::parse(&name)?,
                None => by_address.host,
            };
            let opened = Opened::judge(&proxy, slot.silent(), Destination { host, ..by_address }).await;
            tunnel::look(slot, io, opened).await
        }
        Some(b'A'..=b'Z') => {
            let strict = Strict::new(io, proxy.head_limits());
            http1(strict, Scope::Redirected { address: by_address.host, port: by_address.port }, slot).await;
            Ok(())
        }
        Some(_) => Err("neither TLS nor HTTP was spoken in it".to_owned()),
        None => Ok(()),
    }
}
