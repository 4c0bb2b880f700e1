//! What a planet may hold, and the memory that it implies.

/// The most regions that one planet may have.
///
/// A table holds one [`Ping`](crate::Ping) of 32 bytes for each ordered pair: 2 MiB at this limit.
pub const REGIONS_MAX: usize = 256;

/// The longest name of a region, in bytes. With [`REGIONS_MAX`] names: 32 KiB.
pub(crate) const REGION_NAME_LEN_MAX: usize = 128;

/// The greatest time that a cell may hold, in milliseconds: one hour.
///
/// A round trip beyond it is a mistake of unit, and sums of a few stay far from overflow.
pub(crate) const TIME_MS_MAX: f64 = 3_600_000.0;
