//! Commands: what a device is told, byte for byte, and that its answer is understood.

use crate::attribute::{Key, Value};
use crate::command::Command;
use crate::fix::Report;
use crate::id::DeviceId;
use crate::protocol::{Admission, Decode, Options, Step, Telling, Transport, by_name};
use crate::time::Timestamp;

const IMEI: &str = "352093081452251";

/// A device's side of a connection, and ours.
struct Line {
    decode: Box<dyn Decode>,
    device: DeviceId,
    results: Vec<String>,
}

impl Line {
    /// A device that has logged in and said something.
    fn of(name: &str) -> Self {
        let (protocol, device) = (by_name(name).unwrap(), DeviceId::new(IMEI).unwrap());
        let mut encode = protocol.encoder(Transport::Tcp, &device);
        let decode = protocol.decoder(Transport::Tcp, &Options::default());
        let mut line = Self { decode, device: device.clone(), results: Vec::new() };
        line.says(&encode.login());
        line.says(&encode.packet(&[Report::of(device)]));
        line.results.clear();
        line
    }

    fn says(&mut self, bytes: &[u8]) {
        let mut report = Report::of(self.device.clone());
        self.decode.feed(bytes, Timestamp::from_seconds(1_795_162_530));
        loop {
            match self.decode.poll(&mut report) {
                Ok(Step::NeedBytes | Step::Close) => return,
                Ok(Step::Identify(_)) => self.decode.admit(Admission::Admitted),
                Ok(Step::Report) => {
                    let key = Key::from("command_result");
                    if let Some(Value::Text(words)) = report.attributes.get(&key) {
                        self.results.push(words.into_owned());
                    }
                }
                Ok(Step::Reply { .. }) | Err(_) => {}
            }
        }
    }

    fn told(&mut self, command: &Command) -> Option<Vec<u8>> {
        let at = Timestamp::from_seconds(1_795_162_530);
        let telling = Telling { device: &self.device, command, number: 7, at };
        self.decode.command(&telling).map(Into::into)
    }
}

fn hex(text: &str) -> Vec<u8> {
    let pairs = text.as_bytes().chunks(2);
    pairs.map(|p| u8::from_str_radix(std::str::from_utf8(p).unwrap(), 16).unwrap()).collect()
}

/// What a device is told, and how it answers.
#[track_caller]
fn check(name: &str, command: &Command, told: &[u8], answer: &[u8], result: &str) {
    let mut line = Line::of(name);
    let bytes = line.told(command).unwrap();
    assert_eq!(bytes.escape_ascii().to_string(), told.escape_ascii().to_string(), "{name}");
    line.says(answer);
    assert_eq!(line.results, [result], "{name}");
}

/// Teltonika's own example of codec 12: `getinfo`, in "Teltonika Data Sending Protocols".
#[test]
fn teltonika_is_told_by_codec_12() {
    let told = hex("000000000000000f0c010500000007676574696e666f0100004312");
    let answer = hex(concat!(
        "00000000000000370c01060000002f4449313a31204449323a30204449333a302041494e313a30204149",
        "4e323a313639323420444f313a3020444f323a3101000066e3"
    ));
    let words = "DI1:1 DI2:0 DI3:0 AIN1:0 AIN2:16924 DO1:0 DO2:1";
    check("teltonika", &Command::Text("getinfo".into()), &told, &answer, words);
}

#[test]
fn texts_are_told_and_answered() {
    check(
        "h02",
        &Command::EngineStop,
        b"*HQ,352093081452251,S20,081530,1,1#",
        b"*HQ,352093081452251,V4,S20,081531,081531,A,2235.1234,N,11354.1234,E,0.00,0,201126,FFFFFFFF#",
        "S20,081531",
    );
    check(
        "gl200",
        &Command::Position,
        b"AT+GTRTO=,1,,,,,,0007$",
        b"+ACK:GTRTO,060228,352093081452251,,GPS,0007,20261120081531,0010$",
        "+ACK:GTRTO",
    );
    check(
        "suntech",
        &Command::EngineStop,
        b"SA200CMD;352093081452251;02;Enable1\r",
        b"SA200CMD;Res;352093081452251;02;Enable1\r",
        "02;Enable1",
    );
    check(
        "meitrack",
        &Command::EngineStop,
        b"@@H33,352093081452251,C01,0,12222*D7\r\n",
        b"$$H28,352093081452251,C01,OK*E8\r\n",
        "C01,OK",
    );
    check(
        "watch",
        &Command::Interval(30),
        b"[3G*352093081452251*0009*UPLOAD,30]",
        b"[3G*352093081452251*0006*UPLOAD]",
        "UPLOAD",
    );
}

#[test]
fn bytes_are_told_and_answered() {
    let mut line = Line::of("gt06");
    let bytes = line.told(&Command::EngineStop).unwrap();
    assert_eq!(bytes[..5], hex("787814800c"), "length, type 80, length of the command");
    assert_eq!(&bytes[5..17], b"\0\0\0\x07RELAY,1#");
    // Type 15: the same mark, words, language.
    let mut answer = hex("787818150f00000007");
    answer.extend(b"Cut off: OK");
    answer.extend(hex("00020001"));
    answer[2] = (answer.len() - 3 + 2) as u8;
    let sum = crate::protocol::checksum::X25.of(&answer[2..]);
    answer.extend(sum.to_be_bytes());
    answer.extend([0x0d, 0x0a]);
    line.says(&answer);
    assert_eq!(line.results, ["Cut off: OK"]);

    let mut line = Line::of("jt808");
    let told = line.told(&Command::Restart).unwrap();
    assert_eq!(told.len(), 21, "one byte behind a head of 2019");
    assert_eq!((&told[..3], &told[16..19]), (&hex("7e8105")[..], &[0, 7, 4][..]));
    // 0001: our number, our type, done.
    let mut answer = [&hex("00014005")[..], &told[5..16], &hex("00090007810500")].concat();
    answer.push(crate::protocol::checksum::xor(&answer));
    line.says(&[&[0x7e], &answer[..], &[0x7e]].concat());
    assert_eq!(line.results, ["ok"]);
    line.says(&[&[0x7e], &answer[..], &[0x7e]].concat());
    assert_eq!(line.results.len(), 1, "what nobody asked for is no result");
}

#[test]
fn what_can_not_be_told_is_not() {
    assert_eq!(
        Line::of("gps103").told(&Command::EngineStop).unwrap(),
        b"**,imei:352093081452251,J;"
    );
    assert_eq!(Line::of("gps103").told(&Command::Restart), None);
    let inject = Command::Text("CR][3G*1*0008*POWEROFF".into());
    assert_eq!(Line::of("watch").told(&inject), None, "one command is one frame");
    for silent in ["t55", "wialon", "osmand"] {
        assert_eq!(Line::of_any(silent).told(&Command::Position), None, "{silent}");
    }
}

impl Line {
    /// A device that has said nothing yet.
    fn of_any(name: &str) -> Self {
        let protocol = by_name(name).unwrap();
        let decode = protocol.decoder(protocol.transports()[0], &Options::default());
        Self { decode, device: DeviceId::new(IMEI).unwrap(), results: Vec::new() }
    }
}
