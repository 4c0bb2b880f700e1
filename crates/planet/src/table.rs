//! The CSV text of a table, read and written.

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;

use crate::error::PlanetError;
use crate::limits::{REGION_NAME_LEN_MAX, REGIONS_MAX, TIME_MS_MAX};

const HEADER: [&str; 6] = ["from", "to", "min_ms", "avg_ms", "max_ms", "mdev_ms"];

/// What `ping` measured between two regions, there and back, in microseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ping {
    /// The least round trip.
    pub min_us: u64,
    /// The mean round trip, which everything here is computed from.
    pub avg_us: u64,
    /// The greatest round trip.
    pub max_us: u64,
    /// The mean deviation that `ping` prints.
    pub mdev_us: u64,
}

/// One row, its times not yet parsed so that an error can name the cell.
#[derive(Deserialize)]
struct Row<'a> {
    from: &'a str,
    to: &'a str,
    min_ms: &'a str,
    avg_ms: &'a str,
    max_ms: &'a str,
    mdev_ms: &'a str,
}

/// Reads all rows, each directed pair at most once, over at most [`REGIONS_MAX`] regions.
pub(crate) fn read(text: &str) -> Result<BTreeMap<(String, String), Ping>, PlanetError> {
    let mut reader = csv::ReaderBuilder::new().trim(csv::Trim::All).from_reader(text.as_bytes());
    let header = reader.headers().map_err(|error| row_error(&error))?.clone();
    if header != HEADER[..] {
        return Err(PlanetError::Header {
            expected: HEADER.join(","),
            found: header.iter().collect::<Vec<_>>().join(","),
        });
    }

    let mut regions = BTreeSet::new();
    let mut lines = BTreeMap::new();
    let mut rows = BTreeMap::new();
    let mut record = csv::StringRecord::new();
    while reader.read_record(&mut record).map_err(|error| row_error(&error))? {
        let line = record.position().map_or(0, csv::Position::line);
        let row: Row<'_> = record.deserialize(Some(&header)).map_err(|error| row_error(&error))?;
        for name in [row.from, row.to] {
            if name.is_empty() || name.len() > REGION_NAME_LEN_MAX {
                return Err(PlanetError::RegionName { line, len: name.len() });
            }
            regions.insert(name.to_owned());
        }
        if regions.len() > REGIONS_MAX {
            return Err(PlanetError::TooManyRegions { line });
        }
        let ping = Ping {
            min_us: time_us(line, "min_ms", row.min_ms)?,
            avg_us: time_us(line, "avg_ms", row.avg_ms)?,
            max_us: time_us(line, "max_ms", row.max_ms)?,
            mdev_us: time_us(line, "mdev_ms", row.mdev_ms)?,
        };
        let pair = (row.from.to_owned(), row.to.to_owned());
        if let Some(first_line) = lines.insert(pair.clone(), line) {
            let (from, to) = pair;
            return Err(PlanetError::DuplicatePair { line, first_line, from, to });
        }
        rows.insert(pair, ping);
    }
    if rows.is_empty() { Err(PlanetError::Empty) } else { Ok(rows) }
}

/// Writes rows in the order given, with whole microseconds as three decimals.
pub(crate) fn write<'a>(rows: impl Iterator<Item = (&'a str, &'a str, Ping)>) -> String {
    let mut writer = csv::Writer::from_writer(Vec::new());
    let in_memory = "writing to memory does not fail";
    writer.write_record(HEADER).expect(in_memory);
    for (from, to, ping) in rows {
        let [min, avg, max, mdev] = [ping.min_us, ping.avg_us, ping.max_us, ping.mdev_us]
            .map(|us| format!("{}.{:03}", us / 1000, us % 1000));
        writer.write_record([from, to, &min, &avg, &max, &mdev]).expect(in_memory);
    }
    let bytes = writer.into_inner().expect(in_memory);
    String::from_utf8(bytes).expect("names and numbers are text")
}

fn time_us(line: u64, column: &'static str, cell: &str) -> Result<u64, PlanetError> {
    let found = || cell.to_owned();
    match cell.parse::<f64>() {
        Ok(ms) if ms < 0.0 => Err(PlanetError::Negative { line, column, found: found() }),
        Ok(ms) if ms > TIME_MS_MAX => Err(PlanetError::TooGreat { line, column, found: found() }),
        // Within the limits a double has far more digits than whole microseconds need.
        Ok(ms) if ms.is_finite() => Ok((ms * 1000.0).round() as u64),
        _ => Err(PlanetError::BadNumber { line, column, found: found() }),
    }
}

fn row_error(error: &csv::Error) -> PlanetError {
    let line = error.position().map_or(1, csv::Position::line);
    let reason = match error.kind() {
        csv::ErrorKind::UnequalLengths { expected_len, len, .. } => {
            format!("a row has {expected_len} cells, found {len}")
        }
        csv::ErrorKind::Utf8 { .. } => "the text is not UTF-8".to_owned(),
        _ => error.to_string(),
    };
    PlanetError::Row { line, reason }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::{Planet, Region};

    const HEAD: &str = "from,to,min_ms,avg_ms,max_ms,mdev_ms\n";

    fn planet(rows: &str) -> Result<Planet, PlanetError> {
        Planet::from_csv("mine", &format!("{HEAD}{rows}"))
    }

    #[test]
    fn one_direction_serves_both() {
        // Broken if a user had to measure both directions, or one were silently zero.
        let planet = planet("a,a,0,0.1,0,0\nb,b,0,0.1,0,0\nb,a,9,10.5,12,0\n").unwrap();
        let [a, b] = ["a", "b"].map(Region::new);
        assert_eq!(planet.one_way_us(&a, &b), Ok(5_250));
        assert_eq!(planet.round_trip_us(&a, &b), Ok(10_500));
    }

    #[test]
    fn a_missing_pair_is_named() {
        // Broken if an incomplete table were accepted or the user left to find the hole.
        let error = planet("a,a,0,0,0,0\nb,b,0,0,0,0\n").unwrap_err();
        assert_eq!(error, PlanetError::MissingPair { from: "a".into(), to: "b".into() });
        let error = planet("a,b,1,1,1,0\nb,b,0,0,0,0\n").unwrap_err();
        assert_eq!(error, PlanetError::MissingPair { from: "a".into(), to: "a".into() });
        assert_eq!(planet("").unwrap_err(), PlanetError::Empty);
    }

    #[test]
    fn a_bad_cell_is_named_with_its_line() {
        // Broken if a typing error gave a wrong latency, or an error without its place.
        for (cell, says) in [
            ("fast", "line 3: avg_ms must be a number of milliseconds, found \"fast\""),
            ("", "line 3: avg_ms must be a number of milliseconds, found \"\""),
            ("NaN", "line 3: avg_ms must be a number of milliseconds, found \"NaN\""),
            ("-1", "line 3: avg_ms is negative (-1); a time can't be"),
            ("inf", "line 3: avg_ms is inf, more than 3600000 ms: is it in milliseconds?"),
        ] {
            let error = planet(&format!("a,a,0,0,0,0\na,b,1,{cell},1,1\n")).unwrap_err();
            assert_eq!(error.to_string(), says);
        }
    }

    #[test]
    fn a_malformed_text_is_named_with_its_line() {
        // Broken if a wrong file were half read.
        let error = planet("a,a,0,0,0,0\na,a,0,0,0,0\n").unwrap_err();
        assert_eq!(error.to_string(), "line 3: a to a is already on line 2; remove one of them");
        let error = planet("a,a,0,0,0\n").unwrap_err();
        assert_eq!(error.to_string(), "line 2: a row has 6 cells, found 5");
        let error = planet(",a,0,0,0,0\n").unwrap_err();
        assert_eq!(error, PlanetError::RegionName { line: 2, len: 0 });
        let error = Planet::from_csv("mine", "from,to,rtt\na,a,1\n").unwrap_err();
        assert!(matches!(error, PlanetError::Header { .. }));
        let rows: String = (0..300).map(|i| format!("r{i},r{i},0,0,0,0\n")).collect();
        assert_eq!(planet(&rows).unwrap_err(), PlanetError::TooManyRegions { line: 258 });
    }

    #[test]
    fn built_in_tables_are_written_back_as_they_were_read() {
        // Broken if reading lost a digit of a measurement.
        for name in Planet::names() {
            let planet = Planet::named(name).unwrap();
            let text = crate::builtin::TABLES.iter().find(|table| table.0 == name).unwrap().1;
            assert_eq!(planet.to_csv(), text.replace("\r\n", "\n"));
        }
    }

    proptest! {
        #[test]
        fn any_table_is_read_back_as_written(
            names in prop::collection::btree_set("[a-z,\"\u{e9} -]{1,12}", 1..6),
            times in prop::collection::vec(0u64..=3_600_000_000, 4 * 36),
        ) {
            // Broken if a planet could not be saved and loaded again.
            let names: BTreeSet<String> = names.iter().map(|name| format!("r{name}r")).collect();
            let mut times = times.chunks(4);
            let mut rows = Vec::new();
            for from in &names {
                for to in &names {
                    let t = times.next().unwrap();
                    let ping = Ping { min_us: t[0], avg_us: t[1], max_us: t[2], mdev_us: t[3] };
                    rows.push((from.as_str(), to.as_str(), ping));
                }
            }
            let text = write(rows.iter().copied());
            let planet = Planet::from_csv("any", &text).unwrap();
            prop_assert_eq!(planet.to_csv(), text);
            for (from, to, ping) in rows {
                prop_assert_eq!(planet.ping(&Region::new(from), &Region::new(to)), Ok(ping));
            }
        }

        #[test]
        fn no_text_panics(text in "\\PC{0,200}", rows in "([ab],[ab](,[0-9.eE+-]{0,5}){3,5}\n){0,4}") {
            // Broken if a user's file could crash the program that loads it.
            let _ = Planet::from_csv("any", &text);
            let _ = planet(&rows);
        }
    }
}
