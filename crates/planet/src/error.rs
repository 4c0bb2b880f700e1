//! What can be wrong with a planet or a question to it.

use crate::limits::{REGION_NAME_LEN_MAX, REGIONS_MAX, TIME_MS_MAX};

/// Why a planet could not be built or asked. Lines count from 1, the header being the first.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PlanetError {
    /// No built-in planet has this name.
    #[error("no built-in planet is named {name:?}: did you mean {nearest:?}? (there are: {all})")]
    UnknownPlanet {
        /// What was asked for.
        name: String,
        /// The built-in name with the smallest edit distance.
        nearest: String,
        /// All built-in names, separated by commas.
        all: String,
    },
    /// The planet has no such region.
    #[error("planet {planet:?} has no region {name:?}: did you mean {nearest:?}?")]
    UnknownRegion {
        /// The planet that was asked.
        planet: String,
        /// The region that was asked for.
        name: String,
        /// The planet's region with the smallest edit distance.
        nearest: String,
    },
    /// The first line does not name the columns.
    #[error("line 1 must be the header {expected:?}, found {found:?}")]
    Header {
        /// The header that belongs there.
        expected: String,
        /// What stands there.
        found: String,
    },
    /// The text is not CSV, or a row has another number of cells than the header.
    #[error("line {line}: {reason}")]
    Row {
        /// Where.
        line: u64,
        /// What the CSV reader says.
        reason: String,
    },
    /// A region's name is empty or too long.
    #[error("line {line}: a region's name must have 1 to {REGION_NAME_LEN_MAX} bytes, found {len}")]
    RegionName {
        /// Where.
        line: u64,
        /// The length found, in bytes.
        len: usize,
    },
    /// A cell is not a number.
    #[error("line {line}: {column} must be a number of milliseconds, found {found:?}")]
    BadNumber {
        /// Where.
        line: u64,
        /// The column's name.
        column: &'static str,
        /// What stands there.
        found: String,
    },
    /// A cell is below zero.
    #[error("line {line}: {column} is negative ({found}); a time can't be")]
    Negative {
        /// Where.
        line: u64,
        /// The column's name.
        column: &'static str,
        /// What stands there.
        found: String,
    },
    /// A cell is too great to be a round trip.
    #[error("line {line}: {column} is {found}, more than {TIME_MS_MAX} ms: is it in milliseconds?")]
    TooGreat {
        /// Where.
        line: u64,
        /// The column's name.
        column: &'static str,
        /// What stands there.
        found: String,
    },
    /// A directed pair has two rows.
    #[error("line {line}: {from} to {to} is already on line {first_line}; remove one of them")]
    DuplicatePair {
        /// Where the second row is.
        line: u64,
        /// Where the first row is.
        first_line: u64,
        /// The pair's `from`.
        from: String,
        /// The pair's `to`.
        to: String,
    },
    /// A pair has a row in neither direction.
    #[error("the table has no row between {from} and {to}: add one in either direction")]
    MissingPair {
        /// One region.
        from: String,
        /// The other; the same one if its row to itself is missing.
        to: String,
    },
    /// The table has no rows.
    #[error("the table has no rows")]
    Empty,
    /// The table has too many regions.
    #[error("line {line}: more than {REGIONS_MAX} regions, which is the limit")]
    TooManyRegions {
        /// Where the first one too many is.
        line: u64,
    },
    /// A quorum of no member, or of more than there are.
    #[error("a quorum of {quorum_size} of {members_len} members: it must have 1 to {members_len}")]
    QuorumSize {
        /// The size asked for.
        quorum_size: usize,
        /// How many members there are.
        members_len: usize,
    },
    /// The proposer's region is not one of the members'.
    #[error("{region} is not among the members' regions; the bound is for a proposer that votes")]
    NotAMember {
        /// The proposer's region.
        region: String,
    },
}
