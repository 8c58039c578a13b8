//! The header by which a proxy says for whom it connects.
//!
//! ```text
//! 1  "PROXY TCP4 <source> <destination> <source port> <destination port>\r\n", at most 107 bytes;
//!    "PROXY UNKNOWN ..\r\n"
//! 2  0d0a0d0a 000d0a51 5549540a, version<<4|command (0: the proxy itself, 1: for another),
//!    family<<4|transport, length of the rest, source, destination, ports, extensions
//! ```
//! Source: haproxy's proxy-protocol.txt, revision 2020/03/05. Extensions are stepped over. Who
//! is trusted to send one must: the protocol forbids to guess whether it is there.

use std::net::{IpAddr, SocketAddr};

/// Longest header of version 1, bytes, by its document.
const TEXT_MAX: usize = 107;
/// Longest header of version 2, bytes; extensions with a certificate's name take some hundreds.
const BINARY_MAX: usize = 2048;
/// Before the addresses of version 2, bytes.
const BINARY_HEAD: usize = 16;
const TEXT_MARK: &[u8] = b"PROXY ";
const BINARY_MARK: &[u8] = b"\r\n\r\n\0\r\nQUIT\n";

/// What stands at the beginning of a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Header {
    /// Not all of it yet.
    Need,
    /// A header: its bytes, and for whom it speaks; `None`: for the proxy itself.
    Whole { length: usize, source: Option<SocketAddr> },
    /// None.
    Bad,
}

/// Whether bytes that nobody was trusted to send look like a header.
pub(crate) fn is_begun(bytes: &[u8]) -> bool {
    bytes.starts_with(TEXT_MARK) || bytes.starts_with(BINARY_MARK)
}

/// Reads a header.
pub(crate) fn header(bytes: &[u8]) -> Header {
    let begins = |mark: &[u8]| mark.starts_with(&bytes[..bytes.len().min(mark.len())]);
    if begins(TEXT_MARK) {
        return text(bytes);
    }
    if begins(BINARY_MARK) { binary(bytes) } else { Header::Bad }
}

fn text(bytes: &[u8]) -> Header {
    let seen = &bytes[..bytes.len().min(TEXT_MAX)];
    let Some(end) = seen.windows(2).position(|w| w == b"\r\n") else {
        return if bytes.len() < TEXT_MAX { Header::Need } else { Header::Bad };
    };
    let length = end + 2;
    let Ok(line) = std::str::from_utf8(&seen[TEXT_MARK.len()..end]) else { return Header::Bad };
    if line == "UNKNOWN" || line.starts_with("UNKNOWN ") {
        return Header::Whole { length, source: None };
    }
    let mut words = line.split(' ');
    let mut next = || words.next().unwrap_or_default();
    let family = next();
    let (source, destination) = (next().parse::<IpAddr>(), next().parse::<IpAddr>());
    let (port, other) = (next().parse::<u16>(), next().parse::<u16>());
    let (Ok(source), Ok(destination), Ok(port), Ok(_), None) =
        (source, destination, port, other, words.next())
    else {
        return Header::Bad;
    };
    match (family, source.is_ipv4(), destination.is_ipv4()) {
        ("TCP4", true, true) | ("TCP6", false, false) => {
            Header::Whole { length, source: Some(SocketAddr::new(source, port)) }
        }
        _ => Header::Bad,
    }
}

fn binary(bytes: &[u8]) -> Header {
    let Some([kind, family, high, low]) = bytes.get(BINARY_MARK.len()..BINARY_HEAD) else {
        return Header::Need;
    };
    let length = BINARY_HEAD + usize::from(u16::from_be_bytes([*high, *low]));
    let (version, command) = (kind >> 4, kind % 16);
    if version != 2 || command > 1 || length > BINARY_MAX {
        return Header::Bad;
    }
    let Some(rest) = bytes.get(BINARY_HEAD..length) else { return Header::Need };
    if command == 0 {
        return Header::Whole { length, source: None };
    }
    let source = match family >> 4 {
        1 => rest.first_chunk::<4>().map(|a| IpAddr::from(*a)).zip(port(rest, 8)),
        2 => rest.first_chunk::<16>().map(|a| IpAddr::from(*a)).zip(port(rest, 32)),
        // Unspecified, or a socket file: nobody that has an address.
        _ => return Header::Whole { length, source: None },
    };
    match source {
        Some((address, port)) => {
            Header::Whole { length, source: Some(SocketAddr::new(address, port)) }
        }
        None => Header::Bad,
    }
}

/// The source's port, which follows both addresses; the destination's must be there too.
fn port(rest: &[u8], at: usize) -> Option<u16> {
    let ports = rest.get(at..)?.first_chunk::<4>()?;
    Some(u16::from_be_bytes([ports[0], ports[1]]))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn whole(bytes: &[u8]) -> Option<SocketAddr> {
        let with_more = [bytes, b"\x78\x78 and what follows"].concat();
        for end in 0..bytes.len() {
            assert_eq!(header(&bytes[..end]), Header::Need, "{end} bytes");
        }
        assert_eq!(header(bytes), header(&with_more));
        match header(bytes) {
            Header::Whole { length, source } if length == bytes.len() => source,
            other => panic!("{other:?}"),
        }
    }

    fn version_2(kind: u8, family: u8, rest: &[u8]) -> Vec<u8> {
        let length = (rest.len() as u16).to_be_bytes();
        [BINARY_MARK, &[kind, family], &length, rest].concat()
    }

    #[test]
    fn headers_name_whom_they_speak_for() {
        let source = |text: &str| Some(text.parse().unwrap());
        let four = whole(b"PROXY TCP4 192.0.2.7 198.51.100.1 56324 5027\r\n");
        assert_eq!(four, source("192.0.2.7:56324"));
        let six = whole(b"PROXY TCP6 2001:db8::7 2001:db8::1 56324 5027\r\n");
        assert_eq!(six, source("[2001:db8::7]:56324"));
        assert_eq!(whole(b"PROXY UNKNOWN\r\n"), None);
        assert_eq!(whole(b"PROXY UNKNOWN ffff::1 ffff::2 1 2\r\n"), None);
        let four = [192, 0, 2, 7, 198, 51, 100, 1, 0xdc, 0x04, 0x13, 0xa3];
        assert_eq!(whole(&version_2(0x21, 0x11, &four)), source("192.0.2.7:56324"));
        // An extension behind it.
        let more = [four.as_slice(), &[0x04, 0, 1, 0]].concat();
        assert_eq!(whole(&version_2(0x21, 0x11, &more)), source("192.0.2.7:56324"));
        let mut six = [0; 36];
        (six[15], six[32], six[33]) = (1, 0xdc, 0x04);
        assert_eq!(whole(&version_2(0x21, 0x21, &six)), source("[::1]:56324"));
        assert_eq!(whole(&version_2(0x20, 0, &[])), None);
        assert_eq!(whole(&version_2(0x21, 0x31, &[0; 216])), None);
    }

    #[test]
    fn what_is_no_header_is_refused_early() {
        let long = [TEXT_MARK, &[b'x'; TEXT_MAX]].concat();
        let refused: [&[u8]; 11] = [
            b"GET / HTTP/1.1\r\n",
            b"PROXY TCP4 192.0.2.7 2001:db8::1 1 2\r\n",
            b"PROXY TCP4 192.0.2.7 192.0.2.8 1\r\n",
            b"PROXY TCP4 192.0.2.7 192.0.2.8 1 2 3\r\n",
            b"PROXY TCP4 192.0.2.7 192.0.2.8 1 65536\r\n",
            b"PROXY UDP4 192.0.2.7 192.0.2.8 1 2\r\n",
            &long,
            &version_2(0x11, 0x11, &[0; 12]),
            &version_2(0x22, 0x11, &[0; 12]),
            &version_2(0x21, 0x11, &[0; 11]),
            &version_2(0x21, 0x11, &[0; BINARY_MAX]),
        ];
        for bytes in refused {
            assert_eq!(header(bytes), Header::Bad, "{}", bytes.escape_ascii());
        }
    }

    /// Every short text over the letters that matter, and every cut of a long one.
    #[test]
    fn changed_headers_never_panic() {
        let line = b"PROXY TCP4 192.0.2.7 198.51.100.1 56324 5027\r\n".to_vec();
        for sound in [line, version_2(0x21, 0x11, &[1; 12]), version_2(0x21, 0x21, &[1; 40])] {
            for at in 0..sound.len() {
                for byte in [0, b' ', b'\r', b'9', 0x21, 0xff] {
                    let mut changed = sound.clone();
                    changed[at] = byte;
                    for end in 0..=changed.len() {
                        header(&changed[..end]);
                    }
                }
            }
        }
    }
}
