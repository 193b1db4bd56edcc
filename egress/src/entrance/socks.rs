//! SOCKS 5 (RFC 1928) with user names and passwords (RFC 1929): CONNECT only.

mod words;

use std::sync::Arc;

use tokio::{net::TcpStream, time::timeout};

use self::words::{Reply, answer, ask, greet};
use crate::{proxy::Slot, tunnel};

pub(super) async fn serve(mut tcp: TcpStream, slot: Arc<Slot>) -> Result<(), String> {
    let proxy = Arc::clone(&slot.proxy);
    let limit = proxy.limits.handshake_time;
    let greeted = timeout(limit, greet(&mut tcp, |user, password| slot.known(Some((user, password)))));
    let greeted = greeted.await.map_err(|e| e.to_string())??;
    let Some(origin) = greeted.or_else(|| slot.known(None)) else {
        return Err("a client without a session's user and password".to_owned());
    };
    let asked = timeout(limit, ask(&mut tcp)).await.map_err(|e| e.to_string())??;
    let to = match asked {
        Ok(to) => to,
        Err(reply) => return answer(&mut tcp, reply).await,
    };
    // A refusal is told inside, as the answer to the first request, where it can say its reason.
    let opened = tunnel::Opened::judge(&proxy, origin, to).await;
    answer(&mut tcp, Reply::Succeeded).await?;
    tunnel::inside(slot, tcp, opened).await
}
