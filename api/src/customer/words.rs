//! What the page says, in the six languages it speaks. Whole sentences; what stands in braces is
//! filled in.

use axum::http::{HeaderMap, header};
use engine::model::CauseKind;

use crate::message::language::Language;
use crate::policy::{Stage, Standing};

/// Everything the page says in one language.
#[derive(Debug)]
pub(crate) struct Words {
    /// As in `lang`.
    pub(crate) code: &'static str,
    /// Whether it is written from the right.
    pub(crate) rtl: bool,
    /// Monday first.
    pub(crate) weekdays: [&'static str; 7],
    /// By [`Stage`].
    pub(crate) stages: [&'static str; 9],
    pub(crate) late: &'static str,
    pub(crate) at_risk: &'static str,
    pub(crate) likely: &'static str,
    pub(crate) you_are_next: &'static str,
    pub(crate) stops_before: &'static str,
    pub(crate) appears: &'static str,
    pub(crate) sorry: &'static str,
    pub(crate) why: &'static str,
    /// By cause but the last, which is not one.
    pub(crate) causes: [&'static str; 6],
    pub(crate) suits: &'static str,
    pub(crate) there: &'static str,
    pub(crate) safe_place: &'static str,
    pub(crate) another_time: &'static str,
    pub(crate) no_answer: &'static str,
    pub(crate) answered: &'static str,
    pub(crate) now: &'static str,
    pub(crate) promised: &'static str,
    pub(crate) expected: &'static str,
    pub(crate) away: &'static str,
    pub(crate) seen: &'static str,
    pub(crate) seconds: &'static str,
    pub(crate) minutes: &'static str,
    pub(crate) unseen: &'static str,
    pub(crate) no_time: &'static str,
    /// Planned, on the way, over.
    pub(crate) steps: [&'static str; 3],
    pub(crate) not_made: &'static str,
    pub(crate) order: &'static str,
    pub(crate) instructions: &'static str,
    pub(crate) hint: &'static str,
    pub(crate) save: &'static str,
    pub(crate) saved: &'static str,
    pub(crate) how_was_it: &'static str,
    /// From worst to best.
    pub(crate) ratings: [&'static str; 5],
    pub(crate) comment: &'static str,
    pub(crate) send: &'static str,
    pub(crate) call: &'static str,
    pub(crate) footer: &'static str,
    pub(crate) map: &'static str,
    pub(crate) offline: &'static str,
    pub(crate) gone: &'static str,
    pub(crate) gone_detail: &'static str,
    pub(crate) too_many: &'static str,
}

impl Words {
    /// What the visit is called as it stands.
    pub(crate) fn headline(&self, stage: Stage, standing: Standing) -> &'static str {
        match standing {
            Standing::Late => self.late,
            Standing::AtRisk => self.at_risk,
            Standing::OnTime => self.stages[stage as usize],
        }
    }

    /// Why it is late, where that is known.
    pub(crate) fn cause(&self, cause: Option<CauseKind>) -> Option<&'static str> {
        self.causes.get(cause? as usize).copied()
    }

    /// Seconds to a minute, then minutes.
    pub(crate) fn age(&self, seconds: f64) -> String {
        let seconds = seconds.max(0.0) as u64;
        let (words, n) =
            if seconds < 60 { (self.seconds, seconds) } else { (self.minutes, seconds / 60) };
        filled(words, &[("n", &n.to_string())])
    }
}

/// A sentence with its values.
pub(crate) fn filled(sentence: &str, values: &[(&str, &str)]) -> String {
    let mut text = sentence.to_owned();
    for (name, value) in values {
        text = text.replace(&format!("{{{name}}}"), value);
    }
    text
}

/// The language asked for, else the browser's first that is spoken here, else English.
pub(crate) fn chosen(asked: Option<&str>, headers: &HeaderMap) -> &'static Words {
    let spoken = |tag: &str| {
        let language = tag.trim().split(['-', ';']).next().unwrap_or_default();
        ALL.into_iter().find(|words| words.code.eq_ignore_ascii_case(language))
    };
    if let Some(words) = asked.and_then(spoken) {
        return words;
    }
    let accepted = headers.get(header::ACCEPT_LANGUAGE).and_then(|v| v.to_str().ok());
    let quality = |tag: &str| {
        let q = tag.split(';').find_map(|part| part.trim().strip_prefix("q="));
        q.map_or(1.0, |q| q.parse::<f32>().unwrap_or(0.0))
    };
    let mut tags: Vec<&str> = accepted.unwrap_or_default().split(',').take(20).collect();
    tags.retain(|tag| quality(tag) > 0.0);
    tags.sort_by(|a, b| quality(b).total_cmp(&quality(a)));
    tags.into_iter().find_map(spoken).unwrap_or(&ENGLISH)
}

/// Every language, English first.
pub(crate) const ALL: [&Words; 6] = [&ENGLISH, &GERMAN, &SPANISH, &PORTUGUESE, &FRENCH, &ARABIC];

/// Those of a language.
pub(crate) const fn of(language: Language) -> &'static Words {
    match language {
        Language::En => &ENGLISH,
        Language::De => &GERMAN,
        Language::Es => &SPANISH,
        Language::Pt => &PORTUGUESE,
        Language::Fr => &FRENCH,
        Language::Ar => &ARABIC,
    }
}

const ENGLISH: Words = Words {
    code: "en",
    rtl: false,
    weekdays: ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"],
    stages: [
        "Planned",
        "Out for delivery",
        "On the way to you, on time",
        "Arriving now",
        "At your door",
        "The van was here",
        "Delivered",
        "Not delivered",
        "Not coming on this tour",
    ],
    late: "Later than promised",
    at_risk: "On the way, may be late",
    likely: "Most likely {time}.",
    you_are_next: "You are the next stop.",
    stops_before: "Stops before yours: {n}.",
    appears: "The van appears here when you are next.",
    sorry: "We promised {window} and will miss it. We are sorry.",
    why: "Why:",
    causes: [
        "a stop before yours took longer than planned.",
        "the way took longer than expected.",
        "traffic is slower than usual.",
        "the van had to wait at a stop.",
        "the order of the stops has changed.",
        "we did not hear from the van for a while.",
    ],
    suits: "Does the new time suit you?",
    there: "Yes, I will be there",
    safe_place: "Leave it in a safe place",
    another_time: "Choose another time",
    no_answer: "No answer? We still come at the new time.",
    answered: "You said: {answer}",
    now: "now",
    promised: "promised {window}",
    expected: "expected",
    away: "{distance} away",
    seen: "position {age} old",
    seconds: "{n} s",
    minutes: "{n} min",
    unseen: "We do not see the van right now.",
    no_time: "The time is not known yet.",
    steps: ["Planned", "On the way", "Delivered"],
    not_made: "We could not deliver. The sender will contact you.",
    order: "Order {order}",
    instructions: "Gate code and instructions",
    hint: "Which door, where to ring, where to park",
    save: "Save",
    saved: "Saved. The dispatcher sees it.",
    how_was_it: "How was it?",
    ratings: ["Very bad", "Bad", "Fair", "Good", "Very good"],
    comment: "What was good, what went wrong?",
    send: "Send",
    call: "Call the driver",
    footer: "This page works until 2 hours after delivery. The van is shown only while it is on its way to you.",
    map: "Map of the streets around your address",
    offline: "No connection. This was known at {time}.",
    gone: "This link does not work",
    gone_detail: "It may have expired. Links end 2 hours after delivery. Ask the sender for a new one.",
    too_many: "Too many attempts. Try again in a minute.",
};

const GERMAN: Words = Words {
    code: "de",
    rtl: false,
    weekdays: ["Mo", "Di", "Mi", "Do", "Fr", "Sa", "So"],
    stages: [
        "Geplant",
        "In Zustellung",
        "Unterwegs zu Ihnen, pünktlich",
        "Kommt gleich an",
        "Vor Ihrer Tür",
        "Der Wagen war da",
        "Zugestellt",
        "Nicht zugestellt",
        "Kommt auf dieser Tour nicht",
    ],
    late: "Später als zugesagt",
    at_risk: "Unterwegs, vielleicht verspätet",
    likely: "Am wahrscheinlichsten um {time}.",
    you_are_next: "Sie sind der nächste Halt.",
    stops_before: "Halte vor Ihnen: {n}.",
    appears: "Der Wagen erscheint hier, wenn Sie der nächste Halt sind.",
    sorry: "Wir hatten {window} zugesagt und schaffen es nicht. Das tut uns leid.",
    why: "Grund:",
    causes: [
        "ein Halt vor Ihnen hat länger gedauert als geplant.",
        "der Weg hat länger gedauert als erwartet.",
        "der Verkehr ist langsamer als sonst.",
        "der Wagen musste an einem Halt warten.",
        "die Reihenfolge der Halte hat sich geändert.",
        "wir haben eine Weile nichts vom Wagen gehört.",
    ],
    suits: "Passt Ihnen die neue Zeit?",
    there: "Ja, ich bin da",
    safe_place: "An sicherem Ort ablegen",
    another_time: "Andere Zeit wählen",
    no_answer: "Keine Antwort? Wir kommen trotzdem zur neuen Zeit.",
    answered: "Ihre Antwort: {answer}",
    now: "jetzt",
    promised: "zugesagt {window}",
    expected: "erwartet",
    away: "noch {distance}",
    seen: "Position {age} alt",
    seconds: "{n} s",
    minutes: "{n} min",
    unseen: "Wir sehen den Wagen gerade nicht.",
    no_time: "Die Zeit steht noch nicht fest.",
    steps: ["Geplant", "Unterwegs", "Zugestellt"],
    not_made: "Wir konnten nicht zustellen. Der Absender meldet sich bei Ihnen.",
    order: "Auftrag {order}",
    instructions: "Türcode und Hinweise",
    hint: "Welche Tür, wo klingeln, wo parken",
    save: "Speichern",
    saved: "Gespeichert. Die Leitstelle sieht es.",
    how_was_it: "Wie war es?",
    ratings: ["Sehr schlecht", "Schlecht", "Mittel", "Gut", "Sehr gut"],
    comment: "Was war gut, was ging schief?",
    send: "Senden",
    call: "Fahrer anrufen",
    footer: "Diese Seite gilt bis 2 Stunden nach der Zustellung. Der Wagen ist nur zu sehen, solange er zu Ihnen unterwegs ist.",
    map: "Karte der Straßen um Ihre Adresse",
    offline: "Keine Verbindung. Stand von {time}.",
    gone: "Dieser Link gilt nicht",
    gone_detail: "Vielleicht ist er abgelaufen. Links enden 2 Stunden nach der Zustellung. Der Absender kann einen neuen schicken.",
    too_many: "Zu viele Versuche. Bitte in einer Minute wieder.",
};

const SPANISH: Words = Words {
    code: "es",
    rtl: false,
    weekdays: ["lun", "mar", "mié", "jue", "vie", "sáb", "dom"],
    stages: [
        "Planificado",
        "En reparto",
        "De camino, a tiempo",
        "A punto de llegar",
        "En su puerta",
        "La furgoneta estuvo allí",
        "Entregado",
        "No entregado",
        "No viene en esta ruta",
    ],
    late: "Más tarde de lo prometido",
    at_risk: "De camino, puede retrasarse",
    likely: "Lo más probable: {time}.",
    you_are_next: "Usted es la próxima parada.",
    stops_before: "Paradas antes de la suya: {n}.",
    appears: "La furgoneta aparece aquí cuando usted sea la próxima parada.",
    sorry: "Prometimos {window} y no llegaremos a tiempo. Lo sentimos.",
    why: "Motivo:",
    causes: [
        "una parada anterior duró más de lo previsto.",
        "el trayecto duró más de lo esperado.",
        "el tráfico es más lento de lo habitual.",
        "la furgoneta tuvo que esperar en una parada.",
        "el orden de las paradas ha cambiado.",
        "no tuvimos señal de la furgoneta durante un rato.",
    ],
    suits: "¿Le conviene la nueva hora?",
    there: "Sí, estaré",
    safe_place: "Dejarlo en un lugar seguro",
    another_time: "Elegir otra hora",
    no_answer: "¿Sin respuesta? Iremos igualmente a la nueva hora.",
    answered: "Su respuesta: {answer}",
    now: "ahora",
    promised: "prometido {window}",
    expected: "previsto",
    away: "a {distance}",
    seen: "posición de hace {age}",
    seconds: "{n} s",
    minutes: "{n} min",
    unseen: "Ahora no vemos la furgoneta.",
    no_time: "La hora aún no se conoce.",
    steps: ["Planificado", "De camino", "Entregado"],
    not_made: "No pudimos entregar. El remitente se pondrá en contacto.",
    order: "Pedido {order}",
    instructions: "Código de acceso e instrucciones",
    hint: "Qué puerta, dónde llamar, dónde aparcar",
    save: "Guardar",
    saved: "Guardado. La central lo ve.",
    how_was_it: "¿Qué tal fue?",
    ratings: ["Muy mal", "Mal", "Regular", "Bien", "Muy bien"],
    comment: "¿Qué fue bien, qué salió mal?",
    send: "Enviar",
    call: "Llamar al conductor",
    footer: "Esta página funciona hasta 2 horas después de la entrega. La furgoneta se muestra solo mientras va hacia usted.",
    map: "Mapa de las calles alrededor de su dirección",
    offline: "Sin conexión. Datos de las {time}.",
    gone: "Este enlace no funciona",
    gone_detail: "Puede haber caducado. Los enlaces terminan 2 horas después de la entrega. Pida otro al remitente.",
    too_many: "Demasiados intentos. Pruebe dentro de un minuto.",
};

const PORTUGUESE: Words = Words {
    code: "pt",
    rtl: false,
    weekdays: ["seg", "ter", "qua", "qui", "sex", "sáb", "dom"],
    stages: [
        "Planeado",
        "Em distribuição",
        "A caminho, dentro do prazo",
        "Quase a chegar",
        "À sua porta",
        "A carrinha esteve aí",
        "Entregue",
        "Não entregue",
        "Não vem nesta volta",
    ],
    late: "Mais tarde do que o prometido",
    at_risk: "A caminho, pode atrasar-se",
    likely: "Mais provável: {time}.",
    you_are_next: "É a próxima paragem.",
    stops_before: "Paragens antes da sua: {n}.",
    appears: "A carrinha aparece aqui quando for a próxima paragem.",
    sorry: "Prometemos {window} e não vamos cumprir. Pedimos desculpa.",
    why: "Motivo:",
    causes: [
        "uma paragem anterior demorou mais do que o previsto.",
        "o percurso demorou mais do que o esperado.",
        "o trânsito está mais lento do que o habitual.",
        "a carrinha teve de esperar numa paragem.",
        "a ordem das paragens mudou.",
        "estivemos algum tempo sem sinal da carrinha.",
    ],
    suits: "A nova hora serve-lhe?",
    there: "Sim, estarei cá",
    safe_place: "Deixar num local seguro",
    another_time: "Escolher outra hora",
    no_answer: "Sem resposta? Vamos na mesma à nova hora.",
    answered: "A sua resposta: {answer}",
    now: "agora",
    promised: "prometido {window}",
    expected: "previsto",
    away: "a {distance}",
    seen: "posição há {age}",
    seconds: "{n} s",
    minutes: "{n} min",
    unseen: "Neste momento não vemos a carrinha.",
    no_time: "A hora ainda não é conhecida.",
    steps: ["Planeado", "A caminho", "Entregue"],
    not_made: "Não conseguimos entregar. O remetente entrará em contacto.",
    order: "Encomenda {order}",
    instructions: "Código da porta e instruções",
    hint: "Que porta, onde tocar, onde estacionar",
    save: "Guardar",
    saved: "Guardado. A central vê.",
    how_was_it: "Como correu?",
    ratings: ["Muito mal", "Mal", "Razoável", "Bem", "Muito bem"],
    comment: "O que correu bem, o que correu mal?",
    send: "Enviar",
    call: "Ligar ao motorista",
    footer: "Esta página funciona até 2 horas após a entrega. A carrinha só é mostrada enquanto vai a caminho de si.",
    map: "Mapa das ruas à volta da sua morada",
    offline: "Sem ligação. Dados das {time}.",
    gone: "Este link não funciona",
    gone_detail: "Pode ter expirado. Os links terminam 2 horas após a entrega. Peça outro ao remetente.",
    too_many: "Demasiadas tentativas. Tente dentro de um minuto.",
};

const FRENCH: Words = Words {
    code: "fr",
    rtl: false,
    weekdays: ["lun.", "mar.", "mer.", "jeu.", "ven.", "sam.", "dim."],
    stages: [
        "Planifié",
        "En cours de livraison",
        "En route vers vous, à l’heure",
        "Arrive à l’instant",
        "Devant chez vous",
        "Le véhicule est passé",
        "Livré",
        "Non livré",
        "Ne passe pas lors de cette tournée",
    ],
    late: "Plus tard que promis",
    at_risk: "En route, retard possible",
    likely: "Le plus probable : {time}.",
    you_are_next: "Vous êtes le prochain arrêt.",
    stops_before: "Arrêts avant le vôtre : {n}.",
    appears: "Le véhicule apparaît ici quand vous êtes le prochain arrêt.",
    sorry: "Nous avions promis {window} et ne tiendrons pas. Nous en sommes désolés.",
    why: "Raison :",
    causes: [
        "un arrêt avant le vôtre a duré plus que prévu.",
        "le trajet a duré plus que prévu.",
        "la circulation est plus lente que d’habitude.",
        "le véhicule a dû attendre à un arrêt.",
        "l’ordre des arrêts a changé.",
        "nous étions un moment sans nouvelles du véhicule.",
    ],
    suits: "La nouvelle heure vous convient-elle ?",
    there: "Oui, je serai là",
    safe_place: "Déposer en lieu sûr",
    another_time: "Choisir une autre heure",
    no_answer: "Pas de réponse ? Nous venons quand même à la nouvelle heure.",
    answered: "Votre réponse : {answer}",
    now: "maintenant",
    promised: "promis {window}",
    expected: "prévu",
    away: "à {distance}",
    seen: "position d’il y a {age}",
    seconds: "{n} s",
    minutes: "{n} min",
    unseen: "Nous ne voyons pas le véhicule en ce moment.",
    no_time: "L’heure n’est pas encore connue.",
    steps: ["Planifié", "En route", "Livré"],
    not_made: "Nous n’avons pas pu livrer. L’expéditeur vous contactera.",
    order: "Commande {order}",
    instructions: "Code d’entrée et consignes",
    hint: "Quelle porte, où sonner, où se garer",
    save: "Enregistrer",
    saved: "Enregistré. Le dispatching le voit.",
    how_was_it: "Comment était-ce ?",
    ratings: ["Très mauvais", "Mauvais", "Moyen", "Bien", "Très bien"],
    comment: "Qu’est-ce qui a plu, qu’est-ce qui n’allait pas ?",
    send: "Envoyer",
    call: "Appeler le chauffeur",
    footer: "Cette page fonctionne jusqu’à 2 heures après la livraison. Le véhicule n’est montré que lorsqu’il vient vers vous.",
    map: "Plan des rues autour de votre adresse",
    offline: "Pas de connexion. Situation de {time}.",
    gone: "Ce lien ne fonctionne pas",
    gone_detail: "Il a peut-être expiré. Les liens prennent fin 2 heures après la livraison. Demandez-en un nouveau à l’expéditeur.",
    too_many: "Trop d’essais. Réessayez dans une minute.",
};

const ARABIC: Words = Words {
    code: "ar",
    rtl: true,
    weekdays: ["الاثنين", "الثلاثاء", "الأربعاء", "الخميس", "الجمعة", "السبت", "الأحد"],
    stages: [
        "مجدول",
        "خرج للتوصيل",
        "في الطريق إليك، في الموعد",
        "على وشك الوصول",
        "عند بابك",
        "مرّت المركبة بالعنوان",
        "تم التسليم",
        "لم يتم التسليم",
        "لن تأتي في هذه الجولة",
    ],
    late: "أبعد من الموعد المحدد",
    at_risk: "في الطريق، وقد تتأخر",
    likely: "الأرجح {time}.",
    you_are_next: "أنت المحطة التالية.",
    stops_before: "محطات قبلك: {n}.",
    appears: "تظهر المركبة هنا عندما تكون أنت المحطة التالية.",
    sorry: "وعدنا بالموعد {window} ولن نلتزم به. نعتذر لك.",
    why: "السبب:",
    causes: [
        "استغرقت محطة قبلك وقتًا أطول من المخطط.",
        "استغرق الطريق وقتًا أطول من المتوقع.",
        "حركة المرور أبطأ من المعتاد.",
        "اضطرت المركبة إلى الانتظار في إحدى المحطات.",
        "تغيّر ترتيب المحطات.",
        "لم تصلنا إشارة من المركبة لفترة.",
    ],
    suits: "هل يناسبك الموعد الجديد؟",
    there: "نعم، سأكون موجودًا",
    safe_place: "اتركوه في مكان آمن",
    another_time: "اختيار وقت آخر",
    no_answer: "بدون رد؟ سنأتي في الموعد الجديد.",
    answered: "ردّك: {answer}",
    now: "الآن",
    promised: "الموعد المحدد {window}",
    expected: "المتوقع",
    away: "على بُعد {distance}",
    seen: "عمر الموقع {age}",
    seconds: "{n} ث",
    minutes: "{n} د",
    unseen: "لا نرى المركبة الآن.",
    no_time: "الوقت غير معروف بعد.",
    steps: ["مجدول", "في الطريق", "تم التسليم"],
    not_made: "تعذّر التسليم. سيتواصل معك المرسل.",
    order: "الطلب {order}",
    instructions: "رمز البوابة والتعليمات",
    hint: "أي باب، أين الجرس، أين الوقوف",
    save: "حفظ",
    saved: "تم الحفظ. يراه مركز التوزيع.",
    how_was_it: "كيف كانت التجربة؟",
    ratings: ["سيئة جدًا", "سيئة", "مقبولة", "جيدة", "جيدة جدًا"],
    comment: "ما الذي أعجبك، وما الذي لم ينجح؟",
    send: "إرسال",
    call: "الاتصال بالسائق",
    footer: "تعمل هذه الصفحة حتى ساعتين بعد التسليم. لا تظهر المركبة إلا وهي في طريقها إليك.",
    map: "خريطة الشوارع حول عنوانك",
    offline: "لا يوجد اتصال. كان هذا معروفًا عند {time}.",
    gone: "هذا الرابط لا يعمل",
    gone_detail: "ربما انتهت صلاحيته. تنتهي الروابط بعد ساعتين من التسليم. اطلب رابطًا جديدًا من المرسل.",
    too_many: "محاولات كثيرة. حاول بعد دقيقة.",
};

#[cfg(test)]
mod tests {
    use super::*;

    /// Names in braces, in order of the alphabet.
    fn places(sentence: &str) -> Vec<&str> {
        let mut found: Vec<&str> =
            sentence.split('{').skip(1).filter_map(|rest| rest.split('}').next()).collect();
        found.sort_unstable();
        found
    }

    #[test]
    fn every_language_fills_the_same_places() {
        let sentences = |words: &'static Words| {
            [
                words.likely,
                words.stops_before,
                words.sorry,
                words.answered,
                words.promised,
                words.away,
                words.seen,
                words.seconds,
                words.minutes,
                words.order,
                words.offline,
            ]
        };
        for words in ALL {
            for (own, english) in sentences(words).iter().zip(sentences(&ENGLISH)) {
                assert_eq!(places(own), places(english), "{}: {own}", words.code);
            }
        }
    }

    #[test]
    fn the_language_is_the_one_asked_for_or_the_best_that_is_spoken() {
        let accepting = |value: &'static str| {
            let mut headers = HeaderMap::new();
            headers.insert(header::ACCEPT_LANGUAGE, value.parse().unwrap());
            headers
        };
        let check = |asked, value, expected| {
            assert_eq!(chosen(asked, &accepting(value)).code, expected, "{value}");
        };
        check(None, "fi, de-AT;q=0.7, fr;q=0.9", "fr");
        check(Some("ar"), "de", "ar");
        check(Some("xx"), "pt-BR", "pt");
        check(None, "de;q=0, *", "en");
    }
}
