//! `althing config`: checks a node's configuration without starting it.

use crate::exit::Failure;
use althing_model::Role;
use althing_node::Config;
use comfy_table::{Table, presets};
use serde_json::json;
use std::path::PathBuf;

/// What to do about configurations.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// Say everything that is wrong with a configuration, or show what it means.
    #[command(after_help = "Example:\n  althing config check node-0.toml\n\n\
                            Exit codes: 0 it can be used, 2 it cannot.")]
    Check(Check),
}

#[derive(Debug, clap::Args)]
struct Check {
    /// A node's configuration (TOML).
    file: PathBuf,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

/// Checks a configuration.
pub fn run(args: Args) -> Result<(), Failure> {
    let Command::Check(check) = args.command;
    let config = Config::load(&check.file).map_err(Failure::usage)?;
    if check.json {
        println!("{}", to_json(&config));
    } else {
        println!("{}", to_text(&config));
    }
    Ok(())
}

fn to_text(config: &Config) -> String {
    let membership = &config.membership;
    let mut table = Table::new();
    table.load_preset(presets::NOTHING).set_header(["node", "region", "address", "roles"]);
    for (node, member) in &config.nodes {
        let this = if *node == config.me { " (this one)" } else { "" };
        let id = format!("{}{this}", node.0);
        let roles = role_names(config, *node).join(", ");
        table.add_row([&id, &member.region, &member.address, &roles]);
    }
    let resp = config.resp.as_ref().map(|resp| {
        let password = if resp.password.is_some() { "with" } else { "without" };
        format!("\nRedis clients at TCP {}, {password} a password", resp.listen)
    });
    format!(
        "ok: cluster {}, {} path, {} of {} nodes may fail\n{table}{}",
        config.cluster,
        membership.path().name(),
        membership.acceptor_quorums().f(),
        config.nodes.len(),
        resp.unwrap_or_default(),
    )
}

fn to_json(config: &Config) -> serde_json::Value {
    let nodes = config.nodes.iter().map(|(node, member)| {
        json!({ "id": node.0, "region": member.region, "address": member.address,
            "roles": role_names(config, *node) })
    });
    json!({ "cluster": config.cluster.to_string(), "node": config.me.0,
        "path": config.membership.path().name(), "f": config.membership.acceptor_quorums().f(),
        "resp": config.resp.as_ref().map(|resp| resp.listen.to_string()),
        "nodes": nodes.collect::<Vec<_>>() })
}

fn role_names(config: &Config, node: althing_model::NodeId) -> Vec<&'static str> {
    config.membership.roles(node).iter().copied().map(Role::name).collect()
}
