//! The planet: its regions, and how far it is from each to each.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use crate::builtin::TABLES;
use crate::error::PlanetError;
use crate::table::{self, Ping};

/// A region of a planet, by the name that its table gives it. Cheap to clone.
///
/// A region that belongs to one planet can be asked of another one that has the same name in its
/// table; [`PlanetError::UnknownRegion`] otherwise.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Region(Arc<str>);

impl Region {
    /// A region of this name, whether or not any planet has it.
    pub fn new(name: &str) -> Region {
        Region(name.into())
    }

    /// The name, as in the table.
    pub fn name(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Region {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A complete table of round trips between regions; the crate's documentation says how one ways
/// follow from them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Planet {
    name: String,
    /// In ascending order of name, so that nothing depends on the order of a file's rows.
    regions: Vec<Region>,
    place_of: BTreeMap<Region, usize>,
    /// Row by row: the cell of `from`, `to` is at `from * regions.len() + to`.
    pings: Vec<Ping>,
}

impl Planet {
    /// The names of the built-in planets.
    pub fn names() -> impl Iterator<Item = &'static str> {
        TABLES.iter().map(|&(name, _)| name)
    }

    /// The built-in planet of this name.
    ///
    /// # Errors
    /// [`PlanetError::UnknownPlanet`], with the nearest name there is.
    pub fn named(name: &str) -> Result<Planet, PlanetError> {
        match TABLES.iter().find(|(known, _)| *known == name) {
            Some((name, text)) => Planet::from_csv(name, text),
            None => Err(PlanetError::UnknownPlanet {
                name: name.to_owned(),
                nearest: nearest(name, Planet::names()).to_owned(),
                all: Planet::names().collect::<Vec<_>>().join(", "),
            }),
        }
    }

    /// A planet from a CSV table with the columns `from,to,min_ms,avg_ms,max_ms,mdev_ms` (what
    /// `ping` prints, in milliseconds; finer than a microsecond is rounded).
    ///
    /// Each pair of regions, and each region with itself, needs a row. If a pair has a row in one
    /// direction only, that row is used for both.
    ///
    /// # Errors
    /// What is wrong with the text, with the line; see [`PlanetError`].
    pub fn from_csv(name: &str, text: &str) -> Result<Planet, PlanetError> {
        let rows = table::read(text)?;
        let names: std::collections::BTreeSet<&str> =
            rows.keys().flat_map(|(from, to)| [from.as_str(), to.as_str()]).collect();
        let regions: Vec<Region> = names.into_iter().map(Region::new).collect();

        let mut pings = Vec::with_capacity(regions.len() * regions.len());
        for from in &regions {
            for to in &regions {
                let directed = |a: &Region, b: &Region| {
                    rows.get(&(a.name().to_owned(), b.name().to_owned())).copied()
                };
                let ping = directed(from, to).or_else(|| directed(to, from));
                pings.push(ping.ok_or_else(|| PlanetError::MissingPair {
                    from: from.name().to_owned(),
                    to: to.name().to_owned(),
                })?);
            }
        }
        let place_of = regions.iter().cloned().zip(0..).collect();
        Ok(Planet { name: name.to_owned(), regions, place_of, pings })
    }

    /// The table as CSV text, complete and in order; [`Planet::from_csv`] reads it back unchanged.
    pub fn to_csv(&self) -> String {
        let pairs =
            self.regions.iter().flat_map(|from| self.regions.iter().map(move |to| (from, to)));
        let rows = pairs.zip(&self.pings).map(|((from, to), ping)| (from.name(), to.name(), *ping));
        table::write(rows)
    }

    /// The planet's name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// All regions, in ascending order of name.
    pub fn regions(&self) -> &[Region] {
        &self.regions
    }

    /// The region of this name.
    ///
    /// # Errors
    /// [`PlanetError::UnknownRegion`], with the nearest name there is.
    pub fn region(&self, name: &str) -> Result<Region, PlanetError> {
        let region = Region::new(name);
        self.place(&region)?;
        Ok(region)
    }

    /// The measurement of row `from,to`.
    ///
    /// # Errors
    /// [`PlanetError::UnknownRegion`].
    pub fn ping(&self, from: &Region, to: &Region) -> Result<Ping, PlanetError> {
        let cell = self.place(from)? * self.regions.len() + self.place(to)?;
        Ok(self.pings[cell])
    }

    /// How long a datagram takes from `from` to `to`, in microseconds: half of the average round
    /// trip of that row, a half microsecond rounded up.
    ///
    /// # Errors
    /// [`PlanetError::UnknownRegion`].
    pub fn one_way_us(&self, from: &Region, to: &Region) -> Result<u64, PlanetError> {
        Ok(self.ping(from, to)?.avg_us.div_ceil(2))
    }

    /// The round trip between two regions, in microseconds: both one ways added, so the same from
    /// either end.
    ///
    /// # Errors
    /// [`PlanetError::UnknownRegion`].
    pub fn round_trip_us(&self, a: &Region, b: &Region) -> Result<u64, PlanetError> {
        Ok(self.one_way_us(a, b)? + self.one_way_us(b, a)?)
    }

    pub(crate) fn place(&self, region: &Region) -> Result<usize, PlanetError> {
        self.place_of.get(region).copied().ok_or_else(|| PlanetError::UnknownRegion {
            planet: self.name.clone(),
            name: region.name().to_owned(),
            nearest: nearest(region.name(), self.regions.iter().map(Region::name)).to_owned(),
        })
    }
}

/// The candidate that takes the fewest edits to get to; the first of several.
fn nearest<'a>(name: &str, candidates: impl Iterator<Item = &'a str>) -> &'a str {
    candidates
        .min_by_key(|candidate| strsim::damerau_levenshtein(name, candidate))
        .expect("a planet has a region, and there are built-in planets")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_built_in_table_is_complete() {
        // Broken if a shipped table lost a row, or a name no longer finds its file.
        let lens: Vec<_> =
            Planet::names().map(|name| Planet::named(name).unwrap().regions().len()).collect();
        assert_eq!(lens, [19, 5, 20]);
    }

    #[test]
    fn distances_follow_the_table() {
        // Broken if halving, rounding or direction changed: every delay of the emulator would.
        let planet = Planet::named("aws-2021-02-13").unwrap();
        let ireland = planet.region("eu-west-1").unwrap();
        let singapore = planet.region("ap-southeast-1").unwrap();
        // Rows: 175.732 from Ireland, 175.729 from Singapore.
        assert_eq!(planet.one_way_us(&ireland, &singapore), Ok(87_866));
        assert_eq!(planet.one_way_us(&singapore, &ireland), Ok(87_865));
        assert_eq!(planet.round_trip_us(&ireland, &singapore), Ok(175_731));
        assert_eq!(planet.round_trip_us(&singapore, &ireland), Ok(175_731));
        // Its own row: 0.154.
        assert_eq!(planet.round_trip_us(&ireland, &ireland), Ok(154));
    }

    #[test]
    fn a_misspelt_name_is_told_the_nearest() {
        // Broken if a user who mistypes a name is left to search the list.
        let error = Planet::named("aws-2021-02-31").unwrap_err();
        assert!(error.to_string().contains("did you mean \"aws-2021-02-13\"?"), "{error}");
        let error = Planet::named("gcp-2020").unwrap().region("europe-wset1").unwrap_err();
        assert!(error.to_string().contains("did you mean \"europe-west1\"?"), "{error}");
        let planet = Planet::named("gcp-2020").unwrap();
        let mars = Region::new("mars-north-1");
        assert!(planet.round_trip_us(&mars, &mars).is_err());
    }
}
