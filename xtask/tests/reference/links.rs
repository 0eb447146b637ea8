//! Links of the documents lead somewhere.

use std::path::{Path, PathBuf};

use crate::root;

fn documents(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            documents(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "md") {
            found.push(path);
        }
    }
}

/// The anchor that GitHub gives a heading.
fn anchor(heading: &str) -> String {
    let kept = heading.trim().to_lowercase();
    let kept = kept.chars().filter(|letter| letter.is_alphanumeric() || [' ', '-', '_'].contains(letter));
    kept.collect::<String>().replace(' ', "-")
}

fn anchors(text: &str) -> Vec<String> {
    text.lines()
        .filter(|line| line.starts_with('#'))
        .map(|line| anchor(line.trim_start_matches('#')))
        .collect()
}

/// What stands in the parentheses of links.
fn targets(text: &str) -> impl Iterator<Item = &str> {
    text.split("](").skip(1).filter_map(|rest| rest.split_once(')')).map(|(target, _)| target)
}

#[test]
fn every_link_of_the_documents_leads_somewhere() {
    let mut files = vec![root("README.md")];
    documents(&root("docs"), &mut files);
    let mut followed = 0;
    for file in files {
        let text = std::fs::read_to_string(&file).unwrap();
        for target in targets(&text).filter(|target| !target.contains("://")) {
            followed += 1;
            let (path, place) = target.split_once('#').unwrap_or((target, ""));
            let path = if path.is_empty() { file.clone() } else { file.parent().unwrap().join(path) };
            assert!(path.exists(), "{}: {target}", file.display());
            if !place.is_empty() {
                let anchors = anchors(&std::fs::read_to_string(&path).unwrap());
                assert!(anchors.contains(&place.to_owned()), "{}: {target}; {anchors:?}", file.display());
            }
        }
    }
    assert!(followed >= 40, "{followed}");
}

#[test]
fn every_alert_has_its_part_of_the_runbook_and_none_is_left_over() {
    let named = |text: &str, before: &str| {
        let names = text.lines().filter_map(|line| line.trim().strip_prefix(before));
        names.map(|name| name.trim().to_owned()).collect::<std::collections::BTreeSet<_>>()
    };
    let alerts = named(&crate::text("deploy/prometheus/alerts.yaml"), "- alert:");
    assert!(alerts.len() >= 5, "{alerts:?}");
    assert_eq!(named(&crate::text("docs/operations.md"), "### "), alerts);
}

#[test]
fn every_metric_that_the_documents_name_is_one() {
    let published = crate::text("testdata/goldens/metrics.txt");
    let published: Vec<&str> = published.lines().filter_map(|line| Some(line.split_once('{')?.0)).collect();
    let text = crate::text("docs/operations.md");
    let named: Vec<&str> =
        text.split('`').skip(1).step_by(2).filter(|word| word.starts_with("housepipe_")).collect();
    assert!(named.len() >= 5, "{named:?}");
    for name in named {
        assert!(published.contains(&name), "`{name}` is no metric");
    }
}
