use super::*;

fn args(protocol: &str, keys: Option<Keys>) -> Args {
    Args {
        protocol: protocol.to_owned(),
        checksum: Policy::Lenient,
        keys,
        received_at: Timestamp::from_seconds(1_767_225_600),
    }
}

#[track_caller]
fn check(args: &Args, input: &str, expected: &str) {
    let mut output = Vec::new();
    answer_all(args, input.as_bytes(), &mut output).expect(input);
    assert_eq!(String::from_utf8_lossy(&output).trim_end(), expected);
}

const LOGIN: &str = "000f333532303933303831343532323531";
const RECORD: &str = "000000000000003608010000016b40d8ea300100000000000000000000000000000001050215030101\
                      01425e0f01f10000601a014e0000000000000000010000c7cf";

#[test]
fn a_vector_is_answered_with_what_came_before_it() {
    let input = format!(
        r#"{{"id":"t-1","order":3,"kind":"positions","payload_hex":"{RECORD}","decoder_config":{{"arg1":false}},"depends_on_login":["{LOGIN}"]}}"#
    );
    let head = r#"{"id":"t-1","order":3,"reports":[{"device":"352093081452251","time":"2019-06-10T10:04:46.000Z","valid":false,"lat":0.0,"lng":0.0,"speed_mps":0.0,"heading":0.0,"altitude_m":0.0,"checksum_ok":true,"attributes":"#;
    let tail = r#"}],"replies":["00000001"],"error":null}"#;
    let theirs =
        r#"{"priority":1,"sat":0,"event":1,"rssi":3,"in1":true,"power":24.079,"operator":24602}"#;
    let ours = r#"{"priority":1,"satellites":0,"event":1,"rssi":3,"input1":true,"power_volts":24.079,"operator":24602}"#;
    let traccar = args("teltonika", Some(Keys::Traccar));
    check(&traccar, &input, &format!("{head}{theirs}{tail}"));
    check(&args("teltonika", None), &input, &format!("{head}{ours}{tail}"));
}

#[test]
fn requests_frames_and_what_can_not_be_decoded_have_their_line() {
    check(
        &args("osmand", None),
        r#"{"id":"o-1","order":0,"kind":"position","request":{"method":"GET","uri":"/?id=7&lat=1.5&lon=2&x=a b","headers":{}}}"#,
        r#"{"id":"o-1","order":0,"reports":[{"device":"7","time":"2026-01-01T00:00:00.000Z","valid":true,"lat":1.5,"lng":2.0,"attributes":{"x":"a b"}}],"replies":["485454502f312e3120323030204f4b0d0a436f6e74656e742d4c656e6774683a20300d0a0d0a"],"error":null}"#,
    );
    let frames = "{\"id\":\"f\",\"order\":0,\"kind\":\"frame\",\"payload_hex\":\"ff000f\"}\n\n\
                  {\"id\":\"f\",\"order\":1,\"kind\":\"frame\",\"payload_hex\":\"000f31\"}\n";
    let cut = "{\"id\":\"f\",\"order\":0,\"frame_hex\":\"ff\"}\n\
               {\"id\":\"f\",\"order\":1,\"frame_hex\":null}";
    check(&args("teltonika", None), frames, cut);
    check(
        &args("t55", None),
        r#"{"id":"n","order":0,"kind":"null","text":"hello"}"#,
        r#"{"id":"n","order":0,"reports":[],"replies":[],"error":"line `hello` is neither a sentence nor an identity at byte 0"}"#,
    );
}

#[test]
fn a_line_that_is_no_vector_is_named() {
    for input in ["{}", "nonsense", r#"{"payload_hex":"0x"}"#] {
        let error = answer_all(&args("t55", None), input.as_bytes(), Vec::new());
        let error = format!("{:#}", error.expect_err(input));
        assert!(error.starts_with("line 1 is not a vector"), "{error}");
    }
}
