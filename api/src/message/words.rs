//! What customers are told unless their tenant says it otherwise.

use engine::model::EventKind;

use super::language::Language;
use super::template::Template;

/// Events of which customers are told.
pub(crate) const EVENTS: [EventKind; 6] = [
    EventKind::ArrivingSoon,
    EventKind::PredictedLate,
    EventKind::BackOnTime,
    EventKind::Arrived,
    EventKind::Completed,
    EventKind::Failed,
];

/// The event of this name, if customers are told of it.
pub(crate) fn event(name: &str) -> Option<EventKind> {
    EVENTS.into_iter().find(|kind| kind.name() == name)
}

/// The template of an event in a language.
pub(crate) fn template(event: EventKind, language: Language) -> Template {
    let [subject, text] = words(event, language);
    let [greeting, follow] = frame(language);
    let text = format!("[{greeting} {{name}},\n\n]{text}[\n\n{follow} {{link}}]");
    Template { subject: subject.to_owned(), text }
}

/// The line under each message, before the link that ends them.
pub(crate) const fn farewell(language: Language) -> &'static str {
    match language {
        Language::En => "No more messages about deliveries",
        Language::De => "Keine Nachrichten zu Lieferungen mehr",
        Language::Es => "No recibir más mensajes sobre entregas",
        Language::Pt => "Não receber mais mensagens sobre entregas",
        Language::Fr => "Ne plus recevoir de messages sur les livraisons",
        Language::Ar => "إيقاف الرسائل المتعلقة بالتوصيل",
    }
}

/// What the page behind that link says: the question, the button, and what is so afterwards.
pub(crate) const fn farewell_page(language: Language) -> [&'static str; 3] {
    match language {
        Language::En => [
            "No more messages about deliveries to this address?",
            "Stop the messages",
            "You will get no more messages about deliveries.",
        ],
        Language::De => [
            "Keine Nachrichten zu Lieferungen mehr an diese Adresse?",
            "Nachrichten beenden",
            "Sie erhalten keine Nachrichten zu Lieferungen mehr.",
        ],
        Language::Es => [
            "¿No recibir más mensajes sobre entregas en esta dirección?",
            "No recibir más mensajes",
            "Ya no recibirá mensajes sobre entregas.",
        ],
        Language::Pt => [
            "Não receber mais mensagens sobre entregas neste endereço?",
            "Parar as mensagens",
            "Não receberá mais mensagens sobre entregas.",
        ],
        Language::Fr => [
            "Ne plus recevoir de messages sur les livraisons à cette adresse ?",
            "Arrêter les messages",
            "Vous ne recevrez plus de messages sur les livraisons.",
        ],
        Language::Ar => [
            "هل تريد إيقاف رسائل التوصيل إلى هذا العنوان؟",
            "إيقاف الرسائل",
            "لن تصلك رسائل أخرى عن التوصيل.",
        ],
    }
}

/// Greeting, and what leads to the link.
const fn frame(language: Language) -> [&'static str; 2] {
    match language {
        Language::En => ["Hello", "Follow your delivery:"],
        Language::De => ["Guten Tag", "Lieferung verfolgen:"],
        Language::Es => ["Hola", "Siga su entrega:"],
        Language::Pt => ["Olá", "Acompanhe a sua entrega:"],
        Language::Fr => ["Bonjour", "Suivre votre livraison :"],
        Language::Ar => ["مرحبًا", "تتبّع التوصيل:"],
    }
}

/// Subject and text.
fn words(event: EventKind, language: Language) -> [&'static str; 2] {
    match language {
        Language::En => english(event),
        Language::De => german(event),
        Language::Es => spanish(event),
        Language::Pt => portuguese(event),
        Language::Fr => french(event),
        Language::Ar => arabic(event),
    }
}

fn english(event: EventKind) -> [&'static str; 2] {
    match event {
        EventKind::ArrivingSoon => [
            "Your delivery {order} arrives soon",
            "Your delivery {order} arrives in a few minutes[, probably between {expected_from} \
             and {expected_to}].",
        ],
        EventKind::PredictedLate => [
            "Your delivery {order} will be late[: now {expected_from} to {expected_to}]",
            "We are sorry: your delivery {order} will be later than promised[ (between \
             {window_from} and {window_to})].[\n\nWe now expect it between {expected_from} and \
             {expected_to}.][\n\nThe reason: {cause}.]",
        ],
        EventKind::BackOnTime => [
            "Your delivery {order} will be on time after all",
            "Good news: your delivery {order} will arrive as promised after all[, between \
             {expected_from} and {expected_to}].",
        ],
        EventKind::Arrived => {
            ["Your delivery {order} is here", "Your delivery {order} has reached your door."]
        }
        EventKind::Failed => [
            "Your delivery {order} could not be handed over",
            "We could not hand over your delivery {order}. We will tell you how it goes on.",
        ],
        _ => ["Your delivery {order} was handed over", "Your delivery {order} was handed over."],
    }
}

fn german(event: EventKind) -> [&'static str; 2] {
    match event {
        EventKind::ArrivingSoon => [
            "Ihre Lieferung {order} kommt gleich",
            "Ihre Lieferung {order} kommt in wenigen Minuten an[, voraussichtlich zwischen \
             {expected_from} und {expected_to} Uhr].",
        ],
        EventKind::PredictedLate => [
            "Ihre Lieferung {order} verspätet sich[: jetzt {expected_from} bis {expected_to} Uhr]",
            "Es tut uns leid: Ihre Lieferung {order} kommt später als versprochen[ (zwischen \
             {window_from} und {window_to} Uhr)].[\n\nWir erwarten sie jetzt zwischen \
             {expected_from} und {expected_to} Uhr.][\n\nDer Grund: {cause}.]",
        ],
        EventKind::BackOnTime => [
            "Ihre Lieferung {order} kommt doch pünktlich",
            "Gute Nachricht: Ihre Lieferung {order} kommt doch wie versprochen an[, zwischen \
             {expected_from} und {expected_to} Uhr].",
        ],
        EventKind::Arrived => {
            ["Ihre Lieferung {order} ist da", "Ihre Lieferung {order} ist bei Ihnen eingetroffen."]
        }
        EventKind::Failed => [
            "Ihre Lieferung {order} konnte nicht übergeben werden",
            "Wir konnten Ihre Lieferung {order} nicht übergeben. Wir melden uns, wie es \
             weitergeht.",
        ],
        _ => ["Ihre Lieferung {order} wurde übergeben", "Ihre Lieferung {order} wurde übergeben."],
    }
}

fn spanish(event: EventKind) -> [&'static str; 2] {
    match event {
        EventKind::ArrivingSoon => [
            "Su entrega {order} llega pronto",
            "Su entrega {order} llega en unos minutos[, probablemente entre las {expected_from} y \
             las {expected_to}].",
        ],
        EventKind::PredictedLate => [
            "Su entrega {order} llegará tarde[: ahora de {expected_from} a {expected_to}]",
            "Lo sentimos: su entrega {order} llegará más tarde de lo prometido[ (entre las \
             {window_from} y las {window_to})].[\n\nAhora la esperamos entre las {expected_from} \
             y las {expected_to}.][\n\nEl motivo: {cause}.]",
        ],
        EventKind::BackOnTime => [
            "Su entrega {order} llegará finalmente a tiempo",
            "Buenas noticias: su entrega {order} llegará finalmente según lo prometido[, entre \
             las {expected_from} y las {expected_to}].",
        ],
        EventKind::Arrived => {
            ["Su entrega {order} ha llegado", "Su entrega {order} ha llegado a su puerta."]
        }
        EventKind::Failed => [
            "No se pudo entregar su pedido {order}",
            "No pudimos entregar su pedido {order}. Le diremos cómo continúa.",
        ],
        _ => ["Su entrega {order} fue entregada", "Su entrega {order} fue entregada."],
    }
}

fn portuguese(event: EventKind) -> [&'static str; 2] {
    match event {
        EventKind::ArrivingSoon => [
            "A sua entrega {order} está a chegar",
            "A sua entrega {order} chega dentro de minutos[, provavelmente entre as \
             {expected_from} e as {expected_to}].",
        ],
        EventKind::PredictedLate => [
            "A sua entrega {order} vai atrasar-se[: agora das {expected_from} às {expected_to}]",
            "Lamentamos: a sua entrega {order} chegará mais tarde do que o prometido[ (entre as \
             {window_from} e as {window_to})].[\n\nEsperamo-la agora entre as {expected_from} e \
             as {expected_to}.][\n\nO motivo: {cause}.]",
        ],
        EventKind::BackOnTime => [
            "A sua entrega {order} chegará afinal a horas",
            "Boas notícias: a sua entrega {order} chegará afinal como prometido[, entre as \
             {expected_from} e as {expected_to}].",
        ],
        EventKind::Arrived => {
            ["A sua entrega {order} chegou", "A sua entrega {order} chegou à sua porta."]
        }
        EventKind::Failed => [
            "Não foi possível entregar a sua encomenda {order}",
            "Não conseguimos entregar a sua encomenda {order}. Diremos como continua.",
        ],
        _ => ["A sua encomenda {order} foi entregue", "A sua encomenda {order} foi entregue."],
    }
}

fn french(event: EventKind) -> [&'static str; 2] {
    match event {
        EventKind::ArrivingSoon => [
            "Votre livraison {order} arrive bientôt",
            "Votre livraison {order} arrive dans quelques minutes[, probablement entre \
             {expected_from} et {expected_to}].",
        ],
        EventKind::PredictedLate => [
            "Votre livraison {order} aura du retard[ : désormais de {expected_from} à \
             {expected_to}]",
            "Nous sommes désolés : votre livraison {order} arrivera plus tard que promis[ (entre \
             {window_from} et {window_to})].[\n\nNous l'attendons désormais entre \
             {expected_from} et {expected_to}.][\n\nLa raison : {cause}.]",
        ],
        EventKind::BackOnTime => [
            "Votre livraison {order} sera finalement à l'heure",
            "Bonne nouvelle : votre livraison {order} arrivera finalement comme promis[, entre \
             {expected_from} et {expected_to}].",
        ],
        EventKind::Arrived => [
            "Votre livraison {order} est arrivée",
            "Votre livraison {order} est arrivée à votre porte.",
        ],
        EventKind::Failed => [
            "Votre livraison {order} n'a pas pu être remise",
            "Nous n'avons pas pu remettre votre livraison {order}. Nous vous dirons la suite.",
        ],
        _ => ["Votre livraison {order} a été remise", "Votre livraison {order} a été remise."],
    }
}

fn arabic(event: EventKind) -> [&'static str; 2] {
    match event {
        EventKind::ArrivingSoon => [
            "طلبك {order} يصل قريبًا",
            "يصل طلبك {order} خلال دقائق[، على الأرجح بين {expected_from} و{expected_to}].",
        ],
        EventKind::PredictedLate => [
            "سيتأخر طلبك {order}[: الآن من {expected_from} إلى {expected_to}]",
            "نعتذر: سيصل طلبك {order} بعد الموعد المحدد[ (بين {window_from} و{window_to})].[\n\n\
             نتوقع وصوله الآن بين {expected_from} و{expected_to}.][\n\nالسبب: {cause}.]",
        ],
        EventKind::BackOnTime => [
            "سيصل طلبك {order} في موعده",
            "خبر سار: سيصل طلبك {order} في موعده[، بين {expected_from} و{expected_to}].",
        ],
        EventKind::Arrived => ["وصل طلبك {order}", "وصل طلبك {order} إلى بابك."],
        EventKind::Failed => {
            ["تعذّر تسليم طلبك {order}", "لم نتمكن من تسليم طلبك {order}. سنخبرك بالخطوة التالية."]
        }
        _ => ["تم تسليم طلبك {order}", "تم تسليم طلبك {order}."],
    }
}

#[cfg(test)]
mod tests {
    use super::super::template::check;
    use super::*;

    #[test]
    fn every_event_has_words_in_every_language() {
        let mut all = std::collections::BTreeSet::new();
        for event in EVENTS {
            for language in Language::ALL {
                let template = template(event, language);
                assert_eq!(check(&template.subject), Ok(()), "{event:?} {language:?}");
                assert_eq!(check(&template.text), Ok(()), "{event:?} {language:?}");
                assert!(all.insert(template.text), "{event:?} {language:?} is another's");
            }
        }
    }
}
