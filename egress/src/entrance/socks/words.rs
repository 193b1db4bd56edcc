//! What is said in SOCKS before anything is sent on.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};

use crate::destination::{Destination, Host, Scheme};

const VERSION: u8 = 5;
const NO_CREDENTIALS: u8 = 0;
const USER_AND_PASSWORD: u8 = 2;
const NOTHING_ACCEPTABLE: u8 = 0xff;
const CONNECT: u8 = 1;

/// RFC 1928 section 6.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Reply {
    Succeeded = 0,
    Failure = 1,
    CommandNotSupported = 7,
    AddressNotSupported = 8,
}

/// Agrees upon a method and takes the credentials. None where the client gave none.
pub(crate) async fn greet<IO, T>(io: &mut IO, known: impl FnOnce(&str, &str) -> Option<T>) -> Result<Option<T>, String>
where
    IO: AsyncRead + AsyncWrite + Unpin,
{
    if byte(io).await? != VERSION {
        return Err("not SOCKS 5".to_owned());
    }
    let count = byte(io).await?;
    let methods = bytes(io, count).await?;
    if methods.contains(&USER_AND_PASSWORD) {
        write(io, &[VERSION, USER_AND_PASSWORD]).await?;
        let version = byte(io).await?;
        let (user, password) = (counted(io).await?, counted(io).await?);
        let text = |b: &[u8]| String::from_utf8(b.to_vec()).ok();
        let found = text(&user).zip(text(&password)).filter(|_| version == 1);
        let found = found.and_then(|(user, password)| known(&user, &password));
        write(io, &[1, u8::from(found.is_none())]).await?;
        return found.map(Some).ok_or_else(|| "the SOCKS user and password belong to no session".to_owned());
    }
    if methods.contains(&NO_CREDENTIALS) {
        write(io, &[VERSION, NO_CREDENTIALS]).await?;
        return Ok(None);
    }
    write(io, &[VERSION, NOTHING_ACCEPTABLE]).await?;
    Err("no SOCKS method that we know is offered".to_owned())
}

/// Reads where the client wants to go.
pub(crate) async fn ask<IO: AsyncRead + Unpin>(io: &mut IO) -> Result<Result<Destination, Reply>, String> {
    if byte(io).await? != VERSION {
        return Err("not SOCKS 5".to_owned());
    }
    let command = byte(io).await?;
    byte(io).await?;
    let host = match byte(io).await? {
        1 => Host::Address(IpAddr::from(Ipv4Addr::from(fixed::<4, _>(io).await?))),
        4 => Host::Address(IpAddr::from(Ipv6Addr::from(fixed::<16, _>(io).await?))),
        3 => {
            let name = counted(io).await?;
            match std::str::from_utf8(&name).map_err(|e| e.to_string()).and_then(Host::parse) {
                Ok(host) => host,
                Err(_) => return Ok(Err(Reply::Failure)),
            }
        }
        _ => return Ok(Err(Reply::AddressNotSupported)),
    };
    let port = u16::from_be_bytes(fixed::<2, _>(io).await?);
    Ok(match (command, port) {
        (CONNECT, 1..) => Ok(Destination { scheme: Scheme::Https, host, port }),
        (CONNECT, 0) => Err(Reply::Failure),
        _ => Err(Reply::CommandNotSupported),
    })
}

/// Says whether the way is open.
pub(crate) async fn answer<IO: AsyncWrite + Unpin>(io: &mut IO, reply: Reply) -> Result<(), String> {
    write(io, &[VERSION, reply as u8, 0, 1, 0, 0, 0, 0, 0, 0]).await
}

async fn write<IO: AsyncWrite + Unpin>(io: &mut IO, bytes: &[u8]) -> Result<(), String> {
    io.write_all(bytes).await.map_err(|e| e.to_string())
}

async fn byte<IO: AsyncRead + Unpin>(io: &mut IO) -> Result<u8, String> {
    io.read_u8().await.map_err(|e| e.to_string())
}

async fn fixed<const N: usize, IO: AsyncRead + Unpin>(io: &mut IO) -> Result<[u8; N], String> {
    let mut bytes = [0; N];
    io.read_exact(&mut bytes).await.map_err(|e| e.to_string())?;
    Ok(bytes)
}

async fn bytes<IO: AsyncRead + Unpin>(io: &mut IO, count: u8) -> Result<Vec<u8>, String> {
    let mut bytes = vec![0; usize::from(count)];
    io.read_exact(&mut bytes).await.map_err(|e| e.to_string())?;
    Ok(bytes)
}

async fn counted<IO: AsyncRead + Unpin>(io: &mut IO) -> Result<Vec<u8>, String> {
    let count = byte(io).await?;
    bytes(io, count).await
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is said to `sent`, and whom the client turned out to be.
    async fn greeting(sent: &[u8]) -> (Vec<u8>, Result<Option<String>, String>) {
        let (mut client, mut server) = tokio::io::duplex(1024);
        client.write_all(sent).await.unwrap();
        client.shutdown().await.unwrap();
        let known = |user: &str, password: &str| (password == "pw").then(|| user.to_owned());
        let greeted = greet(&mut server, known).await;
        drop(server);
        let mut said = Vec::new();
        client.read_to_end(&mut said).await.unwrap();
        (said, greeted)
    }

    #[tokio::test]
    async fn credentials_are_taken_where_they_are_offered() {
        assert_eq!(greeting(&[5, 1, 0]).await, (vec![5, 0], Ok(None)));
        assert_eq!(greeting(b"\x05\x02\x00\x02\x01\x02s1\x02pw").await, (vec![5, 2, 1, 0], Ok(Some("s1".into()))));
        let (said, greeted) = greeting(b"\x05\x01\x02\x01\x02s1\x03bad").await;
        assert!(said == [5, 2, 1, 1] && greeted.is_err());
        let (said, greeted) = greeting(&[5, 1, 1]).await;
        assert!(said == [5, 0xff] && greeted.is_err());
        for cut in [&[4, 1][..], &[5], &[5, 3, 0], b"\x05\x01\x02\x01\x05s"] {
            assert!(greeting(cut).await.1.is_err(), "{cut:?}");
        }
    }

    #[tokio::test]
    async fn a_destination_is_read_like_any_other() {
        for (sent, expected) in [
            (&b"\x05\x01\x00\x03\x0cExample.COM.\x01\xbb"[..], Ok("example.com:443".to_owned())),
            (b"\x05\x01\x00\x03\x060x7f.1\x01\xbb", Ok("127.0.0.1:443".to_owned())),
            (b"\x05\x01\x00\x01\x0a\x00\x00\x01\x00\x50", Ok("10.0.0.1:80".to_owned())),
            (b"\x05\x01\x00\x04\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\x01\x00\x50", Ok("[::1]:80".to_owned())),
            (b"\x05\x01\x00\x03\x03a\x00b\x01\xbb", Err(Reply::Failure)),
            (b"\x05\x01\x00\x03\x01a\x00\x00", Err(Reply::Failure)),
            (b"\x05\x02\x00\x01\x0a\x00\x00\x01\x00\x50", Err(Reply::CommandNotSupported)),
            (b"\x05\x03\x00\x01\x0a\x00\x00\x01\x00\x50", Err(Reply::CommandNotSupported)),
            (b"\x05\x01\x00\x07", Err(Reply::AddressNotSupported)),
        ] {
            let asked = ask(&mut &*sent).await.unwrap().map(|to| to.to_string());
            assert_eq!(asked, expected, "{sent:?}");
        }
        assert!(ask(&mut &b"\x05\x01\x00\x03\xffx"[..]).await.is_err());
    }
}
