//! What an audit draws and tries, at most.

/// Cases of an audit that was not told how many.
pub const CASES: u32 = 2_000;

/// Commands of one case: enough for a state in which something shows, few enough that every two
/// neighbours can be tried in both orders.
pub const COMMANDS_MAX: usize = 8;

/// Attempts to make a counterexample smaller.
pub const SHRINK_ATTEMPTS_MAX: u32 = 20_000;

/// Of a hundred commands drawn, those that repeat an earlier one of their case: strategies rarely
/// draw the same command twice, and two equal commands must commute as any others.
pub const REPEATED_PERCENT: u32 = 15;

/// One of so many kinds of commands is in a case, each number for as many cases.
pub const KINDS_LEFT_OUT_OF: [u64; 4] = [1, 2, 4, 8];

/// Commands drawn, at most, for each command of a case: what is of a kind left out is dropped.
pub const DRAWN_FOR_ONE: usize = 4;

/// How often a case that seems to break a law of order is executed again in each order, to tell a
/// machine that is not deterministic from commands that do not commute.
pub const REPEATS: usize = 4;

/// Of a hundred commands drawn, those that the conflict function may refuse. With more refused, an
/// audit would find nothing wrong for want of commands.
pub const REFUSED_PERCENT_MAX: u64 = 50;

/// Pairs of two kinds of commands that must have been tried before it is said that they always
/// commute.
pub const TRIED_MIN: u64 = 50;

/// Cases between two calls of a progress function.
pub const PROGRESS_EVERY: u32 = 64;
