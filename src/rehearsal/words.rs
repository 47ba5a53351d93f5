//! What the invented members write: titles, summaries and bodies, put together from parts by a stream of numbers.
//!
//! Parts are short and combined freely, so that two pieces of one person share a voice and hardly a run of five words.

use super::number::Numbers;

/// A subject: a service, and what is said around it.
#[derive(Debug)]
pub(super) struct Topic {
    /// The full name, as in documentation.
    pub(super) service: &'static str,
    /// The name that people use in titles.
    pub(super) short: &'static str,
    pub(super) tags: &'static [&'static str],
    /// The key of the program's category that it belongs to.
    pub(super) category: &'static str,
    /// The primary source that pieces on it cite.
    pub(super) documentation: &'static str,
    /// What people have there, in English.
    things: &'static [&'static str],
    code: &'static str,
}

macro_rules! topic {
    ($category:literal, $service:literal, $short:literal, $tags:expr, $doc:literal, $things:expr, $code:literal) => {
        Topic {
            service: $service,
            short: $short,
            tags: &$tags,
            category: $category,
            documentation: concat!("https://docs.aws.amazon.com/", $doc, "/"),
            things: &$things,
            code: $code,
        }
    };
}

pub(super) const TOPICS: &[Topic] = &[
    topic!(
        "app_dev",
        "AWS Lambda",
        "Lambda",
        ["lambda", "serverless"],
        "lambda/latest/dg",
        ["functions", "layers", "cold starts", "event payloads"],
        "def handler(event, context):\n    return {\"warm\": True, \"items\": len(event[\"Records\"])}"
    ),
    topic!(
        "app_dev",
        "AWS Step Functions",
        "Step Functions",
        ["stepfunctions", "serverless"],
        "step-functions/latest/dg",
        ["state machines", "retry rules", "map states", "task tokens"],
        "{\n  \"StartAt\": \"Weigh\",\n  \"States\": { \"Weigh\": { \"Type\": \"Pass\", \"End\": true } }\n}"
    ),
    topic!(
        "app_dev",
        "Amazon EventBridge",
        "EventBridge",
        ["eventbridge", "serverless"],
        "eventbridge/latest/userguide",
        ["event buses", "rules", "archives", "schedules"],
        "{ \"source\": [\"ferry.bookings\"], \"detail-type\": [\"SeatTaken\"] }"
    ),
    topic!(
        "app_dev",
        "Amazon SQS",
        "SQS",
        ["sqs", "serverless"],
        "AWSSimpleQueueService/latest/SQSDeveloperGuide",
        ["queues", "dead letters", "visibility timeouts", "batches"],
        "aws sqs receive-message --queue-url \"$QUEUE\" --wait-time-seconds 20"
    ),
    topic!(
        "databases",
        "Amazon DynamoDB",
        "DynamoDB",
        ["dynamodb", "nosql"],
        "amazondynamodb/latest/developerguide",
        ["partition keys", "streams", "sparse indexes", "counters"],
        "aws dynamodb query --table-name tides \\\n  --key-condition-expression 'pk = :harbor'"
    ),
    topic!(
        "databases",
        "Amazon Aurora",
        "Aurora",
        ["aurora", "postgres"],
        "AmazonRDS/latest/AuroraUserGuide",
        ["replicas", "slow queries", "connection pools", "failovers"],
        "select harbor, max(level) from tides group by harbor;"
    ),
    topic!(
        "databases",
        "Amazon ElastiCache",
        "ElastiCache",
        ["elasticache", "redis"],
        "AmazonElastiCache/latest/dg",
        ["cache keys", "evictions", "shards", "sorted sets"],
        "ZADD boats:late 17 \"ferry-4\""
    ),
    topic!(
        "containers",
        "Amazon EKS",
        "EKS",
        ["eks", "kubernetes"],
        "eks/latest/userguide",
        ["node groups", "pods", "admission hooks", "upgrades"],
        "kubectl get pods --field-selector status.phase=Pending"
    ),
    topic!(
        "containers",
        "Amazon ECS",
        "ECS",
        ["ecs", "containers"],
        "AmazonECS/latest/developerguide",
        ["task definitions", "services", "health checks", "sidecars"],
        "aws ecs update-service --cluster quay --service ferry --desired-count 3"
    ),
    topic!(
        "containers",
        "AWS Fargate",
        "Fargate",
        ["fargate", "containers"],
        "AmazonECS/latest/developerguide",
        ["small tasks", "spot capacity", "image pulls", "log drivers"],
        "cpu: 256\nmemory: 512\nruntimePlatform: ARM64"
    ),
    topic!(
        "security",
        "AWS IAM",
        "IAM",
        ["iam", "security"],
        "IAM/latest/UserGuide",
        ["policies", "role chains", "session tags", "unused permissions"],
        "{ \"Effect\": \"Deny\", \"Action\": \"*\", \"Resource\": \"*\" }"
    ),
    topic!(
        "security",
        "AWS KMS",
        "KMS",
        ["kms", "encryption"],
        "kms/latest/developerguide",
        ["key policies", "grants", "aliases", "rotations"],
        "aws kms encrypt --key-id alias/quay --plaintext fileb://note.txt"
    ),
    topic!(
        "security",
        "Amazon GuardDuty",
        "GuardDuty",
        ["guardduty", "security"],
        "guardduty/latest/ug",
        ["findings", "suppression rules", "trusted lists", "alerts"],
        "fields @timestamp, type | filter severity > 6"
    ),
    topic!(
        "devops",
        "AWS CDK",
        "CDK",
        ["cdk", "iac"],
        "cdk/v2/guide",
        ["constructs", "stacks", "snapshot tests", "aspects"],
        "new Stack(app, 'Quay', { terminationProtection: true });"
    ),
    topic!(
        "devops",
        "Amazon CloudWatch",
        "CloudWatch",
        ["cloudwatch", "observability"],
        "AmazonCloudWatch/latest/monitoring",
        ["alarms", "metrics", "dashboards", "log groups"],
        "stats pct(@duration, 99) by bin(5m)"
    ),
    topic!(
        "devops",
        "AWS CodeBuild",
        "CodeBuild",
        ["codebuild", "cicd"],
        "codebuild/latest/userguide",
        ["build caches", "buildspecs", "test reports", "slow pipelines"],
        "phases:\n  build:\n    commands:\n      - make check"
    ),
    topic!(
        "ai_ml",
        "Amazon Bedrock",
        "Bedrock",
        ["bedrock", "genai"],
        "bedrock/latest/userguide",
        ["prompts", "guardrails", "embeddings", "evaluations"],
        "response = client.converse(modelId=model, messages=turns)"
    ),
    topic!(
        "ai_ml",
        "Amazon SageMaker",
        "SageMaker",
        ["sagemaker", "mlops"],
        "sagemaker/latest/dg",
        ["training jobs", "endpoints", "feature groups", "notebooks"],
        "estimator.fit({\"train\": \"s3://quay-data/train\"})"
    ),
    topic!(
        "analytics",
        "Amazon Athena",
        "Athena",
        ["athena", "datalake"],
        "athena/latest/ug",
        ["partitions", "queries", "views", "scan costs"],
        "select day, count(*) from arrivals where harbor = 'north' group by day"
    ),
    topic!(
        "analytics",
        "Amazon Kinesis",
        "Kinesis",
        ["kinesis", "streaming"],
        "streams/latest/dev",
        ["shards", "consumers", "late records", "windows"],
        "aws kinesis describe-stream-summary --stream-name arrivals"
    ),
    topic!(
        "storage",
        "Amazon S3",
        "S3",
        ["s3", "storage"],
        "AmazonS3/latest/userguide",
        ["buckets", "lifecycle rules", "old versions", "inventories"],
        "aws s3api list-object-versions --bucket quay-archive --max-items 5"
    ),
    topic!(
        "storage",
        "Amazon EFS",
        "EFS",
        ["efs", "storage"],
        "efs/latest/ug",
        ["mount targets", "throughput", "access points", "small files"],
        "sudo mount -t efs -o tls fs-quay:/ /srv/shared"
    ),
    topic!(
        "networking",
        "Amazon CloudFront",
        "CloudFront",
        ["cloudfront", "cdn"],
        "AmazonCloudFront/latest/DeveloperGuide",
        ["cache policies", "edge functions", "origins", "stale pages"],
        "function handler(event) {\n  return event.request;\n}"
    ),
    topic!(
        "networking",
        "Amazon Route 53",
        "Route 53",
        ["route53", "dns"],
        "Route53/latest/DeveloperGuide",
        ["health checks", "private zones", "weighted records", "resolver rules"],
        "dig +short quay.example AAAA"
    ),
    topic!(
        "networking",
        "Amazon VPC",
        "VPC",
        ["vpc", "networking"],
        "vpc/latest/userguide",
        ["subnets", "endpoints", "route tables", "flow logs"],
        "aws ec2 describe-vpc-endpoints --filters Name=state,Values=available"
    ),
    topic!(
        "iot_edge",
        "AWS IoT Core",
        "IoT Core",
        ["iot", "mqtt"],
        "iot/latest/developerguide",
        ["device shadows", "topic rules", "certificates", "sensors"],
        "mosquitto_pub -t harbor/tide -m '{\"level\": 2.1}'"
    ),
    topic!(
        "architecture",
        "Amazon EC2",
        "EC2",
        ["ec2", "costoptimization"],
        "AWSEC2/latest/UserGuide",
        ["spot fleets", "launch templates", "idle instances", "placement groups"],
        "aws ec2 describe-instances --filters Name=instance-state-name,Values=running"
    ),
];

/// A language and its parts. `{s}` is the service, `{t}` another one, `{x}` a thing, `{n}` and `{m}` numbers.
#[derive(Debug)]
struct Tongue {
    code: &'static str,
    titles: &'static [&'static str],
    summaries: &'static [&'static str],
    headings: &'static [&'static str],
    openers: &'static [&'static str],
    middles: &'static [&'static str],
    ends: &'static [&'static str],
    source: &'static str,
    /// What people have; empty where the topic's own words are taken.
    things: &'static [&'static str],
    /// Between two parts, and after a sentence.
    gap: &'static str,
    stop: &'static str,
}

const TONGUES: &[Tongue] = &[
    Tongue {
        code: "en",
        titles: &[
            "What {n} days of {x} taught us about {s}",
            "{s} {x} without surprises",
            "Moving {x} from {t} to {s}, step by step",
            "A small guide to {s} {x}",
            "Why we stopped worrying about {x} in {s}",
            "{s} and {t}: who should own the {x}?",
            "Debugging {x} in {s} at three in the morning",
            "How {x} halved our {s} bill",
            "Testing {s} {x} on a laptop",
            "The day our {s} {x} went missing",
            "{n} mistakes with {x}, and what {s} does about them",
            "From spreadsheet to {s}: {x} for a ferry company",
            "Reading {s} {x} like a log book",
            "{x} at the edge of {s}: notes from a workshop",
        ],
        summaries: &[
            "How we changed {x} in {s} over {n} days, what it cost, and which parts we would leave alone next time.",
            "A walk through {s} with {x} from a real ferry timetable: the plan, the numbers, the part that failed.",
            "Notes on {x}: where {s} helps, where {t} is the better place, and how to measure the difference yourself.",
            "Short and practical: {x} in {s}, with a test that you can run before you believe any of it.",
        ],
        headings: &["Where we began", "What we measured", "The part that failed", "What we would do again", "Costs", "A test you can run"],
        openers: &[
            "In the first week",
            "After a quiet month",
            "Before the summer timetable",
            "On a rainy Tuesday",
            "With {n} users waiting",
            "Against good advice",
            "Once the old script died",
            "Halfway through the project",
            "When traffic doubled",
            "To our surprise",
            "As a first try",
            "Following the documentation",
        ],
        middles: &[
            "we moved {x} into {s}",
            "I counted {n} {x} by hand",
            "our team rebuilt {x} around {s}",
            "{t} handed its work to {s}",
            "nobody had an owner for the {x}",
            "we wrote {m} tests for {s}",
            "the {x} grew past {n}",
            "I drew the whole path from {t} to {s}",
            "two colleagues reviewed every one of the {x}",
            "{s} answered in {n} milliseconds",
            "we gave {x} a budget of {n} dollars",
            "a single setting of {s} changed everything",
        ],
        ends: &[
            "and the alarms went quiet",
            "which cost us {m} hours",
            "because the timetable changes every Monday",
            "so that anyone on call could follow",
            "and p99 fell below {n} milliseconds",
            "although {t} looked simpler on paper",
            "until the next deployment undid it",
            "and we kept the old way for {m} weeks",
            "which is less than it sounds",
            "so the bill shrank by {m} percent",
            "and I would do it again",
            "but only after reading the limits twice",
        ],
        source: "The documentation of {f} says it in full",
        things: &[],
        gap: " ",
        stop: ".",
    },
    Tongue {
        code: "pt",
        titles: &[
            "O que {n} dias com {x} nos ensinaram sobre {s}",
            "{s} na prática: {x} sem sustos",
            "Como levamos {x} do {t} para o {s}",
            "Um guia curto de {s} para quem cuida de {x}",
            "{n} erros com {x} e como o {s} ajuda",
            "Testando {x} no {s} antes da segunda-feira",
        ],
        summaries: &[
            "Como mudamos {x} no {s} em {n} dias, quanto custou e o que deixaríamos como estava na próxima vez.",
            "Um passeio pelo {s} com {x} de uma empresa de balsas: o plano, os números e a parte que falhou.",
        ],
        headings: &["De onde partimos", "O que medimos", "O que falhou", "Custos"],
        openers: &[
            "Na primeira semana",
            "Depois de um mês calmo",
            "Antes do verão",
            "Com {n} pessoas na fila",
            "Seguindo a documentação",
            "Para nossa surpresa",
        ],
        middles: &[
            "levamos {x} para o {s}",
            "contei {n} casos à mão",
            "a equipe refez {x} em torno do {s}",
            "o {t} entregou o trabalho ao {s}",
            "escrevemos {m} testes",
            "uma única opção do {s} mudou tudo",
        ],
        ends: &[
            "e os alarmes se calaram",
            "o que nos custou {m} horas",
            "porque o horário muda toda segunda",
            "e a conta caiu {m} por cento",
            "embora o {t} parecesse mais simples",
            "e eu faria tudo de novo",
        ],
        source: "A documentação do {f} explica tudo",
        things: &["as filas", "os alarmes", "as permissões", "os relatórios", "os ambientes de teste", "as cópias de segurança"],
        gap: " ",
        stop: ".",
    },
    Tongue {
        code: "es",
        titles: &[
            "Lo que {n} días con {x} nos enseñaron sobre {s}",
            "{s} sin sobresaltos: {x} paso a paso",
            "Cómo pasamos {x} de {t} a {s}",
            "Una guía breve de {s} para quien cuida {x}",
            "{n} errores con {x} y qué hace {s} con ellos",
            "Probar {x} en {s} desde el portátil",
        ],
        summaries: &[
            "Cómo cambiamos {x} en {s} durante {n} días, cuánto costó y qué dejaríamos igual la próxima vez.",
            "Un paseo por {s} con {x} de una compañía de transbordadores: el plan, las cifras y lo que falló.",
        ],
        headings: &["De dónde partimos", "Lo que medimos", "Lo que falló", "Costes"],
        openers: &[
            "La primera semana",
            "Tras un mes tranquilo",
            "Antes del verano",
            "Con {n} personas esperando",
            "Siguiendo la documentación",
            "Para nuestra sorpresa",
        ],
        middles: &[
            "llevamos {x} a {s}",
            "conté {n} casos a mano",
            "el equipo rehízo {x} alrededor de {s}",
            "{t} cedió su trabajo a {s}",
            "escribimos {m} pruebas",
            "una sola opción de {s} lo cambió todo",
        ],
        ends: &[
            "y las alarmas callaron",
            "lo que nos costó {m} horas",
            "porque el horario cambia cada lunes",
            "y la factura bajó un {m} por ciento",
            "aunque {t} parecía más simple",
            "y lo haría otra vez",
        ],
        source: "La documentación de {f} lo cuenta entero",
        things: &["las colas", "las alarmas", "los permisos", "los informes", "los entornos de prueba", "las copias de seguridad"],
        gap: " ",
        stop: ".",
    },
    Tongue {
        code: "fr",
        titles: &[
            "Ce que {n} jours avec {x} nous ont appris sur {s}",
            "{s} sans mauvaise surprise : {x} pas à pas",
            "Comment nous avons déplacé {x} de {t} vers {s}",
            "Petit guide de {s} pour qui s’occupe de {x}",
            "{n} erreurs avec {x}, et ce que {s} en fait",
        ],
        summaries: &[
            "Comment nous avons changé {x} dans {s} en {n} jours, ce que cela a coûté et ce que nous laisserions en place.",
            "Une visite de {s} avec {x} d’une compagnie de bacs : le plan, les chiffres et ce qui n’a pas marché.",
        ],
        headings: &["Le point de départ", "Ce que nous avons mesuré", "Ce qui a échoué", "Les coûts"],
        openers: &[
            "La première semaine",
            "Après un mois calme",
            "Avant l’été",
            "Avec {n} personnes en attente",
            "En suivant la documentation",
            "À notre surprise",
        ],
        middles: &[
            "nous avons porté {x} vers {s}",
            "j’ai compté {n} cas à la main",
            "l’équipe a refait {x} autour de {s}",
            "{t} a laissé son travail à {s}",
            "nous avons écrit {m} essais",
            "un seul réglage de {s} a tout changé",
        ],
        ends: &[
            "et les alarmes se sont tues",
            "ce qui nous a coûté {m} heures",
            "car l’horaire change chaque lundi",
            "et la facture a baissé de {m} pour cent",
            "même si {t} semblait plus simple",
            "et je le referais",
        ],
        source: "La documentation de {f} dit tout",
        things: &["les files d’attente", "les alarmes", "les droits", "les rapports", "les environnements d’essai", "les sauvegardes"],
        gap: " ",
        stop: ".",
    },
    Tongue {
        code: "sw",
        titles: &[
            "Siku {n} za {x}: tulichojifunza kuhusu {s}",
            "{s} hatua kwa hatua: {x} bila wasiwasi",
            "Jinsi tulivyohamisha {x} kutoka {t} hadi {s}",
            "Mwongozo mfupi wa {s} kwa wanaotunza {x}",
        ],
        summaries: &[
            "Jinsi tulivyobadilisha {x} ndani ya {s} kwa siku {n}, gharama yake, na sehemu ambazo tungeziacha kama zilivyo.",
            "Safari fupi kupitia {s} na {x} za kampuni ya feri: mpango, takwimu, na sehemu iliyoshindikana.",
        ],
        headings: &["Tulipoanzia", "Tulichopima", "Kilichoshindikana", "Gharama"],
        openers: &[
            "Wiki ya kwanza",
            "Baada ya mwezi tulivu",
            "Kabla ya msimu mpya",
            "Watu {n} wakisubiri",
            "Kwa kufuata mwongozo",
            "Kwa mshangao wetu",
        ],
        middles: &[
            "tulipeleka {x} kwenye {s}",
            "nilihesabu kesi {n} kwa mkono",
            "timu ilijenga {x} upya juu ya {s}",
            "{t} iliachia {s} kazi yake",
            "tuliandika majaribio {m}",
            "mpangilio mmoja wa {s} ulibadilisha kila kitu",
        ],
        ends: &[
            "na kengele zikanyamaza",
            "ikatugharimu saa {m}",
            "kwa sababu ratiba hubadilika kila Jumatatu",
            "na gharama ikapungua kwa asilimia {m}",
            "ingawa {t} ilionekana rahisi zaidi",
            "na ningefanya hivyo tena",
        ],
        source: "Maelezo kamili yako kwenye mwongozo wa {f}",
        things: &["foleni", "kengele", "ruhusa", "ripoti", "mazingira ya majaribio", "nakala za akiba"],
        gap: " ",
        stop: ".",
    },
    Tongue {
        code: "ja",
        titles: &[
            "{s}で{x}を{n}日運用してわかったこと",
            "{t}から{s}へ{x}を移した記録",
            "{x}のための{s}入門ノート",
            "{s}の{x}で踏んだ{n}個の失敗",
        ],
        summaries: &[
            "{s}で{x}を{n}日かけて作り直しました。かかった費用と、うまくいかなかった部分、次はそのままにしておきたい部分を、実際の数字と一緒にまとめています。",
            "フェリー会社の{x}を題材に{s}を一通り歩きます。計画、計測した数字、失敗した箇所と、手元で試せる小さなテストを紹介します。",
        ],
        headings: &["出発点", "計測したこと", "失敗したこと", "費用"],
        openers: &[
            "最初の一週間で、",
            "静かな一か月のあと、",
            "夏の時刻表の前に、",
            "{n}人が待つ中で、",
            "公式文書に従って、",
            "意外なことに、",
        ],
        middles: &[
            "私たちは{x}を{s}へ移し、",
            "{n}件を手で数えてみると、",
            "チームは{s}を軸に{x}を作り直し、",
            "{t}の仕事を{s}に渡すと、",
            "{m}個のテストを書いたところ、",
            "{s}の設定を一つ変えただけで、",
        ],
        ends: &[
            "警報が静かになりました",
            "{m}時間かかりました",
            "毎週月曜に変わる時刻表にも追いつけました",
            "費用は{m}パーセント下がりました",
            "{t}より簡単だとわかりました",
            "次も同じ方法を選びます",
        ],
        source: "詳しくは{f}の公式文書にあります",
        things: &["待ち行列", "警報", "権限設定", "週次レポート", "検証環境", "バックアップ"],
        gap: "",
        stop: "。",
    },
    Tongue {
        code: "ar",
        titles: &[
            "ماذا تعلمنا عن {s} بعد {n} يومًا مع {x}",
            "{s} خطوة بخطوة: {x} دون مفاجآت",
            "كيف نقلنا {x} من {t} إلى {s}",
            "دليل قصير إلى {s} لمن يعتني بـ {x}",
        ],
        summaries: &[
            "كيف غيّرنا {x} في {s} خلال {n} يومًا، وكم كلّفنا ذلك، وما الأجزاء التي سنتركها كما هي في المرة القادمة.",
            "جولة في {s} مع {x} لشركة عبّارات: الخطة والأرقام والجزء الذي فشل، مع اختبار صغير يمكنك تشغيله بنفسك.",
        ],
        headings: &["من أين بدأنا", "ما الذي قسناه", "ما الذي فشل", "التكاليف"],
        openers: &["في الأسبوع الأول", "بعد شهر هادئ", "قبل جدول الصيف", "مع {n} شخصًا ينتظرون", "باتباع الوثائق", "وعلى غير المتوقع"],
        middles: &[
            "نقلنا {x} إلى {s}",
            "عددت {n} حالة يدويًا",
            "أعاد الفريق بناء {x} حول {s}",
            "سلّم {t} عمله إلى {s}",
            "كتبنا {m} اختبارات",
            "غيّر إعداد واحد في {s} كل شيء",
        ],
        ends: &[
            "فهدأت الإنذارات",
            "وكلّفنا ذلك {m} ساعات",
            "لأن الجدول يتغير كل اثنين",
            "فانخفضت الفاتورة بنسبة {m} بالمئة",
            "مع أن {t} بدا أبسط",
            "وسأفعل ذلك مرة أخرى",
        ],
        source: "الشرح الكامل في وثائق {f}",
        things: &["الطوابير", "الإنذارات", "الصلاحيات", "التقارير", "بيئات الاختبار", "النسخ الاحتياطية"],
        gap: " ",
        stop: ".",
    },
];

/// A piece of writing before it is published anywhere.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Writing {
    pub(super) title: String,
    pub(super) summary: String,
    /// HTML of plain blocks.
    pub(super) body: String,
    /// The language that it is really in.
    pub(super) language: &'static str,
}

/// Writes a piece of about so many sentences on a topic, under a title that is not taken. Languages that are not spoken
/// here are written in English.
pub(super) fn write(numbers: &mut Numbers, language: &str, topic: &Topic, sentences: usize, is_taken: impl Fn(&str) -> bool) -> Writing {
    use std::fmt::Write as _;
    let primary = language.split('-').next().unwrap_or_default();
    let tongue = TONGUES.iter().find(|tongue| tongue.code == primary).unwrap_or(&TONGUES[0]);
    let things = if tongue.things.is_empty() { topic.things } else { tongue.things };
    let mut other = another(numbers, topic);
    let mut thing = numbers.pick(things);
    let mut title = String::new();
    // Only so often: a narrow topic runs out of titles in the end.
    for _ in 0..60 {
        let template = numbers.pick(tongue.titles);
        title = sentence_case(&fill(numbers, template, topic, other, thing));
        if !is_taken(&title) {
            break;
        }
        other = another(numbers, topic);
        thing = numbers.pick(things);
    }
    let template = numbers.pick(tongue.summaries);
    let summary = fill(numbers, template, topic, other, thing);

    let mut body = String::new();
    let _ = write!(body, "<p>{}</p>", escape(&summary));
    let mut left = sentences.max(3);
    let mut paragraph = 0;
    while left > 0 {
        if paragraph % 3 == 1 {
            let _ = write!(body, "<h2>{}</h2>", escape(numbers.pick(tongue.headings)));
        }
        let count = (3 + numbers.index(4)).min(left);
        left -= count;
        let mut text = String::new();
        for _ in 0..count {
            let part = things[numbers.index(things.len())];
            let neighbor = if numbers.percent(60) { other } else { another(numbers, topic) };
            let mut sentence = String::new();
            for (index, parts) in [tongue.openers, tongue.middles, tongue.ends].into_iter().enumerate() {
                if index > 0 {
                    sentence.push_str(tongue.gap);
                }
                let template = numbers.pick(parts);
                sentence.push_str(&fill(numbers, template, topic, neighbor, part));
            }
            if !text.is_empty() {
                text.push_str(tongue.gap);
            }
            text.push_str(&sentence);
            text.push_str(tongue.stop);
        }
        let _ = write!(body, "<p>{}</p>", escape(&text));
        paragraph += 1;
    }
    if numbers.percent(65) {
        let _ = write!(body, "<pre><code>{}</code></pre>", escape(topic.code));
    }
    if numbers.percent(60) {
        let said = tongue.source.replace("{f}", topic.service);
        let _ = write!(body, "<p><a href=\"{}\">{}</a>{}</p>", topic.documentation, escape(&said), tongue.stop);
    }
    Writing { title, summary, body, language: tongue.code }
}

/// The name and description of a repository on a topic, in English.
pub(super) fn repository(numbers: &mut Numbers, topic: &Topic) -> (String, String) {
    let first =
        numbers.pick(&["tide", "harbor", "lantern", "ferry", "anchor", "gull", "compass", "quay", "ledger", "beacon", "kelp", "signal"]);
    let second = numbers.pick(&["table", "lint", "kit", "watch", "map", "press", "loom", "sieve", "bench", "scribe", "ladder", "gauge"]);
    let thing = numbers.pick(topic.things);
    (format!("{first}-{second}"), format!("A small tool that keeps {} {thing} in order", topic.short))
}

/// What changed in a release, or why a pull request was made: Markdown, in English.
pub(super) fn notes(numbers: &mut Numbers, topic: &Topic, lines: usize) -> String {
    let mut text = String::from("## What changed\n\n");
    for _ in 0..lines {
        let what = numbers.pick(&[
            "reads {x} in batches of {n}",
            "waits {n} milliseconds before it asks {s} again",
            "no longer forgets {x} when {s} is slow",
            "tells in one line which of the {x} failed",
            "works with {x} in more than one account",
            "has a dry run for {x}",
        ]);
        let thing = numbers.pick(topic.things);
        let line = fill(numbers, what, topic, topic, thing);
        text.push_str("* ");
        text.push_str(&sentence_case(&line));
        text.push_str(", so that nothing has to be done by hand after an upgrade\n");
    }
    text
}

/// A topic that is not this one.
fn another(numbers: &mut Numbers, topic: &Topic) -> &'static Topic {
    let at = numbers.index(TOPICS.len());
    let found = &TOPICS[at];
    if found.short == topic.short { &TOPICS[(at + 1) % TOPICS.len()] } else { found }
}

fn fill(numbers: &mut Numbers, template: &str, topic: &Topic, other: &Topic, thing: &str) -> String {
    template
        .replace("{s}", topic.short)
        .replace("{t}", other.short)
        .replace("{x}", thing)
        .replace("{n}", &(numbers.below(93) + 7).to_string())
        .replace("{m}", &(numbers.below(17) + 3).to_string())
}

/// The first letter in upper case.
fn sentence_case(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map(|first| first.to_uppercase().chain(letters).collect()).unwrap_or_default()
}

/// Text made safe for XML and HTML.
pub(super) fn escape(text: &str) -> String {
    quick_xml::escape::escape(text).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_language_fills_every_gap() {
        for tongue in TONGUES {
            for index in 0..200 {
                let mut numbers = Numbers::of(1, tongue.code, index);
                let writing = write(&mut numbers, tongue.code, &TOPICS[index % TOPICS.len()], 20, |_| false);
                for text in [&writing.title, &writing.summary, &writing.body] {
                    assert!(!text.contains("{s}") && !text.contains("{x}") && !text.contains("{n}") && !text.contains("{f}"), "{text}");
                }
                assert!(writing.title.chars().count() < 120);
            }
        }
    }

    #[test]
    fn a_topic_names_a_category_of_the_program() {
        let known = [
            "ai_ml",
            "analytics",
            "app_dev",
            "architecture",
            "containers",
            "databases",
            "devops",
            "iot_edge",
            "networking",
            "security",
            "storage",
        ];
        for topic in TOPICS {
            assert!(known.contains(&topic.category), "{}", topic.category);
        }
    }
}
