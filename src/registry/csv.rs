//! The roster in CSV: one row a source, a builder's fields on any of its rows.
//!
//! Columns in any order, names in any case; commas, semicolons or tabs between cells (RFC 4180 quoting). An empty cell
//! says nothing, a lone `-` empties the field. Text that a spreadsheet would run as a formula is guarded on the way out
//! and comes back as it was.

use crate::model::{Builder, Filters, Owner, Slug, Source};

use super::field::{self, FIELDS, NETWORKS};
use super::{AuthorFilter, Fields, LineIndex, Refusal, Roster, RosterError, RosterLine, RosterSource, brief, check_pasted};

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
    let mut reader = ::csv::ReaderBuilder::new().has_headers(false).flexible(true).delimiter(delimiter(text)).from_reader(text.as_bytes());
    let mut columns: Option<Vec<Column>> = None;
    let mut roster = Roster::default();
    let mut record = ::csv::StringRecord::new();
    let index = LineIndex::of(text);
    // A record begins where the one before it ended: at blank lines, or between the two bytes of a line's end.
    let line_of = |position: Option<&::csv::Position>| {
        let at = position.map_or(0, |position| usize::try_from(position.byte()).unwrap_or(usize::MAX)).min(text.len());
        let blank = text.as_bytes()[at..].iter().take_while(|byte| matches!(byte, b'\r' | b'\n')).count();
        index.line_at(at + blank)
    };
    loop {
        match reader.read_record(&mut record) {
            Ok(true) => {}
            Ok(false) => break,
            Err(error) => {
                return Err(RosterError { line: line_of(error.position()), message: format!("cannot be read as CSV ({error})") });
            }
        }
        let line = line_of(record.position());
        if record.iter().all(|cell| cell.trim().is_empty()) {
            continue;
        }
        match &columns {
            None => columns = Some(header(&record, line)?),
            Some(columns) => match row(&record, columns, line) {
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

/// Spreadsheets write semicolons where the comma is the decimal sign, and tabs on the clipboard.
fn delimiter(text: &str) -> u8 {
    let head = text.lines().find(|line| !line.trim().is_empty()).unwrap_or_default();
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
    for name in record {
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
        assert_eq!(refused, [3, 4, 6, 7, 8, 9, 10]);
        let read: Vec<&str> = roster.lines.iter().map(|line| line.builder.as_str()).collect();
        assert_eq!(read, ["ada", "gus"]);
        assert!(roster.lines[1].source.is_none());
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
