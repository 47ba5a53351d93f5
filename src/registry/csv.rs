//! The roster in CSV: one row a source, a builder's fields on any of its rows.
//!
//! Columns in any order, names in any case; commas, semicolons or tabs between cells (RFC 4180 quoting). An empty cell
//! says nothing, a lone `-` empties the field. Text that a spreadsheet would run as a formula is guarded on the way out
//! and comes back as it was.

use crate::model::{Builder, Filters, Owner, Slug, Source};

use super::field::{self, FIELDS, NETWORKS};
use super::{AuthorFilter, Fields, Refusal, Roster, RosterError, RosterLine, RosterSource, brief, check_pasted};

/// What a column holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Column {
    Builder,
    Kind,
    Url,
    Author,
    Filter(&'static str),
    Field(&'static str),
}

impl Column {
    fn named(name: &str) -> Option<Self> {
        match name.trim().to_ascii_lowercase().as_str() {
            "builder" | "slug" => Some(Self::Builder),
            "kind" => Some(Self::Kind),
            "url" => Some(Self::Url),
            "author" => Some(Self::Author),
            other => field::field_named(other).map(Self::Field).or_else(|| Filters::named(other).map(Self::Filter)),
        }
    }
}

pub(super) fn read(text: &str) -> Result<Roster, RosterError> {
    if text.starts_with("PK\u{3}\u{4}") {
        return Err(RosterError { line: 1, message: "this is a spreadsheet's own file: save it as CSV (UTF-8) and import that".into() });
    }
    let delimiter = delimiter(text);
    let mut columns: Option<Vec<Column>> = None;
    let mut roster = Roster::default();
    for (number, line) in lines(text) {
        // Excel's word to itself on what stands between the cells.
        if columns.is_none() && line.get(..4).is_some_and(|head| head.eq_ignore_ascii_case("sep=")) {
            continue;
        }
        // No cell of a roster holds a line break, so every line is read for itself: a quote that is never closed costs its
        // own line, not all that follow.
        let mut reader = ::csv::ReaderBuilder::new().has_headers(false).flexible(true).delimiter(delimiter).from_reader(line.as_bytes());
        let mut record = ::csv::StringRecord::new();
        if let Err(error) = reader.read_record(&mut record) {
            return Err(RosterError { line: number, message: format!("cannot be read as CSV ({error})") });
        }
        if record.iter().all(|cell| cell.trim().is_empty()) {
            continue;
        }
        match &columns {
            None => columns = Some(header(&record, number)?),
            Some(columns) if leaves_a_quote_open(line, delimiter) => {
                let at = columns.iter().position(|column| *column == Column::Builder).unwrap_or_default();
                let builder = record.get(at).and_then(|slug| Slug::parse(slug.trim()).ok());
                let reason = "a quote is opened and not closed on this line: close it, or write \"\" for a quote within a cell".to_owned();
                roster.refused.push(Refusal { line: number, builder, reason });
            }
            Some(columns) => match row(&record, columns, number) {
                Ok(line) => roster.lines.push(line),
                Err(refusal) => roster.refused.push(refusal),
            },
        }
    }
    if columns.is_none() {
        return Err(RosterError {
            line: 1,
            message: "the roster is empty: its first line names the columns, builder,name,kind,url".into(),
        });
    }
    Ok(roster)
}

/// The lines with their numbers, counted from 1; a line ends with a line feed, a carriage return, or both.
fn lines(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let mut rest = Some(text);
    let lines = std::iter::from_fn(move || {
        let text = rest?;
        let Some(end) = text.find(['\r', '\n']) else {
            rest = None;
            return Some(text);
        };
        let width = if text[end..].starts_with("\r\n") { 2 } else { 1 };
        rest = Some(&text[end + width..]);
        Some(&text[..end])
    });
    lines.enumerate().map(|(index, line)| (index + 1, line))
}

/// Whether a quoted cell has no end on that line (RFC 4180 section 2: only a quote at a cell's beginning opens one).
fn leaves_a_quote_open(line: &str, delimiter: u8) -> bool {
    let mut quoted = false;
    let mut at_start = true;
    let mut bytes = line.bytes().peekable();
    while let Some(byte) = bytes.next() {
        match byte {
            b'"' if quoted && bytes.peek() == Some(&b'"') => {
                bytes.next();
            }
            b'"' if quoted => quoted = false,
            b'"' if at_start => quoted = true,
            _ => {}
        }
        at_start = !quoted && byte == delimiter;
    }
    quoted
}

/// Spreadsheets write semicolons where the comma is the decimal sign, and tabs on the clipboard.
fn delimiter(text: &str) -> u8 {
    let mut heads = lines(text).map(|(_, line)| line).filter(|line| !line.trim().is_empty());
    let head = heads.find(|line| !line.get(..4).is_some_and(|head| head.eq_ignore_ascii_case("sep="))).unwrap_or_default();
    if head.contains(',') {
        b','
    } else if head.contains('\t') {
        b'\t'
    } else if head.contains(';') {
        b';'
    } else {
        b','
    }
}

fn header(record: &::csv::StringRecord, line: usize) -> Result<Vec<Column>, RosterError> {
    let error = |message: String| RosterError { line, message };
    let mut columns = Vec::new();
    let mut unknown = Vec::new();
    // Cells without a name after the last one are what a spreadsheet leaves behind.
    let named = record.iter().enumerate().filter(|(_, name)| !name.trim().is_empty()).last().map_or(0, |(last, _)| last + 1);
    for name in record.iter().take(named) {
        match Column::named(name) {
            Some(column) if columns.contains(&column) => return Err(error(format!("the column `{}` stands twice", brief(name.trim())))),
            Some(column) => columns.push(column),
            None => unknown.push(format!("`{}`", brief(name.trim()))),
        }
    }
    let needed = [("builder", Column::Builder), ("name", Column::Field("name")), ("kind", Column::Kind), ("url", Column::Url)];
    let missing: Vec<_> = needed.iter().filter(|(_, column)| !columns.contains(column)).map(|(name, _)| format!("`{name}`")).collect();
    if !missing.is_empty() {
        return Err(error(format!("the roster needs the columns builder, name, kind and url; missing: {}", missing.join(", "))));
    }
    if !unknown.is_empty() {
        let known = format!(
            "builder, kind, url, author, {}; filters: {}; and handles: {}",
            FIELDS.join(", "),
            Filters::NAMES.join(", "),
            NETWORKS.join(", ")
        );
        return Err(error(format!("unknown column {}; known are {known}", unknown.join(", "))));
    }
    Ok(columns)
}

fn row(record: &::csv::StringRecord, columns: &[Column], line: usize) -> Result<RosterLine, Refusal> {
    let cell = |wanted: Column| {
        let index = columns.iter().position(|column| *column == wanted)?;
        let text = record.get(index)?.trim();
        (!text.is_empty()).then_some(text)
    };
    let text = |wanted: Column| cell(wanted).map(unguard_formula);
    let given = text(Column::Builder).unwrap_or_default();
    let builder =
        if given.is_empty() { Err("the cell `builder` is empty".to_owned()) } else { Slug::parse(given).map_err(|e| e.to_string()) };
    let known = builder.clone().ok();
    let refuse = |reason: String| Refusal { line, builder: known.clone(), reason };
    let builder = builder.map_err(refuse)?;
    if record.len() > columns.len() && record.iter().skip(columns.len()).any(|cell| !cell.trim().is_empty()) {
        return Err(refuse(format!("has {} cells where the header has {}: quote cells that hold a comma", record.len(), columns.len())));
    }
    let mut fields = Fields::new();
    for column in columns {
        let Column::Field(name) = *column else { continue };
        let Some(given) = cell(*column) else { continue };
        let value = if given == "-" {
            if name == "name" {
                return Err(refuse("a name cannot be emptied".into()));
            }
            if field::is_switch(name) { Some("no".to_owned()) } else { None }
        } else {
            Some(field::normal(name, unguard_formula(given)).map_err(refuse)?)
        };
        fields.insert(name, value);
    }
    let kind = text(Column::Kind).map(str::parse).transpose().map_err(refuse)?;
    let author = text(Column::Author).map_or(AuthorFilter::Unsaid, |author| match author {
        "-" => AuthorFilter::Everybody,
        author => AuthorFilter::Only(author.to_owned()),
    });
    let mut filters = Fields::new();
    for column in columns {
        let Column::Filter(name) = *column else { continue };
        let Some(given) = cell(*column).map(unguard_formula) else { continue };
        let list = (given != "-").then(|| given.to_owned());
        Filters::default().set(name, list.as_deref()).map_err(refuse)?;
        filters.insert(name, list);
    }
    let source = match text(Column::Url) {
        Some(url) => {
            check_pasted(url).map_err(refuse)?;
            Some(RosterSource { kind, url: url.to_owned(), author, filters })
        }
        None if kind.is_some() || author != AuthorFilter::Unsaid || !filters.is_empty() => {
            return Err(refuse("names a kind, an author or a filter, but no url".into()));
        }
        None => None,
    };
    Ok(RosterLine { line, builder, fields, source })
}

/// Guards a text cell that a spreadsheet would run as a formula: one that begins with `=`, `+`, `-`, `@`, a tab or a line
/// break gets an apostrophe before it. [`unguard_formula`] takes it away again; numbers are not for this function.
pub fn guard_formula(text: &str) -> String {
    if is_formula_like(text) { format!("'{text}") } else { text.to_owned() }
}

/// Takes away the apostrophe that [`guard_formula`], or a careful person, set before a text.
pub fn unguard_formula(text: &str) -> &str {
    match text.strip_prefix('\'') {
        Some(rest) if is_formula_like(rest) => rest,
        _ => text,
    }
}

/// Apostrophes before such a beginning count too, so that guarding loses nothing.
fn is_formula_like(text: &str) -> bool {
    text.trim_start_matches('\'').starts_with(['=', '+', '-', '@', '\t', '\r', '\n'])
}

/// The roster as CSV: everything known, private fields too. A builder's fields stand on its first row.
/// Builders and sources that left the roster stay out. Importing it changes nothing.
pub fn export(builders: &[Builder], sources: &[Source]) -> String {
    let builders = super::plan::present(builders);
    let networks: Vec<&str> =
        NETWORKS.iter().copied().filter(|network| builders.iter().any(|builder| builder.handles.contains_key(*network))).collect();
    let mut writer = ::csv::WriterBuilder::new().terminator(::csv::Terminator::CRLF).from_writer(Vec::new());
    let fields: Vec<&str> = FIELDS.iter().skip(1).copied().chain(networks).collect();
    let filters: Vec<&str> = Filters::NAMES
        .iter()
        .copied()
        .filter(|name| sources.iter().any(|source| !source.left && source.owners.iter().any(|owner| owner.filters.get(name).is_some())))
        .collect();
    let mut write = |cells: Vec<String>| {
        // A memory buffer takes every record, and all have the same length.
        let _ = writer.write_record(cells.iter().map(|cell| guard_formula(cell)));
    };
    write(
        ["builder", "name", "kind", "url", "author"]
            .into_iter()
            .chain(filters.iter().copied())
            .chain(fields.iter().copied())
            .map(str::to_owned)
            .collect(),
    );
    let places = super::plan::places_by_builder(sources);
    for builder in builders {
        let own: Vec<(&Source, &Owner)> = places.get(&builder.id).cloned().unwrap_or_default();
        for row in 0..own.len().max(1) {
            let mut cells = vec![builder.slug.to_string(), if row == 0 { builder.name.clone() } else { String::new() }];
            match own.get(row) {
                Some((source, owner)) => {
                    cells.extend([source.kind.to_string(), source.url.clone(), owner.author.clone().unwrap_or_default()]);
                    cells.extend(filters.iter().map(|name| owner.filters.get(name).unwrap_or_default()));
                }
                None => cells.extend(vec![String::new(); 3 + filters.len()]),
            }
            cells.extend(fields.iter().map(
                |field| {
                    if row == 0 { field::value_of(builder, field).unwrap_or_default() } else { String::new() }
                },
            ));
            write(cells);
        }
    }
    String::from_utf8(writer.into_inner().unwrap_or_default()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(text: &str) -> Roster {
        read(text).unwrap()
    }

    #[test]
    fn columns_may_stand_in_any_order_and_case() {
        let roster = lines("URL;Kind;Name;BUILDER;Twitter\r\nhttps://a.example/feed;;Ada;ada;@ada\r\n");
        assert_eq!(roster.refused, []);
        let line = &roster.lines[0];
        assert_eq!((line.line, line.builder.as_str()), (2, "ada"));
        assert_eq!(line.fields["x"].as_deref(), Some("ada"));
        assert_eq!(line.source.as_ref().unwrap().url, "https://a.example/feed");
    }

    #[test]
    fn missing_and_unknown_columns_are_named() {
        assert!(read("builder,name\nada,Ada\n").unwrap_err().message.contains("`kind`, `url`"));
        assert!(read("builder,name,kind,url,emial\n").unwrap_err().message.contains("`emial`"));
        assert!(read("builder,name,kind,url,Name\n").unwrap_err().message.contains("twice"));
        assert!(read(" \n").is_err());
    }

    #[test]
    fn every_bad_row_is_refused_with_its_line_and_the_rest_is_read() {
        let roster = lines(
            "builder,name,kind,url,country\n\
             ada,Ada,rss,https://a.example/feed,GB\n\
             ,Nobody,rss,https://b.example/feed,\n\
             \"multi\",\"Two\nlines\",rss,https://c.example/feed,\n\
             bob,Bob,carrier_pigeon,https://d.example,\n\
             cy,Cy,rss,file:///etc/passwd,\n\
             di,Di,,,UK\n\
             ed,Ed,rss,,\n\
             flo,Flo,rss,https://f.example,FR,extra\n\
             gus,Gus\n\
             ,,,,\n",
        );
        let refused: Vec<usize> = roster.refused.iter().map(|refusal| refusal.line).collect();
        assert_eq!(refused, [3, 4, 5, 6, 7, 8, 9, 10], "a cell over two lines costs both, and nothing after them");
        let read: Vec<&str> = roster.lines.iter().map(|line| line.builder.as_str()).collect();
        assert_eq!(read, ["ada", "gus"]);
        assert!(roster.lines[1].source.is_none());
    }

    #[test]
    fn a_quote_that_is_never_closed_costs_its_own_line_alone() {
        let roster = lines(
            "sep=;\nbuilder;name;kind;url;;\na;A \"the\" B;;https://a.example/feed;;\nb;\"B;;https://b.example/feed;;\nc;\"C \"\"x\"\"\";;https://c.example/feed;;\n",
        );
        let refused: Vec<_> =
            roster.refused.iter().map(|refusal| (refusal.line, refusal.builder.as_ref().map(ToString::to_string))).collect();
        assert_eq!(refused, [(4, Some("b".to_owned()))]);
        let read: Vec<_> = roster.lines.iter().map(|line| line.fields["name"].as_deref().unwrap()).collect();
        assert_eq!(read, ["A \"the\" B", "C \"x\""]);
    }

    #[test]
    fn an_empty_cell_says_nothing_and_a_dash_empties() {
        let roster = lines("builder,name,kind,url,email,not_public\nada,Ada,,,,\nbob,Bob,,,-,-\n");
        assert_eq!(roster.lines[0].fields.len(), 1);
        assert_eq!(roster.lines[1].fields["email"], None);
        assert_eq!(roster.lines[1].fields["not_public"].as_deref(), Some("no"));
    }

    #[test]
    fn guarded_cells_come_back_as_they_were() {
        for text in ["=1+1", "+1", "-1", "@SUM(1)", "\t=1", "'=x", "''@", "plain", "'quoted'", "", "O'Connor", "-"] {
            let guarded = guard_formula(text);
            assert!(!guarded.starts_with(['=', '+', '-', '@', '\t']), "{text}");
            assert_eq!(unguard_formula(&guarded), text);
        }
    }
}
