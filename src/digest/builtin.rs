//! The categories and regions of a program that names none of its own.
//!
//! In: nothing. Out: the bundled tables. Regions are the sub-regions of the United Nations' M49 standard, so that one
//! large region cannot hide another. What a work is about is for the topic.

use serde::Deserialize;

use crate::config::{Category, Region};

/// The bundled categories, in their order.
pub fn builtin_categories() -> Vec<Category> {
    #[derive(Deserialize)]
    struct Table {
        category: Vec<Category>,
    }
    toml::from_str::<Table>(include_str!("categories.toml")).expect("the bundled table is whole; a test reads it").category
}

/// The bundled regions, in their order.
pub fn builtin_regions() -> Vec<Region> {
    #[derive(Deserialize)]
    struct Table {
        region: Vec<Region>,
    }
    toml::from_str::<Table>(include_str!("regions.toml")).expect("the bundled table is whole; a test reads it").region
}

/// The key of the region that a country is in, by its ISO 3166-1 alpha-2 code in either case.
pub fn region_of<'a>(country: &str, regions: &'a [Region]) -> Option<&'a str> {
    let country = country.trim();
    regions.iter().find(|region| region.countries.iter().any(|code| code.eq_ignore_ascii_case(country))).map(|region| &*region.key)
}

/// The key of the region that a text names, by its key or its name, in either case.
pub fn region_named<'a>(text: &str, regions: &'a [Region]) -> Option<&'a str> {
    let text = text.trim();
    let is = |name: &str| name.to_lowercase() == text.to_lowercase();
    regions.iter().find(|region| is(&region.key)).or_else(|| regions.iter().find(|region| is(&region.name))).map(|region| &*region.key)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_country_is_in_one_region() {
        let regions = builtin_regions();
        let codes: Vec<&String> = regions.iter().flat_map(|region| &region.countries).collect();
        let distinct: BTreeSet<&&String> = codes.iter().collect();
        assert_eq!(distinct.len(), codes.len(), "a code stands twice");
        // ISO 3166-1 has 249 codes; XK is in common use for Kosovo beside them.
        assert_eq!(codes.len(), 250);
        assert!(codes.iter().all(|code| code.len() == 2 && code.bytes().all(|byte| byte.is_ascii_uppercase())));
        for (country, region) in
            [("KE", "eastern_africa"), ("ng", "western_africa"), ("DE", "western_europe"), ("BR", "south_america"), ("TW", "eastern_asia")]
        {
            assert_eq!(region_of(country, &regions), Some(region), "{country}");
        }
        assert_eq!(region_of("ZZ", &regions), None);
    }

    #[test]
    fn every_category_says_what_speaks_for_it() {
        let categories = builtin_categories();
        let keys: BTreeSet<&String> = categories.iter().map(|category| &category.key).collect();
        assert_eq!(keys.len(), categories.len());
        for category in &categories {
            assert!(!category.tags.is_empty() && !category.services.is_empty() && !category.words.is_empty(), "{}", category.key);
            assert!(category.tags.iter().chain(&category.words).all(|text| *text == text.to_lowercase()), "{}", category.key);
        }
        let services: Vec<&String> = categories.iter().flat_map(|category| &category.services).collect();
        assert_eq!(services.iter().collect::<BTreeSet<_>>().len(), services.len(), "a service speaks for one category alone");
    }
}
