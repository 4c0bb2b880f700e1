//! How large quorums are, and how long the nearest one takes to answer.

use crate::error::PlanetError;
use crate::planet::{Planet, Region};

/// The smallest majority of `n`.
pub const fn majority(n: usize) -> usize {
    n / 2 + 1
}

/// The size of the fast quorum of `n` members of which `f` may fail, the proposer's own voter
/// counted: `n / 2 + f` (Atlas, EuroSys '20, section 3.2). With `f = 1` it is a majority for odd `n`.
///
/// # Panics
/// If `f` is 0, or a minority of `n` has fewer than `f` members: no quorum of that kind exists.
pub const fn fast_quorum_size(n: usize, f: usize) -> usize {
    assert!(f >= 1 && 2 * f < n, "f must be at least 1 and leave a majority of n");
    n / 2 + f
}

/// Lower bounds of latency. `members` lists the region of each voter; a region may stand there more
/// than once, and the proposer is one of its region's members. Its own answer takes no time.
impl Planet {
    /// How long a proposer in `region` waits at least for `quorum_size` answers, its own among them,
    /// in microseconds: the round trip to the `quorum_size - 1`-th nearest other member, and 0 for a
    /// quorum of one. No protocol that needs that quorum commits sooner.
    ///
    /// # Errors
    /// [`PlanetError::UnknownRegion`], [`PlanetError::NotAMember`], [`PlanetError::QuorumSize`].
    pub fn bound_us(
        &self,
        region: &Region,
        members: &[Region],
        quorum_size: usize,
    ) -> Result<u64, PlanetError> {
        if quorum_size == 0 || quorum_size > members.len() {
            return Err(PlanetError::QuorumSize { quorum_size, members_len: members.len() });
        }
        let own = members
            .iter()
            .position(|member| member == region)
            .ok_or_else(|| PlanetError::NotAMember { region: region.name().to_owned() })?;

        // The proposer's own answer is first and free, the others follow by distance.
        let mut answers_us = Vec::with_capacity(members.len());
        for (at, member) in members.iter().enumerate() {
            answers_us.push(if at == own { 0 } else { self.round_trip_us(region, member)? });
        }
        answers_us.sort_unstable();
        Ok(answers_us[quorum_size - 1])
    }

    /// The mean over the members of [`Planet::bound_us`], in microseconds, rounded to the nearest:
    /// the least mean commit latency if every member proposes as often.
    ///
    /// # Errors
    /// As [`Planet::bound_us`].
    pub fn mean_bound_us(
        &self,
        members: &[Region],
        quorum_size: usize,
    ) -> Result<u64, PlanetError> {
        self.mean_us(members, quorum_size, |region| self.bound_us(region, members, quorum_size))
    }

    /// The least mean commit latency over clients at each member if every command goes through
    /// `leader`, in microseconds: to the leader and back, and the leader's own quorum between.
    ///
    /// # Errors
    /// As [`Planet::bound_us`].
    pub fn leader_mean_us(
        &self,
        leader: &Region,
        members: &[Region],
        quorum_size: usize,
    ) -> Result<u64, PlanetError> {
        let quorum_us = self.bound_us(leader, members, quorum_size)?;
        self.mean_us(members, quorum_size, |region| {
            let to_leader_us =
                if region == leader { 0 } else { self.round_trip_us(region, leader)? };
            Ok(to_leader_us + quorum_us)
        })
    }

    fn mean_us(
        &self,
        members: &[Region],
        quorum_size: usize,
        latency_us: impl Fn(&Region) -> Result<u64, PlanetError>,
    ) -> Result<u64, PlanetError> {
        if members.is_empty() {
            return Err(PlanetError::QuorumSize { quorum_size, members_len: 0 });
        }
        let mut sum_us = 0;
        for region in members {
            sum_us += latency_us(region)?;
        }
        let len = members.len() as u64;
        Ok((sum_us + len / 2) / len)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ms(us: u64) -> u64 {
        (us + 500) / 1000
    }

    #[test]
    fn means_match_the_published_arithmetic() {
        // Broken if benchmark reports would hold a run against a wrong bound.
        let planet = Planet::named("aws-2021-02-13").unwrap();
        let sites = planet.regions();
        let mean_ms = |size| ms(planet.mean_bound_us(sites, size).unwrap());
        assert_eq!(mean_ms(1), 0);
        assert_eq!(mean_ms(majority(5)), 140);
        assert_eq!(mean_ms(fast_quorum_size(5, 1)), 140);
        assert_eq!(mean_ms(fast_quorum_size(5, 2)), 172);
        assert_eq!(mean_ms(5), 240);

        let led_ms = |leader: &Region| ms(planet.leader_mean_us(leader, sites, 3).unwrap());
        let best = sites.iter().min_by_key(|leader| led_ms(leader)).unwrap();
        assert_eq!((best.name(), led_ms(best)), ("ca-central-1", 175));
    }

    #[test]
    fn the_bound_is_what_counting_says() {
        // Broken if the selection of the nearest quorum disagreed with trying them all.
        let planet = Planet::named("aws-2020-06-05").unwrap();
        let members = &planet.regions()[..7];
        for region in members {
            for size in 1..=members.len() {
                let fastest_subset = (0u32..1 << members.len())
                    .filter(|set| set.count_ones() as usize == size)
                    .map(|set| (0..members.len()).filter(move |at| set & (1 << at) != 0))
                    .filter(|set| set.clone().any(|at| &members[at] == region))
                    .map(|set| {
                        set.filter(|&at| &members[at] != region)
                            .map(|at| planet.round_trip_us(region, &members[at]).unwrap())
                            .max()
                            .unwrap_or(0)
                    })
                    .min();
                assert_eq!(Some(planet.bound_us(region, members, size).unwrap()), fastest_subset);
            }
        }
    }

    #[test]
    fn a_second_member_in_the_region_is_near_but_not_free() {
        // Broken if two nodes in one region were taken for one, or for being in one process.
        let planet = Planet::named("aws-2021-02-13").unwrap();
        let ireland = planet.region("eu-west-1").unwrap();
        let canada = planet.region("ca-central-1").unwrap();
        let members = [ireland.clone(), canada, ireland.clone()];
        assert_eq!(planet.bound_us(&ireland, &members, 2), Ok(154));
        assert_eq!(ms(planet.bound_us(&ireland, &members, 3).unwrap()), 72);
    }

    #[test]
    fn impossible_quorums_are_refused() {
        // Broken if a wrong configuration got a figure instead of an answer.
        let planet = Planet::named("aws-2021-02-13").unwrap();
        let sites = planet.regions();
        let error = planet.bound_us(&sites[0], sites, 6).unwrap_err();
        assert_eq!(error, PlanetError::QuorumSize { quorum_size: 6, members_len: 5 });
        assert!(planet.bound_us(&sites[0], sites, 0).is_err());
        assert!(planet.mean_bound_us(&[], 1).is_err());
        let error = planet.bound_us(&sites[0], &sites[1..], 2).unwrap_err();
        assert!(matches!(error, PlanetError::NotAMember { .. }));
    }

    #[test]
    fn sizes_of_quorums() {
        // Broken if the sizes that the protocol proves safe were others here.
        assert_eq!([3, 4, 5, 7].map(majority), [2, 3, 3, 4]);
        assert_eq!(fast_quorum_size(3, 1), 2);
        assert_eq!(fast_quorum_size(4, 1), 3);
        assert_eq!(fast_quorum_size(5, 2), 4);
        assert_eq!(fast_quorum_size(7, 3), 6);
    }
}
