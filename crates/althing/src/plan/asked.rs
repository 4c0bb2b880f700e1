//! The question that the arguments ask.

use super::Args;
use althing_planet::{Planet, Question, Region, Weight};
use anyhow::Context;
use std::path::Path;

pub(super) fn question(args: &Args) -> anyhow::Result<Question> {
    let planet = planet(&args.planet)?;
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

/// A built-in planet, or a table in a file; it is named as its file is, without `rtt-` and `.csv`.
fn planet(asked: &str) -> anyhow::Result<Planet> {
    let path = Path::new(asked);
    if path.extension().is_none_or(|extension| extension != "csv") {
        return Planet::named(asked)
            .context("--planet (a table of your own is a file whose name ends in .csv)");
    }
    let text = std::fs::read_to_string(path)
        .with_context(|| format!("--planet {asked} cannot be read"))?;
    let name = path.file_stem().unwrap_or_default().to_string_lossy();
    Planet::from_csv(name.strip_prefix("rtt-").unwrap_or(&name), &text)
        .with_context(|| format!("--planet {asked}"))
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
