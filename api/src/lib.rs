//! What is remembered and who is told: the HTTP API, the live view and the operations store.
//!
//! A request goes through [`http`] (one file a resource) with its caller ([`auth`], [`open`]),
//! reads from [`live`] (the newest), [`history`] (the last days), [`analytics`] (all that [`archive`] keeps) or [`store`] (what people said), and
//! what it changes goes through [`mod@write`] to the log. [`view`] holds the JSON, [`problem`] what
//! went wrong. `doors` lets analysts' programs in. [`message`] tells programs and customers. `assets` is the app that browsers load, `tiles` its map. [`serve`] starts and stops it all; [`ops`] is the side door for operators.

pub mod analytics;
mod app;
pub mod archive;
mod assets;
mod attempts;
pub mod auth;
mod connection;
pub mod cost;
mod customer;
mod doors;
pub mod history;
pub mod http;
pub mod live;
pub mod message;
pub mod metrics;
mod open;
pub mod ops;
mod page;
mod password;
pub mod policy;
pub mod problem;
mod serve;
pub mod store;
mod tiles;
mod totp;
pub mod view;
mod way;
pub mod write;

pub use doors::Places;
pub use metrics::{ArchiveMetrics, Metrics};
pub use serve::{Api, ArchiveSettings, Settings, StartError};
