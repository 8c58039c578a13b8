use super::*;

fn report() -> Report {
    let mut report = Report::of(DeviceId::new("352093081452251").expect("id"));
    report.time = Timestamp::parse("2026-11-20T08:15:29.800Z").ok();
    report.fix = Fix::new(Measured {
        lng: -8.61099,
        lat: 41.14961,
        valid: true,
        speed: Some(8.4),
        heading: Some(91.0),
        altitude: Some(-3.25),
        accuracy: None,
    })
    .ok();
    report.attributes.set(Key::Io(21), Value::Int(-4));
    report.attributes.set(Key::Other("note".into()), Value::Text("a".into()));
    report
}

#[test]
fn a_fix_survives_the_log() {
    let tenant = TenantId::new("acme").expect("id");
    let received = Timestamp::parse("2026-11-20T08:15:30Z").expect("time");
    let input = DeviceInput::new(&tenant, "teltonika", report(), received);
    let back = Envelope::decode(input.envelope().encode()).expect("envelope");
    assert_eq!(back.kind, Kind::Fix);
    assert_eq!(DeviceInput::from_envelope(&back).expect("input"), input);
}

#[test]
fn a_resend_has_the_same_pid_and_a_far_future_time_is_replaced() {
    let tenant = TenantId::new("acme").expect("id");
    let received = Timestamp::parse("2026-11-20T08:15:30Z").expect("time");
    let first = DeviceInput::new(&tenant, "teltonika", report(), received);
    let again = DeviceInput::new(&tenant, "teltonika", report(), received.plus_seconds(90.0));
    assert_eq!(first.pid, again.pid);
    let early = received.plus_seconds(-120.0);
    let ahead = DeviceInput::new(&tenant, "teltonika", report(), early);
    assert_eq!((ahead.time, ahead.pid), (early, first.pid));
    assert_eq!(ahead.report.time, report().time);
}

#[test]
fn a_record_of_an_unknown_kind_is_refused_by_number() {
    let mut bytes = report_bytes();
    bytes[1] = 99;
    assert_eq!(Envelope::decode(bytes.into()), Err(BadRecord::UnknownKind(99)));
}

fn report_bytes() -> Vec<u8> {
    let tenant = TenantId::new("acme").expect("id");
    DeviceInput::new(&tenant, "osmand", report(), Timestamp::default()).envelope().encode().to_vec()
}

#[test]
fn a_resend_after_reassignment_goes_where_the_original_went() {
    let at = Timestamp::from_seconds;
    let van = |name| VehicleId::new(name).ok();
    let record = DeviceRecord {
        tenant: TenantId::new("acme").expect("id"),
        protocols: vec!["osmand".into()],
        assignments: vec![(at(100), van("a")), (at(200), van("b")), (at(300), None)],
        networks: vec![Network::parse("10.0.0.0/8").unwrap()],
        secret: Secret::new([7; 16], b"a long secret"),
    };
    let back = DeviceRecord::from_envelope(&record.envelope()).expect("record");
    assert_eq!(back, record);
    for (time, vehicle) in [(50, van("a")), (199, van("a")), (200, van("b")), (999, None)] {
        assert_eq!(record.vehicle_at(at(time)).cloned(), vehicle, "{time}");
    }
}
