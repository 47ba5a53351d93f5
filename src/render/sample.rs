//! Invented digests for tests: a rich one in many scripts, a small one, an empty one, and one with the same text in
//! every field.

use crate::model::{
    ActivityId, ActivityKind, Balance, BuilderId, Correction, Credited, Digest, DigestState, Group, Outcome, OutcomeCode, Pick, Reason,
    ReasonTerm, Section, Seq, Upcoming, WeekSupply,
};

use super::Context;

/// Texts that try to become more than text.
pub(crate) const HOSTILE: &[&str] = &[
    "\"><img src=x onerror=MARK()>",
    "' onmouseover='MARK()",
    "\" onmouseover=\"MARK()",
    "<script>MARK()</script>",
    "</title><script>MARK()</script>",
    "</style><script>MARK()</script>",
    "&lt;img src=x onerror=MARK()&gt;",
    "&amp;lt;script&amp;gt;MARK()&amp;lt;/script&amp;gt;",
    "<svg><a><set attributeName=\"href\" to=\"javascript:MARK()\"/><text y=\"20\">x</text></a></svg>",
    "javascript:MARK()",
    "]]><script>MARK()</script>",
    "--><script>MARK()</script>",
    "{{ 7 * 7 }} {% raw %}",
    "`${MARK()}`",
    "\u{202E}reversed\u{2066}",
    "a\0b\u{FFFE}c\u{1F}",
];

pub(crate) fn builder(id: i64, name: &str) -> Credited {
    Credited {
        id: BuilderId(id),
        slug: format!("member-{id}"),
        name: name.into(),
        region: "SECRET-REGION".into(),
        category: "serverless".into(),
        country: None,
        handles: std::collections::BTreeMap::new(),
        active: true,
        not_featured: false,
        not_public: false,
    }
}

fn from(country: &str, builder: Credited) -> Credited {
    Credited { country: Some(country.into()), ..builder }
}

fn pick(number: u32, kind: ActivityKind, language: &str, title: &str, summary: &str, builders: Vec<Credited>) -> Pick {
    let work = ActivityId::of_key(&format!("work {number}"));
    Pick {
        members: vec![work.clone()],
        work,
        title: title.into(),
        title_gloss: None,
        language: Some(language.into()).filter(|language: &String| !language.is_empty()),
        kind,
        duration_s: matches!(kind, ActivityKind::Video | ActivityKind::Talk | ActivityKind::PodcastEpisode).then_some(number * 340),
        words: (kind == ActivityKind::Article).then_some(number * 410),
        url: format!("https://blog-{number}.example/posts/{number}?page=1&view=full"),
        also: Vec::new(),
        published_at: Some(format!("2026-11-{}T09:30:00Z", 15 + number % 7 + 1).parse().unwrap()),
        builders,
        category: "serverless".into(),
        region: "SECRET-REGION".into(),
        services: vec!["AWS Lambda".into()],
        summary: Some(summary.into()).filter(|summary: &String| !summary.is_empty()),
        summary_source: "author".into(),
        social: std::collections::BTreeMap::new(),
        removed: None,
        lead: false,
        round: number,
        quality: 640,
        substance: 700,
        response: 580,
        gain: 790,
        reasons: vec![Reason { term: ReasonTerm::Turn, points: 150, text: "SECRET-REASON never featured before".into() }],
    }
}

fn coming(number: u32, kind: ActivityKind, language: &str, title: &str, starts_at: &str, builders: Vec<Credited>) -> Upcoming {
    Upcoming {
        activity: ActivityId::of_key(&format!("coming {number}")),
        title: title.into(),
        language: Some(language.into()),
        kind,
        url: format!("https://meet-{number}.example/events/{number}"),
        starts_at: starts_at.parse().unwrap(),
        builders,
    }
}

fn section(category: &str, name: &str, picks: Vec<Pick>) -> Section {
    let picks = picks.into_iter().map(|pick| Pick { category: category.into(), ..pick }).collect();
    Section { category: category.into(), name: name.into(), intro: None, picks }
}

fn digest(sections: Vec<Section>) -> Digest {
    Digest {
        week: "2026-W47".parse().unwrap(),
        program: "Lantern Builders".into(),
        cutoff_at: "2026-11-23T06:00:00Z".parse().unwrap(),
        cutoff_seq: Seq(48_120),
        late_finds_after: "2026-11-16T06:00:00Z".parse().unwrap(),
        late: false,
        config_hash: "3f2a9c0d4b5e6f708192a3b4c5d6e7f8".repeat(2),
        rules_version: 1,
        intro: None,
        sections,
        coming_up: Vec::new(),
        outcomes: vec![Outcome {
            work: ActivityId::of_key("left out"),
            members: vec![ActivityId::of_key("left out")],
            title: "Left out".into(),
            url: None,
            builders: vec![BuilderId(99)],
            code: OutcomeCode::NoPlace,
            text: "SECRET-OUTCOME 40 points short of the last place".into(),
            quality: 500,
            gain: Some(550),
            short: Some(40),
            reasons: Vec::new(),
        }],
        balance: Balance {
            categories: vec![Group {
                key: "serverless".into(),
                name: "Serverless".into(),
                target: 130,
                owed: 900,
                had: 12,
                picked: 2,
                supply: 31_500,
            }],
            regions: Vec::new(),
        },
        supply: WeekSupply::default(),
        eligible_works: 214,
        nominees: 187,
    }
}

/// Twelve works by people with names of many scripts, some titles long, some hostile.
#[expect(clippy::too_many_lines, reason = "a week, written out")]
pub(crate) fn rich() -> Digest {
    use ActivityKind as K;
    let mut lead = pick(
        5,
        K::Video,
        "ja",
        "サーバーレスで作る全国気象データの配信基盤：設計から運用まで",
        "全国1,300地点の観測データを5分ごとに配信する仕組みを、設計の失敗談も交えて紹介します。",
        vec![from("JP", builder(1, "田中 太郎"))],
    );
    lead.lead = true;
    lead.title_gloss = Some("Serving nationwide weather data without servers: from design to operation".into());
    let mut companions = pick(
        4,
        K::Article,
        "pt-BR",
        "Filas, repetições e idempotência: o que aprendi processando 2 milhões de pagamentos",
        "Três incidentes, três causas diferentes e a pequena tabela que hoje impede que um pagamento seja cobrado duas vezes.",
        vec![from("BR", builder(2, "Nguyễn Thị Minh Khai")), from("TR", builder(3, "Şükrü Özgür")), builder(4, "O’Connor")],
    );
    companions.also = vec!["https://www.dev.to/khai/filas".into(), "javascript:MARK()".into(), "https://youtu.be/abcdefghijk".into()];
    let arabic = pick(
        6,
        K::Article,
        "ar",
        "كيف خفّضنا تكلفة قواعد البيانات إلى النصف دون توقف الخدمة",
        "تجربة عملية في نقل قاعدة بيانات بحجم 4 TB إلى خوادم أصغر، مع القياسات قبل النقل وبعده.",
        vec![from("SA", builder(5, "محمد العتيبي"))],
    );
    let chinese = pick(
        7,
        K::Article,
        "zh-CN",
        "用一张表实现多租户权限：DynamoDB 单表设计的取舍",
        "单表设计不是目的。本文比较了三种建模方式在真实流量下的成本、延迟与可维护性，并给出了选择它们的简单标准。",
        vec![builder(6, "王小明")],
    );
    let hebrew_in_english = pick(
        8,
        K::Talk,
        "en",
        "Reading שלום from a stream: bidirectional text in terminals, logs and mails",
        "Why a right-to-left name can turn a whole log line around, and the two characters that stop it.",
        vec![from("IL", builder(7, "נועה לוי"))],
    );
    let long = pick(
        9,
        K::Article,
        "en",
        &format!(
            "A very thorough look at every single retry policy that we tried in four years of running a queue, {}",
            "and then some more, ".repeat(12)
        ),
        &"This summary goes on and on, since feeds often give the whole text of a post where a summary should be. ".repeat(6),
        vec![from("NG", builder(8, "Oluwaseun Adebayo-Richardson of the Very Long Family Name That Fills Ninety Characters Wide"))],
    );
    let hostile = pick(
        3,
        K::Article,
        "en",
        "\"><img src=x onerror=MARK()> evil) [win](http://bad.example) \u{202E}gnorw",
        "<script>MARK()</script> &amp; @everyone # not a heading",
        vec![builder(9, "<b>Bobby</b>")],
    );
    let mut no_link =
        pick(2, K::Release, "", "queue-tools 2.0", "Batches are acknowledged one by one. Needs Rust 1.90.", vec![builder(10, "Mononym")]);
    no_link.url = "javascript:MARK()".into();
    let hindi = pick(
        10,
        K::PodcastEpisode,
        "hi",
        "क्लाउड की लागत समझना",
        "पहली बार बिल देखने वालों के लिए।",
        vec![from("IN", builder(11, "प्रिया शर्मा"))],
    );
    let thai = pick(11, K::Video, "th", "เริ่มต้นกับ Step Functions ใน 1 ชั่วโมง", "", vec![from("TH", builder(12, "สมชาย ใจดี"))]);
    let emoji = pick(
        1,
        K::Article,
        "en",
        "👩‍👩‍👧‍👦 Four accounts, one bill 🇳🇬",
        "What a family taught me about organizing accounts.",
        vec![builder(13, "🦉 Owl")],
    );
    let mut undated = pick(
        12,
        K::Repository,
        "de",
        "Infrastruktur als Zeichnung",
        "Ein Werkzeug, das aus Vorlagen Pläne malt.",
        vec![builder(14, "Jörg Groß")],
    );
    undated.published_at = None;
    Digest {
        coming_up: vec![
            coming(
                1,
                ActivityKind::Talk,
                "en",
                "Queues that forget nothing",
                "2026-12-01T17:00:00Z",
                vec![from("NG", builder(15, "Ngozi Eze"))],
            ),
            coming(
                2,
                ActivityKind::Event,
                "ar",
                "لقاء المطورين: الرسائل والطوابير",
                "2026-12-09T16:30:00Z",
                vec![from("SA", builder(5, "محمد العتيبي"))],
            ),
        ],
        intro: Some("A week of migrations: three teams moved something large, and nobody was woken up for it.".into()),
        ..digest(vec![
            section("serverless", "Serverless", vec![companions, lead, thai]),
            section("databases", "Databases", vec![arabic, chinese, hostile]),
            section("community", "Community & Culture", vec![hebrew_in_english, emoji, hindi]),
            section("devops", "Development and Operations", vec![long, no_link, undated]),
            section("empty", "Nobody here", Vec::new()),
        ])
    }
}

/// One plain work.
pub(crate) fn small() -> Digest {
    let mut pick = pick(
        1,
        ActivityKind::Article,
        "en",
        "One plain post",
        "What it says in one sentence.",
        vec![from("KE", builder(1, "Ada Lovelace"))],
    );
    pick.url = "https://blog.example/one".into();
    digest(vec![section("serverless", "Serverless", vec![pick])])
}

/// A week without works.
pub(crate) fn empty() -> Digest {
    Digest { eligible_works: 0, nominees: 0, ..digest(Vec::new()) }
}

/// The same text in every field that comes from outside.
pub(crate) fn full(text: &str) -> Digest {
    let mut digest = rich();
    digest.program = text.into();
    digest.intro = Some(text.into());
    digest.config_hash = text.into();
    for section in &mut digest.sections {
        section.name = text.into();
        section.category = text.into();
        for pick in &mut section.picks {
            pick.title = text.into();
            pick.title_gloss = Some(format!("{text} gloss"));
            pick.summary = Some(text.into());
            pick.summary_source = text.into();
            pick.language = Some(text.into());
            pick.url = format!("https://ok.example/{text}?q={text}#{text}");
            pick.also = vec![text.into(), format!("https://ok.example/{text}")];
            pick.category = text.into();
            pick.services = vec![text.into()];
            for builder in &mut pick.builders {
                builder.name = text.into();
                builder.slug = text.into();
                builder.country = Some(text.into());
                builder.handles = [("x".to_owned(), text.to_owned())].into();
            }
        }
    }
    for coming in &mut digest.coming_up {
        coming.title = text.into();
        coming.language = Some(text.into());
        coming.url = format!("https://ok.example/{text}?q={text}#{text}");
        for builder in &mut coming.builders {
            builder.name = text.into();
            builder.slug = text.into();
            builder.country = Some(text.into());
        }
    }
    // What a well-formed language, country and slug add, so that a plain text shows every element there is.
    let pick = &mut digest.sections[1].picks[0];
    pick.language = Some("en".into());
    pick.builders[0].country = Some("KE".into());
    pick.builders[0].slug = "ada".into();
    digest.coming_up[0].language = Some("en".into());
    digest.coming_up[0].builders[0].country = Some("KE".into());
    digest
}

/// Published, with corrections.
pub(crate) fn context() -> Context {
    Context {
        program: "Lantern Builders".into(),
        tagline: "What our members made this week.".into(),
        contact: "digest@lantern.example".into(),
        postal: "Lantern Program, 1 Harbor Road, Mombasa".into(),
        public_url: "https://digest.example".into(),
        state: DigestState::Published,
        published_at: Some("2026-11-24T10:00:00Z".parse().unwrap()),
        corrections: corrections(),
        earlier_corrections: vec![Correction {
            week: "2026-W45".parse().unwrap(),
            at: "2026-11-17T12:00:00Z".parse().unwrap(),
            text: "The talk on queues was given by Ngozi Eze alone.".into(),
        }],
        edition: 1,
        supersedes: None,
        edit_hash: None,
        list_id: None,
        unsubscribe: Vec::new(),
        from: None,
        test: None,
        utm: false,
        social: crate::config::SocialConfig::default(),
        feed_host: None,
        week_hosts: std::collections::BTreeMap::new(),
    }
}

/// One correction of 2026-W47.
pub(crate) fn corrections() -> Vec<Correction> {
    vec![Correction {
        week: "2026-W47".parse().unwrap(),
        at: "2026-11-25T08:00:00Z".parse().unwrap(),
        text: "The video by 田中 太郎 is 28 minutes long, not 12.".into(),
    }]
}

/// The same text in every setting.
pub(crate) fn hostile_context(text: &str) -> Context {
    let mut ctx = context();
    ctx.program = text.into();
    ctx.tagline = text.into();
    ctx.contact = if text == "plain" { ctx.contact } else { text.into() };
    ctx.postal = text.into();
    ctx.corrections[0].text = text.into();
    ctx.earlier_corrections[0].text = text.into();
    ctx.list_id = Some("weekly.digest.example".into());
    ctx.unsubscribe = vec!["https://digest.example/unsubscribe".into(), format!("mailto:{text}")];
    ctx
}
