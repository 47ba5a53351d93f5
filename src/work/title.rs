//! What titles say: their parts and numbers, whether one only rewords the other, and whether they name anything at all.
//!
//! In: titles as builders write them, in any script. Out: what rules 3 and 5 of DIGEST.md section 2 ask of them. The
//! word lists are our own, of the languages in which builders are known to publish.

use std::collections::{BTreeSet, HashMap};
use std::sync::LazyLock;

use unicode_normalization::{UnicodeNormalization, char::is_combining_mark};
use unicode_segmentation::UnicodeSegmentation;

/// Titles with fewer words than this, or with fewer that carry meaning, name a column rather than a piece: "Weekly notes".
const FEW_WORDS: usize = 4;
const FEW_CONTENT_WORDS: usize = 3;
/// Of scripts without blanks, the same in characters.
const FEW_CHARS: usize = 9;
/// Words that share so much of their beginning, in tenths, are forms of one word: "drain" and "draining".
const SAME_STEM: usize = 6;

/// The digits zero of scripts that count with digits of their own (Unicode, general category Nd).
const ZEROS: &[char] = &[
    '\u{660}', '\u{6f0}', '\u{7c0}', '\u{966}', '\u{9e6}', '\u{a66}', '\u{ae6}', '\u{b66}', '\u{be6}', '\u{c66}', '\u{ce6}', '\u{d66}',
    '\u{e50}', '\u{ed0}', '\u{f20}', '\u{1040}', '\u{17e0}', '\u{1810}',
];

/// Names of months by their number: English, Portuguese, Spanish, French, German, Swahili, Indonesian, Italian, Arabic.
const MONTHS: [&str; 12] = [
    "january jan janeiro enero janvier januar januari gennaio يناير",
    "february feb fevereiro febrero février februar februari febbraio فبراير",
    "march mar março marzo mars märz machi maret مارس",
    "april apr abril avril aprili aprile أبريل",
    "may maio mayo mai mei maggio مايو",
    "june jun junho junio juin juni giugno يونيو",
    "july jul julho julio juillet juli luglio يوليو",
    "august aug agosto août agosti agustus أغسطس",
    "september sep sept setembro septiembre septembre septemba settembre سبتمبر",
    "october oct outubro octubre octobre oktober oktoba ottobre أكتوبر",
    "november nov novembro noviembre novembre novemba نوفمبر",
    "december dec dezembro diciembre décembre dezember desemba desember dicembre ديسمبر",
];
const WEEKDAYS: [&str; 7] = [
    "monday mondays montag lundi lunes segunda-feira jumatatu الاثنين",
    "tuesday tuesdays dienstag mardi martes terça-feira jumanne الثلاثاء",
    "wednesday wednesdays mittwoch mercredi miércoles quarta-feira jumatano الأربعاء",
    "thursday thursdays donnerstag jeudi jueves quinta-feira alhamisi الخميس",
    "friday fridays freitag vendredi viernes sexta-feira ijumaa الجمعة",
    "saturday saturdays samstag samedi sábado jumamosi السبت",
    "sunday sundays sonntag dimanche domingo jumapili الأحد",
];
/// Words that number what stands beside them.
const PARTS: &str = "part parts pt parte partes partie teil folge episode ep episodio episódio épisode chapter capítulo capitulo \
     chapitre kapitel day dia día jour tag week semana semaine woche wiki siku vol volume tomo tome band sehemu lesson lição lección \
     leçon lektion somo session sesión sessão séance module modulo módulo step paso passo étape schritt hatua issue edition edición \
     edição ausgabe no number level season sprint round act phase phase الجزء جزء الحلقة حلقة الدرس درس اليوم الأسبوع الفصل المرحلة bagian часть день урок bölüm bölümü 편 부 화 탄";
/// Numbers in words, in order from one.
const COUNTS: [&str; 10] = [
    "one um uma uno una un une eins ein moja واحد واحدة satu bir один первая",
    "two dois duas dos deux zwei mbili pili اثنان dua iki два вторая",
    "three três tres trois drei tatu ثلاثة tiga üç три третья",
    "four quatro cuatro quatre vier nne أربعة empat dört четыре",
    "five cinco cinq fünf tano خمسة lima beş пять",
    "six seis sechs sita ستة enam altı",
    "seven sete siete sept sieben saba سبعة tujuh yedi",
    "eight oito ocho huit acht nane ثمانية delapan sekiz",
    "nine nove nueve neuf neun tisa تسعة sembilan dokuz",
    "ten dez diez dix zehn kumi عشرة sepuluh",
];
/// Places in an order, from the first; they tell pieces apart wherever they stand.
const ORDINALS: [&str; 5] = [
    "first 1st primeiro primeira primer primero primera premier première erster erste erstes kwanza الأول الأولى",
    "second 2nd segundo segunda deuxième seconde zweiter zweite zweites الثاني الثانية",
    "third 3rd terceiro terceira tercero tercera tercer troisième dritter dritte drittes الثالث الثالثة",
    "fourth 4th quarto quarta cuarto cuarta quatrième vierter vierte الرابع الرابعة",
    "fifth 5th quinto quinta cinquième fünfter fünfte الخامس الخامسة",
];
/// Last parts, next to a word that numbers.
const LAST: &str = "final last finale letzter última último dernière dernier mwisho الأخير الأخيرة";
/// Roman numerals from one; a single `i`, `v` or `x` numbers only next to a word that says so.
const ROMAN: [&str; 15] = ["i", "ii", "iii", "iv", "v", "vi", "vii", "viii", "ix", "x", "xi", "xii", "xiii", "xiv", "xv"];
/// How Japanese, Chinese and Korean name the parts of a piece.
const CJK_PARTS: [&str; 26] = [
    "前編",
    "中編",
    "後編",
    "前篇",
    "中篇",
    "後篇",
    "后篇",
    "上篇",
    "下篇",
    "上編",
    "下編",
    "前半",
    "後半",
    "入門編",
    "基礎編",
    "実践編",
    "応用編",
    "準備編",
    "設計編",
    "実装編",
    "運用編",
    "完結編",
    "番外編",
    "構築編",
    "상편",
    "하편",
];
/// Words that carry no meaning of their own.
const SMALL: &str = "a an the of to in on for with and or is are by at from as my our your its it how do does did i we you this that \
     o a os as um uma de do da dos das em no na nos nas para por com e ou que se el la los las un una del al en con y le les des du d l \
     et à au aux une pour avec sur dans der die das den dem ein eine und mit für von zu im am wa ya na kwa la za cha vya ni katika \
     في من على إلى و عن مع ال";

/// NFKD, marks dropped, lower case, punctuation to single blanks.
pub(super) fn plain(text: &str) -> String {
    if text.is_ascii() {
        let spaced: String = text.chars().map(|c| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { ' ' }).collect();
        return spaced.split_ascii_whitespace().collect::<Vec<_>>().join(" ");
    }
    let folded = text.nfkd().filter(|c| !is_combining_mark(*c)).flat_map(char::to_lowercase);
    let spaced: String = folded.map(|c| if c.is_alphanumeric() { c } else { ' ' }).collect();
    spaced.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// What a word says of number and time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Sign {
    Month(usize),
    Weekday(usize),
    Ordinal(usize),
    /// Counts only next to a word that numbers.
    Count(usize),
    Last,
    Part,
}

/// All words of the lists, plain, with what they say. Where a word says two things, the first counts.
static SIGNS: LazyLock<HashMap<String, Vec<Sign>>> = LazyLock::new(|| {
    let mut signs: HashMap<String, Vec<Sign>> = HashMap::new();
    let mut add = |words: &str, sign: Sign| {
        for word in words.split_whitespace().map(plain) {
            let known = signs.entry(word).or_default();
            if !known.contains(&sign) {
                known.push(sign);
            }
        }
    };
    MONTHS.iter().enumerate().for_each(|(place, words)| add(words, Sign::Month(place + 1)));
    WEEKDAYS.iter().enumerate().for_each(|(place, words)| add(words, Sign::Weekday(place + 1)));
    ORDINALS.iter().enumerate().for_each(|(place, words)| add(words, Sign::Ordinal(place + 1)));
    COUNTS.iter().enumerate().for_each(|(place, words)| add(words, Sign::Count(place + 1)));
    add(LAST, Sign::Last);
    add(PARTS, Sign::Part);
    signs
});
static SMALL_WORDS: LazyLock<BTreeSet<String>> = LazyLock::new(|| SMALL.split_whitespace().map(plain).collect());
static CJK_PARTS_PLAIN: LazyLock<Vec<String>> = LazyLock::new(|| CJK_PARTS.iter().map(|part| plain(part)).collect());

/// What tells the parts of a series apart: digits of any script, months, weekdays, roman numerals, ordinals, numbers in
/// words beside "part" and its like, and the names that Japanese and Chinese give to parts. Ordered; months and numbers in
/// words have one spelling whatever the language.
pub(super) fn numbers(title: &str) -> Vec<String> {
    let words: Vec<&str> = title.split(' ').collect();
    let signs: Vec<&[Sign]> = words.iter().map(|word| SIGNS.get(*word).map_or(&[][..], Vec::as_slice)).collect();
    let is_part = |place: Option<usize>| place.and_then(|place| signs.get(place)).is_some_and(|signs| signs.contains(&Sign::Part));
    let mut numbers = Vec::new();
    for (place, word) in words.iter().enumerate() {
        // "part two", "sehemu ya pili", "segunda parte".
        let after_part = is_part(place.checked_sub(1));
        let beside_part = after_part || is_part(place.checked_sub(2)) || is_part(Some(place + 1));
        if word.chars().any(char::is_numeric) {
            numbers.extend(digits(word));
            numbers.extend(cjk_numbers(word));
            continue;
        }
        if let Some(numeral) = ROMAN.iter().position(|roman| roman == word) {
            if word.len() > 1 || after_part {
                numbers.push((numeral + 1).to_string());
            }
            continue;
        }
        let told = signs[place].iter().find_map(|sign| match sign {
            Sign::Month(month) => Some(format!("month {month}")),
            Sign::Weekday(day) => Some(format!("weekday {day}")),
            Sign::Ordinal(number) => Some(number.to_string()),
            Sign::Count(number) => beside_part.then(|| number.to_string()),
            Sign::Last => beside_part.then(|| "last".to_owned()),
            Sign::Part => None,
        });
        numbers.extend(told);
        if !word.is_ascii() {
            numbers.extend(cjk_numbers(word));
        }
    }
    numbers.sort_unstable();
    numbers
}

/// The runs of digits in a word, without leading zeros: 第3回 and v2 both hold a number among letters.
fn digits(word: &str) -> Vec<String> {
    let of_digit = |c: char| -> char {
        if c.is_ascii_digit() {
            return c;
        }
        let zero = ZEROS.iter().find(|zero| (u32::from(**zero)..u32::from(**zero) + 10).contains(&u32::from(c)));
        match zero {
            Some(zero) => char::from_digit(u32::from(c) - u32::from(*zero), 10).unwrap_or(c),
            None if c.is_numeric() => c,
            None => ' ',
        }
    };
    let runs: String = word.chars().map(of_digit).collect();
    let trim = |run: &str| -> String {
        let trimmed = run.trim_start_matches('0');
        if trimmed.is_empty() { "0".to_owned() } else { trimmed.to_owned() }
    };
    runs.split_whitespace().map(trim).collect()
}

/// Parts as Chinese, Japanese and Korean number them: 第三回, その二, 前編, and 上 or 一 that stand alone.
fn cjk_numbers(word: &str) -> Vec<String> {
    const NUMERALS: &str = "〇一二三四五六七八九十";
    const BEFORE: &[char] = &['第', 'の'];
    const AFTER: &[char] = &['回', '章', '部', '話', '编', '編', '篇', '弾', '日', '週', '节', '節', '集', '期'];
    const ALONE: &[&str] = &["上", "中", "下", "前", "後"];
    let mut numbers = Vec::new();
    let chars: Vec<char> = word.chars().collect();
    let mut place = 0;
    while place < chars.len() {
        let end = chars[place..].iter().position(|c| !NUMERALS.contains(*c)).map_or(chars.len(), |length| place + length);
        if end > place {
            let stands_alone = place == 0 && end == chars.len();
            let begins = place.checked_sub(1).is_some_and(|before| BEFORE.contains(&chars[before]));
            let ends = chars.get(end).is_some_and(|after| AFTER.contains(after));
            if stands_alone || (begins && (ends || end == chars.len())) || (chars.get(place.wrapping_sub(1)) == Some(&'第')) {
                numbers.push(value(&chars[place..end]));
            }
        }
        place = end.max(place + 1);
    }
    if ALONE.contains(&word) {
        numbers.push(word.to_owned());
    }
    numbers.extend(CJK_PARTS_PLAIN.iter().filter(|part| word.contains(part.as_str())).cloned());
    numbers
}

/// The value of a numeral up to 99, or the numeral itself.
fn value(numeral: &[char]) -> String {
    let digit = |c: &char| "〇一二三四五六七八九".chars().position(|numeral| numeral == *c);
    let found = match numeral {
        [one] if *one == '十' => Some(10),
        [one] => digit(one),
        ['十', ones] => digit(ones).map(|ones| 10 + ones),
        [tens, '十'] => digit(tens).map(|tens| 10 * tens),
        [tens, '十', ones] => digit(tens).zip(digit(ones)).map(|(tens, ones)| 10 * tens + ones),
        _ => None,
    };
    found.map_or_else(|| numeral.iter().collect(), |value| value.to_string())
}

/// Whether two titles name different parts: both are numbered, and not alike.
pub(super) fn are_other_parts(one: &[String], other: &[String]) -> bool {
    !one.is_empty() && !other.is_empty() && one != other
}

/// Whether a title, plain, is too short to name one piece of its author.
pub(super) fn is_column(title: &str) -> bool {
    if title.chars().any(is_cjk) {
        return title.chars().filter(|c| *c != ' ').count() < FEW_CHARS;
    }
    title.split(' ').count() < FEW_WORDS || content(title).len() < FEW_CONTENT_WORDS
}

/// Whether one of two like titles, plain, says another word in the place of one of the other's: "in Python" for "in Rust".
/// Words that only one of them has more, forms of one word, small words and spelling mistakes are no such thing.
pub(super) fn differ_in_a_word(one: &str, other: &str) -> bool {
    let (mut left, mut right) = (content(one), content(other));
    right.retain(|word| match left.iter().position(|known| known == word) {
        Some(place) => {
            left.swap_remove(place);
            false
        }
        None => true,
    });
    // Written in one word here and in two there: "step functions", "stepfunctions".
    let joined = |words: &[String]| -> String { words.concat() };
    if !left.is_empty() && joined(&left) == joined(&right) {
        return false;
    }
    right.retain(|word| match left.iter().position(|known| is_one_word(known, word)) {
        Some(place) => {
            left.swap_remove(place);
            false
        }
        None => true,
    });
    !left.is_empty() && !right.is_empty()
}

/// The words that carry a title's meaning. Of Japanese, what is written in kana is grammar as often as not.
fn content(title: &str) -> Vec<String> {
    let mut words = Vec::new();
    for word in title.unicode_words() {
        let mut chars = word.chars();
        let is_single = chars.next().is_some() && chars.next().is_none();
        if word.chars().all(|c| matches!(c, '\u{3041}'..='\u{309f}')) || SMALL_WORDS.contains(word) || (is_single && word.is_ascii()) {
            continue;
        }
        words.push(word.to_owned());
    }
    words
}

/// Whether two words are forms or misspellings of one: a common beginning, or letters that changed places.
fn is_one_word(one: &str, other: &str) -> bool {
    let (one, other): (Vec<char>, Vec<char>) = (one.chars().collect(), other.chars().collect());
    let (short, long) = (one.len().min(other.len()), one.len().max(other.len()));
    if one.iter().chain(&other).any(|c| is_cjk(*c)) {
        return one == other;
    }
    let common = one.iter().zip(&other).take_while(|(one, other)| one == other).count();
    let tail = one.iter().rev().zip(other.iter().rev()).take_while(|(one, other)| one == other).count().min(short - common.min(short));
    // A beginning in common, or all but two letters in the middle.
    (short >= 4 && common * 10 >= long * SAME_STEM) || (short >= 5 && long - short <= 1 && common + tail + 2 >= long)
}

/// A character of a script that sets no blanks between words.
pub(super) fn is_cjk(c: char) -> bool {
    matches!(c, '\u{3040}'..='\u{30ff}' | '\u{3400}'..='\u{9fff}' | '\u{f900}'..='\u{faff}' | '\u{20000}'..='\u{3ffff}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_are_numbered_in_every_language() {
        for (title, wanted) in [
            ("Kiln log, part II", &["2"][..]),
            ("Kiln log, part two", &["2"]),
            ("Second part of the kiln log", &["2"]),
            ("Sehemu ya pili: tanuri", &["2"]),
            ("O forno, segunda parte", &["2"]),
            ("الجزء الثاني من الفرن", &["2"]),
            ("فرن ٢", &["2"]),
            ("第二回 窯の話", &["2"]),
            ("窯の話 その二", &["2"]),
            ("窯の話（下）", &["下"]),
            ("窯の話 後編", &["後編"]),
            ("Ofen, Teil 02", &["2"]),
            ("March notes", &["month 3"]),
            ("Notas de março", &["month 3"]),
            ("Monday notes", &["weekday 1"]),
            ("Two kilns and one thing that I learned", &[]),
            ("v1.10", &["1", "10"]),
            ("I like kilns", &[]),
        ] {
            let mut wanted: Vec<String> = wanted.iter().map(|number| plain(number)).collect();
            wanted.sort();
            assert_eq!(numbers(&plain(title)), wanted, "{title}");
        }
    }

    #[test]
    fn another_word_is_told_from_other_words() {
        for (one, other, differ) in [
            ("Building a kiln in Rust", "Building a kiln in Python", true),
            ("Building a kiln in Rust", "Build a kiln in Rust", false),
            ("Building a kiln in Rust", "Building a kiln in Rust (with code)", false),
            ("Step Functions at scale", "StepFunctions at scale", false),
            ("Draining a queue overnight", "Drainign a queue overnight", false),
            ("窯を東京で作る", "窯を大阪で作る", true),
            ("窯を作ってみた", "窯を作ってみました", false),
            ("Fila sem perder mensagens", "Filas sem perder mensagem", false),
        ] {
            assert_eq!(differ_in_a_word(&plain(one), &plain(other)), differ, "{one} / {other}");
        }
    }

    #[test]
    fn a_column_is_told_from_a_piece() {
        for (title, column) in [
            ("Weekly notes", true),
            ("Draining a queue at night", false),
            ("Revue de la semaine", true),
            ("週報", true),
            ("窯を東京で作って失敗した話", false),
        ] {
            assert_eq!(is_column(&plain(title)), column, "{title}");
        }
    }
}
