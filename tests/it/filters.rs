//! Many authors and many topics in one source: what counts, for whom, and why the rest does not.

use std::path::Path;

use serde_json::Value;

use crate::support::site::{Site, answer};
use crate::support::{configure, good, json, run};

/// An item: title, path, author, category.
fn item(site: &str, title: &str, path: &str, author: &str, category: &str) -> String {
    format!(
        "<item><title>{title}</title><link>https://{site}.example{path}</link><guid>https://{site}.example{path}</guid>\
         <dc:creator>{author}</dc:creator><category>{category}</category><pubDate>Wed, 18 Nov 2026 10:00:00 GMT</pubDate></item>"
    )
}

fn feed(items: &[String]) -> Vec<u8> {
    let text = format!(
        "<rss version=\"2.0\" xmlns:dc=\"http://purl.org/dc/elements/1.1/\"><channel><title>T</title>{}</channel></rss>",
        items.concat()
    );
    answer("200 OK", "Content-Type: application/rss+xml\r\n", &text)
}

fn guild() -> Vec<u8> {
    feed(&[
        item("guild", "Queues at night", "/ada/queues", "Ada Lovelace", "AWS"),
        item("guild", "Salt and pans", "/ada/salt", "Ada Lovelace", "Cooking"),
        item("guild", "Tables by hand", "/ben/tables", "Ben Bitdiddle", "AWS"),
        item("guild", "A guest speaks", "/guests/one", "Cy Register", "AWS"),
        item("guild", "Nobody we know", "/guests/two", "Stranger Danger", "AWS"),
    ])
}

/// Title to slugs, of all that is listed.
fn listed(folder: &Path) -> Vec<(String, String)> {
    let mut rows: Vec<(String, String)> = json(folder, &["log", "list"])
        .as_array()
        .unwrap()
        .iter()
        .map(|row| {
            let slugs: Vec<&str> = row["builders"].as_array().unwrap().iter().map(|slug| slug.as_str().unwrap()).collect();
            (row["title"].as_str().unwrap().to_owned(), slugs.join(" "))
        })
        .collect();
    rows.sort();
    rows
}

fn reason(folder: &Path, address: &str) -> (String, String) {
    let explained = json(folder, &["explain", address]);
    let failed = explained["checks"].as_array().unwrap().iter().find(|check| check["state"] == "failed").unwrap_or(&Value::Null).clone();
    (explained["code"].as_str().unwrap_or("").to_owned(), failed["text"].as_str().unwrap_or("").to_owned())
}

#[test]
fn a_feed_of_many_credits_whom_it_names_keeps_out_what_is_filtered_and_says_so() {
    let site = Site::start(|_| guild());
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    configure(folder, "");
    let url = site.url("/feed.xml");
    // Ada was first, and registered the guild's feed as a whole; Ben comes later, Cy never claims it.
    std::fs::write(
        folder.join("r.csv"),
        format!(
            "builder,name,kind,url,author,not_tags,only_paths\nada,Ada Lovelace,rss,{url},Ada Lovelace,cooking,\ncy,Cy Register,,,,,\n"
        ),
    )
    .unwrap();
    good(folder, &["registry", "import", "r.csv"]);
    good(folder, &["poll"]);
    let by = |slugs: &[(&str, &str)]| slugs.iter().map(|(title, slugs)| ((*title).to_owned(), (*slugs).to_owned())).collect::<Vec<_>>();
    assert_eq!(listed(folder), by(&[("A guest speaks", "cy"), ("Queues at night", "ada")]));
    let (code, text) = reason(folder, "https://guild.example/ada/salt");
    assert_eq!(code, "filtered_tag");
    assert!(text.contains("`not_tags = cooking` of ada"), "{text}");
    let (code, text) = reason(folder, "https://guild.example/ben/tables");
    assert!(code == "filtered_author" && text.contains("only entries by Ada Lovelace count"), "{code} {text}");

    // A member who joins later is credited for what was there before, whoever was first.
    std::fs::write(folder.join("b.csv"), "builder,name,kind,url\nben,Ben Bitdiddle,,\n").unwrap();
    good(folder, &["registry", "import", "b.csv"]);
    assert_eq!(listed(folder), by(&[("A guest speaks", "cy"), ("Queues at night", "ada"), ("Tables by hand", "ben")]));

    // Another filter settles the source anew, and comes back as it was from an export.
    let set = good(folder, &["source", "filter", "s1", "not_tags=", "only_paths=/ada/"]);
    assert_eq!(set, "s1 for ada: only_paths=/ada/\n");
    assert_eq!(listed(folder), by(&[("Queues at night", "ada"), ("Salt and pans", "ada")]));
    assert_eq!(reason(folder, "https://guild.example/guests/one").0, "filtered_path");
    let exported = good(folder, &["registry", "export"]);
    assert!(exported.lines().next().unwrap().contains("author,only_paths"), "{exported}");
    std::fs::write(folder.join("e.csv"), &exported).unwrap();
    assert!(good(folder, &["registry", "import", "e.csv"]).contains("3 unchanged"), "{exported}");
    let toml = good(folder, &["registry", "export", "--format", "toml"]);
    assert!(toml.contains("only_paths = [\"/ada/\"]"), "{toml}");
    std::fs::write(folder.join("e.toml"), &toml).unwrap();
    assert!(good(folder, &["registry", "import", "e.toml"]).contains("0 added, 0 changed"), "{toml}");
    // A roster that does not speak of the filter leaves it; a dash empties it.
    std::fs::write(folder.join("r.csv"), format!("builder,name,kind,url,only_paths\nada,,rss,{url},-\n")).unwrap();
    assert!(good(folder, &["registry", "import", "r.csv"]).contains("changed (filters)"));
    assert_eq!(listed(folder).len(), 4);
    assert_eq!(json(folder, &["rebuild"])["same"], true);

    run(folder, &["source", "filter", "s1", "only_smells=x"]).refused(2, &["there is no filter `only_smells`", "not_tags"]);
    run(folder, &["source", "filter", "s1", "not_kinds=sonnet"]).refused(2, &["`sonnet` is no kind of work"]);
}

#[test]
fn kinds_are_filtered_and_co_authors_are_kept() {
    let site = Site::start(|asked| {
        if asked.path.starts_with("/yt") {
            let video = |id: &str, path: &str| {
                format!(
                    "<entry><id>yt:video:{id}</id><yt:videoId>{id}</yt:videoId><title>Film {id}</title>\
                     <link rel=\"alternate\" href=\"https://www.youtube.com/{path}{id}\"/><published>2026-11-18T10:00:00Z</published>\
                     <media:group><media:community><media:statistics views=\"7\"/></media:community></media:group></entry>"
                )
            };
            let text = format!(
                "<feed xmlns=\"http://www.w3.org/2005/Atom\" xmlns:yt=\"http://www.youtube.com/xml/schemas/2015\" \
                 xmlns:media=\"http://search.yahoo.com/mrss/\"><title>Films</title>{}{}</feed>",
                video("aaaaaaaaaaa", "watch?v="),
                video("bbbbbbbbbbb", "shorts/")
            );
            return answer("200 OK", "", &text);
        }
        let both = "Ada Lovelace</dc:creator><dc:creator>Ben Bitdiddle";
        feed(&[item("duo", "Together", "/together", both, "AWS"), item("duo", "Words of kiln", "/kiln", "Ada Lovelace", "AWS")])
    });
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    configure(folder, &format!("[youtube]\nfeed_url = \"{}\"\n", site.url("/yt")));
    let channel = format!("https://www.youtube.com/channel/UC{}", "x".repeat(22));
    let toml = format!(
        "[[builder]]\nslug = \"ada\"\nname = \"Ada Lovelace\"\n[[builder.source]]\nurl = \"{channel}\"\nnot_kinds = [\"Shorts\", \"replies\"]\n\
         [[builder.source]]\nkind = \"rss\"\nurl = \"{}\"\nnot_words = \"kiln\"\n[[builder]]\nslug = \"ben\"\nname = \"Ben Bitdiddle\"\n",
        site.url("/duo.xml")
    );
    std::fs::write(folder.join("r.toml"), toml).unwrap();
    good(folder, &["registry", "import", "r.toml"]);
    good(folder, &["poll"]);
    let rows = listed(folder);
    assert_eq!(rows, [("Film aaaaaaaaaaa".to_owned(), "ada".to_owned()), ("Together".to_owned(), "ada ben".to_owned())]);
    let together = json(folder, &["log", "list"]).as_array().unwrap().iter().find(|row| row["title"] == "Together").unwrap().clone();
    let roles: Vec<&str> = together["credits"].as_array().unwrap().iter().map(|credit| credit["role"].as_str().unwrap()).collect();
    assert_eq!(roles, ["author", "co_author"], "{together}");
    assert_eq!(reason(folder, "https://www.youtube.com/shorts/bbbbbbbbbbb").0, "filtered_kind");
    assert_eq!(reason(folder, "https://duo.example/kiln").0, "filtered_word");
}
