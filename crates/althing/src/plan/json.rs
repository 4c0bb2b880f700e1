//! What was found, for programs; everything in milliseconds, exact to the microsecond.

use super::Args;
use althing_planet::{
    By, Failure, Kind, Method, Placement, Prediction, Question, Region, Search, System,
    WithoutRegion,
};
use serde_json::{Value, json};

pub(super) fn of(question: &Question, args: &Args, found: &Search) -> Value {
    let candidates: Vec<&str> = question.candidates().map(Region::name).collect();
    let clients = question.clients().map(|(region, weight)| {
        json!({ "name": region.name(), "weight": weight.thousandths() as f64 / 1e3 })
    });
    let method = match found.method {
        Method::Exhaustive => json!({ "method": "exhaustive" }),
        Method::LocalSearch { starts } => json!({ "method": "local-search", "starts": starts }),
    };
    let mut search = method;
    search["compared"] = json!(found.compared);
    // More than a JSON number holds exactly is of no use to anyone.
    search["placements"] = json!(found.all.and_then(|all| u64::try_from(all).ok()));
    json!({
        "planet": question.planet().name(),
        "n": question.n(),
        "f": question.f(),
        "protocol": args.protocol.name(),
        "by": match args.by { By::Mean => "mean", By::Worst => "worst" },
        "conflicts": "none",
        "candidates": candidates,
        "clients": clients.collect::<Vec<_>>(),
        "search": search,
        "placements": found.placements.iter().map(|it| placement(question, it)).collect::<Vec<_>>(),
    })
}

fn placement(question: &Question, placement: &Placement) -> Value {
    let protocols = althing_planet::Protocol::ALL.map(|it| question.predict(placement, it));
    let systems = question.systems(placement);
    json!({
        "regions": names(placement.regions()),
        "protocols": protocols.iter().map(prediction).collect::<Vec<_>>(),
        "failures": question.without(placement).iter().map(without).collect::<Vec<_>>(),
        "quorum_systems": systems.map(|all| all.iter().map(system).collect::<Vec<_>>()),
    })
}

fn prediction(it: &Prediction) -> Value {
    let regions = it.regions.iter().map(|region| {
        json!({ "name": region.region.name(), "node": region.node.name(), "ms": ms(region.latency_us) })
    });
    json!({
        "name": it.protocol.name(),
        "leader": it.leader.as_ref().map(Region::name),
        "mean_ms": ms(it.mean_us),
        "worst_ms": ms(it.worst_us),
        "regions": regions.collect::<Vec<_>>(),
    })
}

fn without(it: &WithoutRegion) -> Value {
    json!({
        "region": it.region.name(),
        "alive": it.alive,
        "recovery_quorum": it.recovery_quorum,
        "recoverable": it.is_recoverable(),
        "more_may_fail": it.spare(),
        "fast_quorum": it.fast_quorum,
        "protocols": it.failures.iter().map(failure).collect::<Vec<_>>(),
    })
}

fn failure(it: &Failure) -> Value {
    let mut after = prediction(&it.prediction);
    after["fails_over"] = json!(it.fails_over);
    let regions = after["regions"].as_array_mut().expect("it was made above");
    for (region, change) in regions.iter_mut().zip(&it.changes_us) {
        region["change_ms"] = json!(*change as f64 / 1e3);
    }
    let most = it.changes_most();
    after["changes_most"] =
        json!(most.map(|(region, us)| json!({ "name": region.name(), "ms": us as f64 / 1e3 })));
    after
}

fn system(it: &System) -> Value {
    let mut kind = match &it.kind {
        Kind::Flexible { phase1, phase2, fast } => {
            json!({ "family": "sizes", "phase1": phase1, "phase2": phase2, "fast_quorum": fast })
        }
        Kind::Even { without } => json!({ "family": "even", "all_but": without.name() }),
        Kind::Grid { rows } => {
            json!({ "family": "grid", "rows": rows.iter().map(|row| names(row)).collect::<Vec<_>>() })
        }
    };
    kind["current"] = json!(it.is_current);
    kind["runs_today"] = json!(it.runs_today);
    kind["fast"] = json!(it.fast.as_ref().map(prediction));
    kind["classic"] = prediction(&it.classic);
    kind["survives"] = json!({
        "fast": it.survives.fast,
        "commit": it.survives.commit,
        "recovery": it.survives.recovery,
    });
    kind
}

fn names(regions: &[Region]) -> Vec<&str> {
    regions.iter().map(Region::name).collect()
}

fn ms(us: u64) -> f64 {
    us as f64 / 1e3
}
