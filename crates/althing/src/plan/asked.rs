//! The question that the arguments ask.

use super::Args;
use althing_planet::{Planet, Question, Region, Weight};
use anyhow::Context;

pub(super) fn question(args: &Args) -> anyhow::Result<Question> {
    let planet = althing_bench::ground::planet(&args.planet)
        .with_context(|| format!("--planet {}", args.planet))?;
    let candidates = match &args.candidates {
        Some(names) => names.iter().map(|name| planet.region(name.trim())).collect(),
        None => Ok(planet.regions().to_vec()),
    };
    let candidates: Vec<Region> = candidates.context("--candidates")?;
    let clients = match &args.clients {
        Some(asked) => {
            asked.iter().map(|asked| client(&planet, asked)).collect::<Result<_, _>>()?
        }
        None => candidates.iter().map(|region| (region.clone(), Weight::ONE)).collect(),
    };
    let clients: Vec<(Region, Weight)> = clients;
    Ok(Question::new(planet, &candidates, args.n, args.f, &clients)?)
}

/// `REGION=WEIGHT`, or `REGION`.
fn client(planet: &Planet, asked: &str) -> anyhow::Result<(Region, Weight)> {
    let says = || format!("--clients {asked}");
    let (name, weight) = match asked.split_once('=') {
        Some((name, weight)) => (name, weight.trim().parse().with_context(says)?),
        None => (asked, Weight::ONE),
    };
    Ok((planet.region(name.trim()).with_context(says)?, weight))
}
