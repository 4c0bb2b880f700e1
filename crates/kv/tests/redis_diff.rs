//! Random Redis commands, side by side with a real server: the program in `examples/redis_diff`, for a
//! while.

#[path = "../examples/redis_diff/diff.rs"]
mod diff;
#[path = "../examples/redis_diff/generate.rs"]
mod generate;
#[path = "../examples/redis_diff/server.rs"]
mod server;
#[path = "../examples/redis_diff/value.rs"]
mod value;

/// Broken: Redis' clients are answered otherwise than by Redis.
#[test]
fn random_commands_are_answered_as_redis_answers_them() -> anyhow::Result<()> {
    let Some(server) = server::Server::start()? else {
        eprintln!("not compared with Redis: there is no redis-server on the PATH");
        return Ok(());
    };
    let report = diff::Diff::with(server.connect()?)?.run(7, 10_000)?;
    if let Some(difference) = report.difference {
        panic!("a difference:\n{difference}");
    }
    assert!(report.errors < report.commands / 2, "most commands were refused");
    // As many as there are, and the name of none.
    let names = althing_kv::redis::specs().iter().map(|spec| spec.name);
    let unasked: Vec<_> = names
        .filter(|name| !name.starts_with("ALTHING.") && !report.by_name.contains_key(*name))
        .collect();
    assert!(unasked.is_empty(), "never asked: {unasked:?}");
    Ok(())
}
