//! Which metrics and labels a query of Prometheus names. It reads no more of the language than that takes, and refuses what it does not
//! know.

use std::collections::BTreeSet;

/// Functions and aggregations that queries here may use.
const FUNCTIONS: [&str; 14] = [
    "abs",
    "absent",
    "count",
    "deriv",
    "histogram_quantile",
    "increase",
    "max",
    "min",
    "rate",
    "sum",
    "time",
    "topk",
    "avg",
    "delta",
];

/// Words before a list of labels in brackets.
const GROUPING: [&str; 6] = ["by", "without", "on", "ignoring", "group_left", "group_right"];

/// Words between expressions.
const BETWEEN: [&str; 5] = ["and", "or", "unless", "bool", "offset"];

/// What a query names.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Use {
    /// Each metric, with the labels that it is filtered by.
    pub(crate) metrics: Vec<(String, BTreeSet<String>)>,
    /// Labels by which it groups or joins.
    pub(crate) grouped: BTreeSet<String>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Token {
    Word(String),
    Sign(char),
    Text,
    /// A number, a span of time, or a variable of the dashboard.
    Other,
}

/// What `query` names.
pub(crate) fn uses(query: &str) -> Result<Use, String> {
    let tokens = tokens(query)?;
    let mut found = Use::default();
    let mut open = Vec::new();
    let mut at = 0;
    while let Some(token) = tokens.get(at) {
        at += 1;
        match token {
            Token::Sign(sign @ ('(' | '[' | '{')) => {
                open.push(*sign);
                if *sign == '{' {
                    let (_, labels) = found.metrics.last_mut().ok_or("labels of nothing")?;
                    at = matched(&tokens, at, labels)?;
                    open.pop();
                }
            }
            Token::Sign(')') if open.pop() != Some('(') => return Err("a bracket too many".to_owned()),
            Token::Sign(']') if open.pop() != Some('[') => return Err("a bracket too many".to_owned()),
            Token::Word(word) if GROUPING.contains(&word.as_str()) => {
                at = listed(&tokens, at, &mut found.grouped)?;
            }
            Token::Word(word) if BETWEEN.contains(&word.as_str()) => {}
            Token::Word(word) if calls(&tokens, at) => {
                if !FUNCTIONS.contains(&word.as_str()) {
                    return Err(format!("no function {word}"));
                }
            }
            Token::Word(word) => found.metrics.push((word.clone(), BTreeSet::new())),
            Token::Sign(_) | Token::Text | Token::Other => {}
        }
    }
    if open.is_empty() { Ok(found) } else { Err("a bracket too few".to_owned()) }
}

/// Whether a list of arguments follows, also behind `by (…)`.
fn calls(tokens: &[Token], at: usize) -> bool {
    match tokens.get(at) {
        Some(Token::Sign('(')) => true,
        Some(Token::Word(word)) => ["by", "without"].contains(&word.as_str()),
        _ => false,
    }
}

/// Labels in brackets; returns where the query goes on.
fn listed(tokens: &[Token], mut at: usize, labels: &mut BTreeSet<String>) -> Result<usize, String> {
    if tokens.get(at) != Some(&Token::Sign('(')) {
        return Err("a list of labels begins with (".to_owned());
    }
    loop {
        at += 1;
        match tokens.get(at) {
            Some(Token::Word(label)) => drop(labels.insert(label.clone())),
            Some(Token::Sign(',')) => {}
            Some(Token::Sign(')')) => return Ok(at + 1),
            other => return Err(format!("{other:?} in a list of labels")),
        }
    }
}

/// Filters by labels; returns where the query goes on.
fn matched(tokens: &[Token], mut at: usize, labels: &mut BTreeSet<String>) -> Result<usize, String> {
    loop {
        match tokens.get(at) {
            Some(Token::Word(label)) => drop(labels.insert(label.clone())),
            Some(Token::Sign('=' | '!' | '~' | ',') | Token::Text) => {}
            Some(Token::Sign('}')) => return Ok(at + 1),
            other => return Err(format!("{other:?} in a filter")),
        }
        at += 1;
    }
}

fn tokens(query: &str) -> Result<Vec<Token>, String> {
    let mut tokens = Vec::new();
    let mut rest = query.chars().peekable();
    while let Some(letter) = rest.next() {
        let mut word = |first: String, more: fn(&char) -> bool| {
            let mut word = first;
            while let Some(next) = rest.next_if(more) {
                word.push(next);
            }
            word
        };
        match letter {
            letter if letter.is_whitespace() => {}
            '"' => loop {
                match rest.next() {
                    Some('\\') => drop(rest.next()),
                    Some('"') => break tokens.push(Token::Text),
                    Some(_) => {}
                    None => return Err("a text without an end".to_owned()),
                }
            },
            '$' | '0'..='9' => {
                word(String::new(), |letter| letter.is_ascii_alphanumeric() || "_.".contains(*letter));
                tokens.push(Token::Other);
            }
            'a'..='z' | 'A'..='Z' | '_' => {
                tokens.push(Token::Word(word(letter.to_string(), |letter| {
                    letter.is_ascii_alphanumeric() || "_:".contains(*letter)
                })));
            }
            sign => tokens.push(Token::Sign(sign)),
        }
    }
    Ok(tokens)
}

#[test]
fn a_query_names_metrics_filters_and_groups() {
    let found = |query: &str| {
        let Use { metrics, grouped } = uses(query).unwrap();
        let metrics: Vec<String> = metrics
            .into_iter()
            .map(|(metric, labels)| {
                format!("{metric}{{{}}}", labels.into_iter().collect::<Vec<_>>().join(","))
            })
            .collect();
        (metrics.join(" "), grouped.into_iter().collect::<Vec<_>>().join(","))
    };
    for (query, metrics, grouped) in [
        ("a == 0", "a{}", ""),
        (
            "sum by (x, y) (rate(a_total{l=~\"by (\\\"z\\\")\", m!=\"1\"}[$__rate_interval])) / 2",
            "a_total{l,m}",
            "x,y",
        ),
        ("sum(a) by (x) > 5m", "a{}", "x"),
        ("a and on (x) b unless c{p=\"1\"}", "a{} b{} c{p}", "x"),
        ("histogram_quantile(0.99, sum by (le) (rate(h_bucket[5m])))", "h_bucket{}", "le"),
    ] {
        assert_eq!(found(query), (metrics.to_owned(), grouped.to_owned()), "{query}");
    }
    for query in ["rate(a", "rat(a)", "a{b", "a)", "{x=\"1\"}", "\"a", "sum by x (a)", "a[5m"] {
        assert!(uses(query).is_err(), "{query}");
    }
}
