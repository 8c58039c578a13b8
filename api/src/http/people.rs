//! People's accounts, how their passwords are set, and the audit of what they saw.

use axum::extract::{ConnectInfo, Path, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json};
use ingest::id::TenantId;
use ingest::time::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::session::{accounts_key, hashing, too_many};
use super::{Asked, Body, Page, Unread, etag, precondition};
use crate::app::{App, Shared};
use crate::auth::{Anybody, Caller, Manager};
use crate::connection::Peer;
use crate::message::mail::is_address;
use crate::password;
use crate::problem::{Failures, Problem};
use crate::store::audit;
use crate::store::keys::{NotARole, Role, random_bytes};
use crate::store::people::{self, PEOPLE_MAX, PersonRow, WELCOME_S};
use crate::totp::{SECRET_LEN, base32, step_of};

/// Longest name, characters.
const NAME_MAX: usize = 100;

/// A new account.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct PersonIn {
    /// Mail address; no two accounts have the same.
    email: String,
    /// For people, 1 to 100 characters.
    name: String,
    /// `admin`, `dispatcher`, `viewer` or `driver`.
    role: String,
}

/// What can be changed of an account.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct PersonChange {
    /// For people, 1 to 100 characters.
    name: String,
    /// `admin`, `dispatcher`, `viewer` or `driver`.
    role: String,
    /// Whether it may not log in; its sessions end.
    #[serde(default)]
    disabled: bool,
}

/// An account.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct PersonOut {
    /// Its id; stands as `by` in what its owner causes.
    id: String,
    /// Mail address.
    email: String,
    /// For people.
    name: String,
    /// What they may do.
    role: &'static str,
    /// Whether a password is set.
    active: bool,
    /// Whether one-time codes are asked for.
    totp: bool,
    /// Whether it may not log in.
    disabled: bool,
    /// When it was made.
    created_at: String,
    /// Rises with each change; also the `ETag`.
    version: u64,
    /// Where its owner sets a password, once; shown when it is made.
    #[serde(skip_serializing_if = "Option::is_none")]
    link: Option<String>,
    /// The token in the link.
    #[serde(skip_serializing_if = "Option::is_none")]
    token: Option<String>,
    /// Until when the link works.
    #[serde(skip_serializing_if = "Option::is_none")]
    expires_at: Option<String>,
}

/// Accounts.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct PeopleOut {
    /// By id.
    people: Vec<PersonOut>,
    /// Leads to more.
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<String>,
}

/// A password for the owner of a one-time link.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct WelcomeIn {
    /// From the link.
    token: String,
    /// 10 to 200 characters.
    password: String,
}

/// A secret of one-time codes; asked for once it is confirmed.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct TotpOut {
    /// To be typed into an authenticator app.
    secret: String,
    /// The same as `otpauth://`, for a code that apps scan.
    url: String,
}

/// A one-time code.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct CodeIn {
    /// Six digits.
    code: String,
}

/// Somebody saw something.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct SeenOut {
    /// When.
    at: String,
    /// Id of the key or person.
    who: String,
    /// The person's mail address at that time.
    #[serde(skip_serializing_if = "Option::is_none")]
    email: Option<String>,
    /// What: `track`.
    what: String,
    /// Whose.
    vehicle: String,
    /// Of which span.
    from: String,
    /// Of which span.
    to: String,
}

/// Who saw what.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct AuditOut {
    /// Newest first.
    audit: Vec<SeenOut>,
    /// Leads to older ones.
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<String>,
}

impl PersonOut {
    fn new(row: &PersonRow) -> Self {
        Self {
            id: row.id.clone(),
            email: row.email.clone(),
            name: row.name.clone(),
            role: row.role.name(),
            active: row.password.is_some(),
            totp: row.totp.is_some(),
            disabled: row.disabled.is_some(),
            created_at: row.created.to_string(),
            version: row.version,
            link: None,
            token: None,
            expires_at: None,
        }
    }

    fn welcomed(self, token: String, now: Timestamp) -> Self {
        Self {
            // Behind the number sign it reaches no server's log.
            link: Some(format!("/app/welcome#{token}")),
            token: Some(token),
            expires_at: Some(now.plus_seconds(WELCOME_S).to_string()),
            ..self
        }
    }
}

/// Makes an account; the answer holds the one-time link at which its owner sets a password.
#[utoipa::path(post, path = "/people", tag = "people", operation_id = "create_person",
    request_body = PersonIn, security(("key" = ["admin"])),
    responses((status = 201, body = PersonOut),
        (status = 409, body = Problem, content_type = "application/problem+json"), Failures))]
pub(crate) async fn post(
    Manager(who): Manager,
    State(app): State<Shared>,
    Body(body): Body<PersonIn>,
) -> Result<Response, Problem> {
    if !is_address(&body.email) {
        return Err(Problem::value("email", &body.email, "the address of a mailbox"));
    }
    let (name, role) = (checked_name(&body.name)?, checked_role(&body.role)?);
    let now = app.now();
    let person = PersonRow {
        id: people::new_id()?,
        tenant: who.tenant,
        email: body.email.to_lowercase(),
        name,
        role,
        password: None,
        totp: None,
        totp_used: 0,
        totp_waiting: None,
        created: now,
        disabled: None,
        version: 1,
    };
    let out = PersonOut::new(&person);
    let token = app
        .store
        .write(move |c| {
            if people::of_email(c, &person.email)?.is_some() {
                return Err(Problem::conflict(format!("there is an account `{}`", person.email)));
            }
            if people::list(c, &person.tenant, ("", PEOPLE_MAX))?.len() >= PEOPLE_MAX {
                return Err(Problem::conflict(format!("there are {PEOPLE_MAX} accounts already")));
            }
            people::put(c, &person)?;
            Ok(people::welcome(c, &person.id, now)?)
        })
        .await?;
    let out = Json(out.welcomed(token, now));
    Ok((StatusCode::CREATED, [(header::ETAG, etag(1))], out).into_response())
}

/// All accounts.
#[utoipa::path(get, path = "/people", tag = "people", operation_id = "list_people",
    params(Page), security(("key" = ["admin"])),
    responses((status = 200, body = PeopleOut), Failures))]
pub(crate) async fn list(
    Manager(who): Manager,
    State(app): State<Shared>,
    Asked(page): Asked<Page>,
) -> Result<Json<PeopleOut>, Problem> {
    let limit = page.limit()?;
    let after = page.after.unwrap_or_default();
    let rows = app.store.read(|c| people::list(c, &who.tenant, (&after, limit)))?;
    let next = rows.last().filter(|_| rows.len() == limit).map(|row| row.id.clone());
    Ok(Json(PeopleOut { people: rows.iter().map(PersonOut::new).collect(), next }))
}

/// Changes an account's name, role, or whether it may log in.
#[utoipa::path(put, path = "/people/{id}", tag = "people", operation_id = "change_person",
    params(("id" = String, Path)), request_body = PersonChange, security(("key" = ["admin"])),
    responses((status = 200, body = PersonOut),
        (status = 412, body = Problem, content_type = "application/problem+json"), Failures))]
pub(crate) async fn put(
    Manager(who): Manager,
    State(app): State<Shared>,
    Path(id): Path<String>,
    headers: HeaderMap,
    body: Unread,
) -> Result<Response, Problem> {
    person_of(&app, &who.tenant, &id)?;
    let body: PersonChange = body.read()?;
    let (name, role) = (checked_name(&body.name)?, checked_role(&body.role)?);
    let now = app.now();
    let row = changed(&app, who.tenant, id, move |row| {
        precondition(&headers, Some(row.version))?;
        (row.name, row.role) = (name, role);
        row.disabled = body.disabled.then(|| row.disabled.unwrap_or(now));
        Ok(())
    })
    .await?;
    Ok(([(header::ETAG, etag(row.version))], Json(PersonOut::new(&row))).into_response())
}

/// Removes an account: its sessions end, and its streams within a minute.
#[utoipa::path(delete, path = "/people/{id}", tag = "people", operation_id = "delete_person",
    params(("id" = String, Path)), security(("key" = ["admin"])),
    responses((status = 204), Failures))]
pub(crate) async fn delete(
    Manager(who): Manager,
    State(app): State<Shared>,
    Path(id): Path<String>,
) -> Result<StatusCode, Problem> {
    app.store
        .write(move |c| {
            let gone = people::delete(c, &who.tenant, &id)?;
            if gone { Ok(()) } else { Err(Problem::unknown("person", &id)) }
        })
        .await?;
    Ok(StatusCode::NO_CONTENT)
}

/// A new one-time link for somebody who has forgotten the password, or never set one.
#[utoipa::path(post, path = "/people/{id}/welcome", tag = "people",
    operation_id = "welcome_person", params(("id" = String, Path)),
    security(("key" = ["admin"])), responses((status = 200, body = PersonOut), Failures))]
pub(crate) async fn welcome(
    Manager(who): Manager,
    State(app): State<Shared>,
    Path(id): Path<String>,
) -> Result<Json<PersonOut>, Problem> {
    let person = person_of(&app, &who.tenant, &id)?;
    let now = app.now();
    let made = app.store.write(move |c| people::welcome(c, &id, now).map_err(Problem::from));
    let token = made.await?;
    Ok(Json(PersonOut::new(&person).welcomed(token, now)))
}

/// Sets a password by a one-time link, which is used up; sessions of the account end.
#[utoipa::path(post, path = "/people/welcome", tag = "people", operation_id = "set_password",
    request_body = WelcomeIn, security(()),
    responses((status = 204),
        (status = 429, body = Problem, content_type = "application/problem+json"), Failures))]
pub(crate) async fn set_password(
    State(app): State<Shared>,
    peer: Option<Extension<ConnectInfo<Peer>>>,
    Body(body): Body<WelcomeIn>,
) -> Result<StatusCode, Problem> {
    let address = peer.map(|Extension(ConnectInfo(Peer(peer)))| peer.ip());
    let now = app.now();
    if !app.logins.allowed(address, now) {
        return Err(too_many());
    }
    let length = body.password.chars().count();
    if !password::LENGTH.contains(&length) {
        let (least, most) = (password::LENGTH.start(), password::LENGTH.end());
        let expected = format!("{least} to {most} characters");
        return Err(Problem::value("password", &format!("{length} characters"), &expected));
    }
    let unknown = || {
        let detail = "the link is unknown, was used, or is over".to_owned();
        Problem::new(StatusCode::NOT_FOUND, "unknown", "There is no such thing", detail)
    };
    if app.store.read(|c| people::of_welcome(c, &body.token, now))?.is_none() {
        app.logins.count(address, now);
        return Err(unknown());
    }
    let chosen = body.password;
    let hash = hashing(&app, move || password::hash(&chosen)).await??;
    let set = app
        .store
        .write(move |c| people::set_password(c, &body.token, &hash, now).map_err(Problem::from));
    if set.await? { Ok(StatusCode::NO_CONTENT) } else { Err(unknown()) }
}

/// A secret for one-time codes, which are asked for once one was shown with `PUT`.
#[utoipa::path(post, path = "/people/me/totp", tag = "people", operation_id = "begin_totp",
    security(("key" = ["admin", "dispatcher", "viewer", "driver"])),
    responses((status = 200, body = TotpOut), Failures))]
pub(crate) async fn begin_totp(
    Anybody(who): Anybody,
    State(app): State<Shared>,
) -> Result<Json<TotpOut>, Problem> {
    let id = me(&who)?;
    let bytes = random_bytes()?;
    let secret = bytes[..SECRET_LEN].to_vec();
    let shown = base32(&secret);
    let row = changed(&app, who.tenant, id, move |row| {
        row.totp_waiting = Some(secret);
        Ok(())
    })
    .await?;
    let label: String = row.email.replace('%', "%25").replace('+', "%2B");
    let url = format!("otpauth://totp/Milepost:{label}?secret={shown}&issuer=Milepost");
    Ok(Json(TotpOut { secret: shown, url }))
}

/// Confirms the secret with a code: from now on codes are asked for.
#[utoipa::path(put, path = "/people/me/totp", tag = "people", operation_id = "confirm_totp",
    request_body = CodeIn, security(("key" = ["admin", "dispatcher", "viewer", "driver"])),
    responses((status = 204), Failures))]
pub(crate) async fn confirm_totp(
    Anybody(who): Anybody,
    State(app): State<Shared>,
    body: Unread,
) -> Result<StatusCode, Problem> {
    let (id, now) = (me(&who)?, app.now());
    let body: CodeIn = body.read()?;
    let account = accounts_key(&id);
    if !app.accounts.allowed(Some(account), now) {
        return Err(too_many());
    }
    let confirmed = changed(&app, who.tenant, id, move |row| {
        let secret = row.totp_waiting.take().unwrap_or_default();
        let step = if secret.is_empty() { None } else { step_of(&secret, &body.code, now, 0) };
        let expected = "the present code of the secret that was shown last";
        row.totp_used = step.ok_or_else(|| Problem::value("code", &body.code, expected))?;
        row.totp = Some(secret);
        Ok(())
    })
    .await;
    if confirmed.is_err() {
        app.accounts.count(Some(account), now);
    }
    confirmed?;
    Ok(StatusCode::NO_CONTENT)
}

/// Gives one-time codes up.
#[utoipa::path(delete, path = "/people/me/totp", tag = "people", operation_id = "end_totp",
    security(("key" = ["admin", "dispatcher", "viewer", "driver"])),
    responses((status = 204), Failures))]
pub(crate) async fn end_totp(
    Anybody(who): Anybody,
    State(app): State<Shared>,
) -> Result<StatusCode, Problem> {
    let id = me(&who)?;
    changed(&app, who.tenant, id, |row| {
        (row.totp, row.totp_waiting) = (None, None);
        Ok(())
    })
    .await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Who saw whose track, newest first, for 400 days.
#[utoipa::path(get, path = "/audit", tag = "people", operation_id = "list_audit", params(Page),
    security(("key" = ["admin"])), responses((status = 200, body = AuditOut), Failures))]
pub(crate) async fn audit(
    Manager(who): Manager,
    State(app): State<Shared>,
    Asked(page): Asked<Page>,
) -> Result<Json<AuditOut>, Problem> {
    let (before, limit) = (super::messages::before(&page)?, page.limit()?);
    let rows = app.store.read(|c| audit::list(c, &who.tenant, (before, limit)))?;
    let next = rows.last().filter(|_| rows.len() == limit).map(|row| row.n.to_string());
    let seen = |row: audit::AuditRow| SeenOut {
        at: row.at.to_string(),
        who: row.who,
        email: row.name,
        what: row.what,
        vehicle: row.vehicle,
        from: row.from.to_string(),
        to: row.to.to_string(),
    };
    Ok(Json(AuditOut { audit: rows.into_iter().map(seen).collect(), next }))
}

fn person_of(app: &App, tenant: &TenantId, id: &str) -> Result<PersonRow, Problem> {
    let found = app.store.read(|c| people::find(c, tenant, id))?;
    found.ok_or_else(|| Problem::unknown("person", id))
}

/// The caller's own account; a key has none.
fn me(who: &Caller) -> Result<String, Problem> {
    let id = Some(who.key.clone()).filter(|id| people::is_id(id));
    id.ok_or_else(|| Problem::unknown("account of", &who.key))
}

/// An account with a change, at its next version.
async fn changed(
    app: &Shared,
    tenant: TenantId,
    id: String,
    change: impl FnOnce(&mut PersonRow) -> Result<(), Problem> + Send + 'static,
) -> Result<PersonRow, Problem> {
    app.store
        .write(move |c| {
            let found = people::find(c, &tenant, &id)?;
            let mut row = found.ok_or_else(|| Problem::unknown("person", &id))?;
            change(&mut row)?;
            row.version += 1;
            people::put(c, &row)?;
            Ok(row)
        })
        .await
}

fn checked_name(name: &str) -> Result<String, Problem> {
    let name = name.trim();
    let good = (1..=NAME_MAX).contains(&name.chars().count());
    let plain = good && !name.chars().any(char::is_control);
    let checked = plain.then(|| name.to_owned());
    checked.ok_or_else(|| Problem::value("name", name, "1 to 100 characters in one line"))
}

fn checked_role(role: &str) -> Result<Role, Problem> {
    let expected = "admin, dispatcher, viewer or driver";
    role.parse().map_err(|_bad: NotARole| Problem::value("role", role, expected))
}
