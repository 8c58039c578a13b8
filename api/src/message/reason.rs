//! Why a delivery is late, for the customer who waits: in their language, and nothing of other
//! customers' stops or of the vehicle's whereabouts.

use engine::model::CauseKind;

use super::language::Language;
use crate::customer::words;

/// How the engine's causes begin (`engine/src/vehicle/tell.rs`), and what a customer is told of
/// them. A cause that is none of these is nothing for customers: "cause not known", a street
/// nobody asked about.
const CAUSES: [(&str, CauseKind); 7] = [
    ("slow traffic", CauseKind::Traffic),
    ("stop ", CauseKind::Dwell),
    ("visits take longer", CauseKind::Dwell),
    ("stood ", CauseKind::Waiting),
    ("has not left the depot", CauseKind::Waiting),
    ("off route", CauseKind::Travel),
    ("no signal", CauseKind::Signal),
];
/// What stands before the street where it is slow.
const ON: &str = "slow traffic on ";

/// The reason as a sentence without its full stop; `None` where there is none to tell.
pub(crate) fn reason(cause: &str, language: Language) -> Option<String> {
    if let Some(street) = cause.strip_prefix(ON) {
        return Some(on(language).replace("{street}", street));
    }
    let (_, kind) = CAUSES.into_iter().find(|(begin, _)| cause.starts_with(begin))?;
    let said = words::of(language).cause(Some(kind))?;
    Some(said.trim_end_matches('.').to_owned())
}

/// Slow traffic with its street.
const fn on(language: Language) -> &'static str {
    match language {
        Language::En => "traffic on {street} is slower than usual",
        Language::De => "auf der Strecke {street} ist der Verkehr langsamer als sonst",
        Language::Es => "el tráfico en {street} es más lento de lo habitual",
        Language::Pt => "o trânsito em {street} está mais lento do que o habitual",
        Language::Fr => "la circulation est plus lente que d’habitude sur {street}",
        Language::Ar => "حركة المرور في {street} أبطأ من المعتاد",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reason_is_told_in_every_language_and_only_where_it_is_known() {
        for (cause, german) in [
            ("slow traffic on Rua de Santa Catarina", Some("Rua de Santa Catarina")),
            ("slow traffic", Some("der Verkehr ist langsamer als sonst")),
            ("stop s6 takes 14 min, planned 5", Some("ein Halt vor Ihnen hat länger gedauert")),
            ("visits take longer than planned", Some("ein Halt vor Ihnen hat länger gedauert")),
            ("stood 12 min without a stop", Some("der Wagen musste")),
            ("has not left the depot", Some("der Wagen musste")),
            ("off route", Some("der Weg hat länger gedauert")),
            ("no signal", Some("nichts vom Wagen gehört")),
            ("cause not known", None),
            ("", None),
        ] {
            let said = reason(cause, Language::De);
            match (&said, german) {
                (Some(said), Some(part)) => assert!(said.contains(part), "{cause}: {said}"),
                (said, part) => assert_eq!(said.as_deref(), part, "{cause}"),
            }
            let all: Vec<_> = Language::ALL.map(|language| reason(cause, language)).into();
            let known = all.iter().flatten().collect::<std::collections::BTreeSet<_>>();
            let expected = if german.is_some() { Language::ALL.len() } else { 0 };
            assert_eq!(known.len(), expected, "{cause}: {all:?}");
            assert!(known.iter().all(|said| !said.ends_with('.')), "{cause}: {all:?}");
            let inner = |said: &String| said.contains("s6") || said.contains("14");
            assert!(!known.into_iter().any(inner), "{cause}: another's stop");
        }
    }
}
