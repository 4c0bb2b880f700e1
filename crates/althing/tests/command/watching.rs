//! `althing kv watch` on real nodes, and what becomes of it when one is killed.

use crate::world::{Serving, World};
use rustix::process::Signal;
use serde_json::Value;
use std::io::{BufRead, BufReader};
use std::process::{Child, ChildStdout};

/// A watch that runs, line by line.
struct Watching {
    child: Child,
    lines: std::io::Lines<BufReader<ChildStdout>>,
}

impl Watching {
    fn begin(world: &World, args: &[&str]) -> Self {
        let args = [&["kv", "--client", "client.toml", "--json", "watch"], args].concat();
        let mut child = world.spawn(&args);
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        Self { child, lines }
    }

    /// The next change: the key, its value, and the token behind it. Waits for it.
    fn next(&mut self) -> (String, String, String) {
        let line = self.lines.next().expect("the watch goes on").unwrap();
        let told: Value = serde_json::from_str(&line).unwrap();
        assert_eq!(told["change"], "put", "{told}");
        let text = |field: &str| told[field].as_str().unwrap().to_owned();
        (text("key"), text("value"), text("token"))
    }
}

impl Drop for Watching {
    fn drop(&mut self) {
        // Errors mean that it has ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Broken: whoever follows keys loses changes, or gets some twice, when the node that tells them is
/// killed.
#[test]
fn a_watch_goes_on_when_its_node_is_killed() {
    let (world, nodes) = World::running();
    world.kv(&["put", "user/begin", "x"]).prints("ok");
    // From the beginning: nothing is forgotten yet, so that nothing has to be waited for.
    let cluster = althing_model::ClusterId([7; 16]);
    let beginning = althing_sdk::token::to_text(&althing_sdk::Seen::default(), cluster);
    let mut watching = Watching::begin(&world, &["user/", "--from", &beginning]);
    assert_eq!(watching.next().0, "user/begin");
    let mut stored = String::new();
    for number in 0..3 {
        world.kv(&["put", &format!("user/{number}"), &number.to_string()]).prints("ok");
        let (key, value, token) = watching.next();
        assert_eq!((key, value), (format!("user/{number}"), number.to_string()));
        stored = token;
    }
    world.kv(&["put", "item/1", "sword"]).prints("ok");

    // Whichever has the watch is killed.
    let mut nodes: Vec<Option<Serving>> = nodes.into_iter().map(Some).collect();
    let has_watch = |node: &Option<Serving>| {
        let page = node.as_ref().unwrap().page("/status");
        let (_, body) = page.split_once("\r\n\r\n").unwrap();
        let status: Value = serde_json::from_str(body).unwrap();
        status["replica"]["watches"] == 1
    };
    let watched = loop {
        // It is published a little later.
        if let Some(index) = nodes.iter().position(has_watch) {
            break index;
        }
    };
    let killed = nodes[watched].take().unwrap();
    killed.signal(Signal::KILL);
    drop(killed);
    for number in 3..6 {
        world.kv(&["put", &format!("user/{number}"), &number.to_string()]).prints("ok");
        let (key, value, _) = watching.next();
        assert_eq!((key, value), (format!("user/{number}"), number.to_string()));
    }
    drop(watching);

    // And another goes on from what was stored before, at a node that is left.
    let ended = world.kv(&["watch", "user/", "--from", &stored, "--count", "3"]);
    ended.prints("put\tuser/3\t3\nput\tuser/4\t4\nput\tuser/5\t5");
    assert!(ended.stderr.contains("token: at1."), "{ended:?}");
    world.kv(&["watch", "user/", "--from", "city"]).says(2, &["--from", "no"]);
    nodes.into_iter().flatten().for_each(Serving::stop);
}
