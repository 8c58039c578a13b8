use super::*;
use crate::protocol::tests::{check_packets, received_at, talk};

#[test]
fn sentences() {
    check_packets(&T55, include_str!("sentences.txt"));
}

#[test]
fn an_unknown_device_is_cut_off_and_its_datagram_dropped() {
    let mut report = Report::of(DeviceId::new("-").expect("id"));
    let stream =
        b"IMEI 351467108700000\r\n$GPGGA,123519,4807.038,N,01131.000,E,1,08,0.9,545.4,M,,M,,\r\n";
    for (transport, end) in [(Transport::Tcp, Step::Close), (Transport::Udp, Step::NeedBytes)] {
        let mut decoder = T55.decoder(transport, &Options::default());
        decoder.feed(stream, received_at());
        assert!(matches!(decoder.poll(&mut report), Ok(Step::Identify(_))));
        decoder.admit(Admission::Unknown);
        assert_eq!(decoder.poll(&mut report), Ok(end));
    }
}

#[test]
fn nothing_makes_it_hold_more_than_a_line() {
    let mut decoder = Decoder::default();
    for n in 0..1000_usize {
        let chunk: Vec<u8> = (0..300).map(|i| ((i * n) % 251) as u8).collect();
        talk(&mut decoder, [chunk.as_slice()], false);
        assert!(decoder.inbox.rest().len() <= LINE_MAX);
        assert!(decoder.due.is_empty());
    }
}

/// RMC and GGA by the strict crate and by ours: the same place, speed, heading and height.
#[test]
fn the_strict_crate_reads_the_same() {
    for line in [
        "$GPRMC,123519,A,4807.038,N,01131.000,E,022.4,084.4,230394,003.1,W*6A",
        "$GPGGA,123519,4807.038,N,01131.000,E,1,08,0.9,545.4,M,46.9,M,,*47",
        "$GNRMC,001225.00,A,2832.18340,N,08101.05360,W,0.054,,260922,,,A*79",
        "$GPGGA,172814.0,3723.46587704,N,12202.26957864,W,2,6,1.2,18.893,M,-25.669,M,2.0,0031*4F",
    ] {
        let Ok(Line::Part(ours)) = sentence::read(line.as_bytes(), None, received_at()) else {
            panic!("{line}");
        };
        let close = |ours: Option<f64>, theirs: Option<f64>| {
            assert_eq!(ours.is_some(), theirs.is_some(), "{line}");
            let away = ours.zip(theirs).map_or(0.0, |(a, b)| (a - b).abs());
            assert!(away < 1e-4, "{ours:?} {theirs:?} {line}");
        };
        match nmea::parse_bytes(line.as_bytes()) {
            Ok(nmea::ParseResult::RMC(theirs)) => {
                close(ours.place.map(|p| p.0), theirs.lon);
                close(ours.place.map(|p| p.1), theirs.lat);
                let knots = ours.speed.map(|v| v * 3600.0 / 1852.0);
                close(knots, theirs.speed_over_ground.map(f64::from));
                close(ours.heading, theirs.true_course.map(f64::from));
            }
            Ok(nmea::ParseResult::GGA(theirs)) => {
                close(ours.place.map(|p| p.0), theirs.longitude);
                close(ours.place.map(|p| p.1), theirs.latitude);
                close(ours.altitude, theirs.altitude.map(f64::from));
                close(ours.hdop, theirs.hdop.map(f64::from));
                assert_eq!(ours.satellites.map(u32::from), theirs.fix_satellites);
            }
            other => panic!("{line}: {other:?}"),
        }
        assert_eq!(ours.checksum_ok, Some(true), "{line}");
    }
}
