//! People's accounts: invited by a link, in by a password, out at once.

use std::sync::atomic::Ordering;

use super::*;
use crate::totp::code;

const PASSWORD: &str = "correct horse battery";

/// Invites somebody; the account as it was made.
fn invite(world: &World, email: &str, role: &str) -> Value {
    let body = json!({"email": email, "name": "Ana", "role": role});
    let (status, json) = world.ask("POST", "/v1/people", Some(&body));
    assert_eq!(status, 201, "{json}");
    json
}

fn set_password(world: &World, token: &Value, password: &str) -> u16 {
    let body = json!({"token": token, "password": password});
    world.ask_with(&[], "POST", "/v1/people/welcome", Some(&body)).0
}

/// Status, cookie and answer of a login.
fn login(world: &World, body: &Value) -> (u16, String, Value) {
    let agent: ureq::Agent =
        ureq::Agent::config_builder().http_status_as_error(false).build().into();
    let mut answer = agent.post(world.url("/v1/session")).send_json(body).unwrap();
    let cookie = answer.headers().get("set-cookie").map(|c| c.to_str().unwrap().to_owned());
    let cookie = cookie.and_then(|c| c.split(';').next().map(str::to_owned));
    let json = answer.body_mut().read_json().unwrap_or_default();
    (answer.status().as_u16(), cookie.unwrap_or_default(), json)
}

fn with_password(email: &str, password: &str) -> Value {
    json!({"email": email, "password": password})
}

#[test]
fn an_invited_person_sets_a_password_and_comes_in_with_it() {
    let world = World::new("people");
    let person = invite(&world, "Ana@Example.com", "viewer");
    assert_eq!((&person["email"], &person["active"]), (&json!("ana@example.com"), &json!(false)));
    assert!(person["link"].as_str().unwrap().ends_with(person["token"].as_str().unwrap()));
    let mine = with_password("ana@example.com", PASSWORD);
    assert_eq!(login(&world, &mine).0, 401, "no default password");
    assert_eq!(set_password(&world, &json!("guess"), PASSWORD), 404);
    assert_eq!(set_password(&world, &person["token"], "short"), 422);
    assert_eq!(set_password(&world, &person["token"], PASSWORD), 204);
    assert_eq!(set_password(&world, &person["token"], PASSWORD), 404, "once");
    let (status, cookie, who) = login(&world, &mine);
    assert_eq!(
        (status, &who["role"], &who["email"]),
        (200, &json!("viewer"), &json!("ana@example.com"))
    );
    let by = [("Cookie", cookie.as_str())];
    assert_eq!(world.ask_with(&by, "GET", "/v1/vehicles", None).0, 200);
    let origin = world.url("");
    let writes = [("Cookie", cookie.as_str()), ("Origin", origin.as_str())];
    assert_eq!(
        world.ask_with(&writes, "PUT", "/v1/vehicles/v", Some(&json!({}))).0,
        403,
        "a viewer"
    );
    let id = person["id"].as_str().unwrap();
    let change = json!({"name": "Ana", "role": "admin", "disabled": false});
    assert_eq!(world.ask("PUT", &format!("/v1/people/{id}"), Some(&change)).0, 200);
    assert_eq!(
        world.ask_with(&writes, "PUT", "/v1/vehicles/v", Some(&json!({}))).0,
        201,
        "at once"
    );

    let other = world.key_of("other", Role::Admin);
    assert_eq!(world.ask_as(&other, "DELETE", &format!("/v1/people/{id}"), None).0, 404);
    assert_eq!(world.ask_as(&other, "GET", "/v1/people", None).1["people"], json!([]));
    let again = json!({"email": "ANA@example.com", "name": "Eve", "role": "admin"});
    assert_eq!(world.ask_as(&other, "POST", "/v1/people", Some(&again)).0, 409);
    let listed = world.ask("GET", "/v1/people", None).1;
    assert!(!listed.to_string().contains("argon2") && listed["people"][0]["token"].is_null());

    let disable = json!({"name": "Ana", "role": "admin", "disabled": true});
    assert_eq!(world.ask("PUT", &format!("/v1/people/{id}"), Some(&disable)).0, 200);
    assert_eq!(world.ask_with(&by, "GET", "/v1/vehicles", None).0, 401);
    assert_eq!(login(&world, &mine).0, 401);
    assert_eq!(world.ask("DELETE", &format!("/v1/people/{id}"), None).0, 204);
    assert_eq!(world.ask("GET", "/v1/people", None).1["people"], json!([]));
}

#[test]
fn a_new_link_ends_what_the_old_password_began() {
    let world = World::new("people-welcome");
    let person = invite(&world, "ana@example.com", "dispatcher");
    assert_eq!(set_password(&world, &person["token"], PASSWORD), 204);
    let (_, cookie, _) = login(&world, &with_password("ana@example.com", PASSWORD));
    let by = [("Cookie", cookie.as_str())];
    assert_eq!(world.ask_with(&by, "GET", "/v1/vehicles", None).0, 200);
    let path = format!("/v1/people/{}/welcome", person["id"].as_str().unwrap());
    let first = world.ask("POST", &path, None).1;
    let second = world.ask("POST", &path, None).1;
    assert_eq!(set_password(&world, &first["token"], PASSWORD), 404, "replaced");
    world.ahead.fetch_add(86_401, Ordering::Relaxed);
    assert_eq!(set_password(&world, &second["token"], PASSWORD), 404, "over after a day");
    let third = world.ask("POST", &path, None).1;
    assert_eq!(set_password(&world, &third["token"], "another good one"), 204);
    assert_eq!(world.ask_with(&by, "GET", "/v1/vehicles", None).0, 401);
    assert_eq!(login(&world, &with_password("ana@example.com", PASSWORD)).0, 401);
    assert_eq!(login(&world, &with_password("ana@example.com", "another good one")).0, 200);
}

#[test]
fn guessing_is_limited_by_account_and_by_address() {
    let world = World::new("people-guesses");
    let person = invite(&world, "ana@example.com", "viewer");
    assert_eq!(set_password(&world, &person["token"], PASSWORD), 204);
    let guess = |email: &str| login(&world, &with_password(email, "wrong and long")).0;
    let statuses: Vec<u16> = (0..6).map(|_| guess("ana@example.com")).collect();
    assert_eq!(statuses, [401, 401, 401, 401, 401, 429]);
    assert_eq!(
        login(&world, &with_password("ana@example.com", PASSWORD)).0,
        429,
        "locked for a minute"
    );
    world.ahead.fetch_add(61, Ordering::Relaxed);
    assert_eq!(login(&world, &with_password("ana@example.com", PASSWORD)).0, 200);
    let statuses: Vec<u16> = (0..11).map(|n| guess(&format!("x{n}@example.com"))).collect();
    assert_eq!((statuses[9], statuses[10]), (401, 429), "of one address");
    for wrong in [json!({}), json!({"email": "a@b.c"}), json!({"key": "k", "email": "a@b.c"})] {
        world.ahead.fetch_add(61, Ordering::Relaxed);
        assert_eq!(login(&world, &wrong).0, 422, "{wrong}");
    }
}

#[test]
fn one_time_codes_are_asked_for_once_confirmed_and_count_once() {
    let world = World::new("people-totp");
    let person = invite(&world, "ana@example.com", "admin");
    assert_eq!(set_password(&world, &person["token"], PASSWORD), 204);
    let mine = with_password("ana@example.com", PASSWORD);
    let (_, cookie, _) = login(&world, &mine);
    let origin = world.url("");
    let by = [("Cookie", cookie.as_str()), ("Origin", origin.as_str())];
    let (status, begun) = world.ask_with(&by, "POST", "/v1/people/me/totp", Some(&json!({})));
    assert_eq!(status, 200, "{begun}");
    let secret = unbase32(begun["secret"].as_str().unwrap());
    let now = |world: &World| (world.clock())().micros() / 30_000_000;
    let said = |step: i64| format!("{:06}", code(&secret, step).unwrap());
    assert_eq!(login(&world, &mine).0, 200, "not before it is confirmed");
    let confirm = |code: &str| {
        world.ask_with(&by, "PUT", "/v1/people/me/totp", Some(&json!({"code": code}))).0
    };
    assert_eq!(confirm("12345"), 422);
    assert_eq!(confirm(&said(now(&world))), 204);
    let (status, _, asked) = login(&world, &mine);
    assert_eq!((status, &asked["field"]), (401, &json!("totp")));
    let with = |code: String| {
        let mut body = mine.clone();
        body["totp"] = code.into();
        login(&world, &body).0
    };
    world.ahead.fetch_add(90, Ordering::Relaxed);
    let step = now(&world);
    assert_eq!(with(said(step - 7)), 401);
    assert_eq!(with(said(step)), 200);
    assert_eq!(with(said(step)), 401, "each counts once");
    assert_eq!(world.ask("POST", "/v1/people/me/totp", None).0, 404, "a key is nobody");
    assert_eq!(world.ask_with(&by, "DELETE", "/v1/people/me/totp", None).0, 204);
    assert_eq!(login(&world, &mine).0, 200);
}

fn unbase32(text: &str) -> Vec<u8> {
    let (mut out, mut word, mut bits) = (Vec::new(), 0_u32, 0);
    for sign in text.chars() {
        word = word << 5 | "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567".find(sign).unwrap() as u32;
        bits += 5;
        if bits >= 8 {
            bits -= 8;
            out.push((word >> bits) as u8);
            word &= (1 << bits) - 1;
        }
    }
    out
}

#[test]
fn who_saw_a_track_is_written_down_for_good() {
    let world = World::new("audit");
    assert_eq!(world.ask("PUT", "/v1/vehicles/van-1", Some(&json!({}))).0, 201);
    world.say("acme/van-1", &[position("acme/van-1", 1)]);
    world.until("/v1/vehicles/van-1/position", |status, _| status == 200);
    let person = invite(&world, "ana@example.com", "viewer");
    assert_eq!(set_password(&world, &person["token"], PASSWORD), 204);
    let (_, cookie, _) = login(&world, &with_password("ana@example.com", PASSWORD));
    let by = [("Cookie", cookie.as_str())];
    let track = "/v1/vehicles/van-1/track?from=2026-11-20T07:00:00Z";
    assert_eq!(world.ask_with(&by, "GET", track, None).0, 200);
    assert_eq!(world.ask_with(&by, "GET", "/v1/vehicles/van-9/track", None).0, 404);
    assert_eq!(world.ask_with(&by, "GET", "/v1/audit", None).0, 403);
    assert_eq!(world.ask("GET", track, None).0, 200);
    let seen = world.ask("GET", "/v1/audit", None).1["audit"].clone();
    assert_eq!(seen.as_array().unwrap().len(), 2);
    assert_eq!(
        (&seen[1]["email"], &seen[1]["vehicle"]),
        (&json!("ana@example.com"), &json!("van-1"))
    );
    assert_eq!(
        (&seen[1]["who"], &seen[1]["from"]),
        (&person["id"], &json!("2026-11-20T07:00:00.000Z"))
    );
    assert!(seen[0]["email"].is_null(), "a key");
    let other = world.key_of("other", Role::Admin);
    assert_eq!(world.ask_as(&other, "GET", "/v1/audit", None).1["audit"], json!([]));
    let store = &world.api.as_ref().unwrap().app.store;
    for sql in ["UPDATE audit SET vehicle = 'x'", "DELETE FROM audit"] {
        let changed =
            store.write(move |c| c.execute(sql, []).map_err(crate::store::StoreError::from));
        assert!(world.runtime.block_on(changed).is_err(), "{sql}");
    }
}
