//! The tables that are compiled in; `data/README.md` says where they come from.

/// A built-in planet is named as its file is, without `rtt-` and `.csv`.
pub(crate) const TABLES: [(&str, &str); 3] = [
    ("aws-2020-06-05", include_str!("../data/rtt-aws-2020-06-05.csv")),
    ("aws-2021-02-13", include_str!("../data/rtt-aws-2021-02-13.csv")),
    ("gcp-2020", include_str!("../data/rtt-gcp-2020.csv")),
];
