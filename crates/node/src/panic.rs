//! What a panic does to a process that runs a node.

use althing_model::applying;
use std::panic::{set_hook, take_hook};
use std::process::abort;

/// From now on a panic in any thread or task ends the process, once it was told as before.
///
/// A panic is an invariant that does not hold, and what a node knows is then not to be trusted: it
/// must not promise anything more. By itself it would end one thread, or less: what happens in an
/// asynchronous task is kept in its handle, which nobody may ever ask. A process that does nothing
/// but run a node calls this first; one that has other work to lose may rather watch
/// [`crate::NodeHandle::failed`], which tells of the node's own threads.
pub fn abort_on_panic() {
    let told_before = take_hook();
    set_hook(Box::new(move |panic| {
        told_before(panic);
        if let Some(blame) = applying::blame() {
            tracing::error!("{blame}");
            eprintln!("althing: {blame}");
        }
        abort();
    }));
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::process::ExitStatusExt;
    use std::process::Command;

    const CHILD: &str = "ALTHING_TEST_PANICS";

    /// Broken: a task that broke an invariant dies in silence, and its node goes on promising.
    #[test]
    fn a_panic_in_a_task_ends_the_process() {
        if std::env::var_os(CHILD).is_some() {
            abort_on_panic();
            let runtime = tokio::runtime::Runtime::new().unwrap();
            let ended = runtime.block_on(async { tokio::spawn(async { panic!("broken") }).await });
            // Reached by nobody.
            assert!(ended.is_err());
            return;
        }
        let output = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "panic::tests::a_panic_in_a_task_ends_the_process", "--nocapture"])
            .env(CHILD, "1")
            .output()
            .unwrap();
        const SIGABRT: i32 = 6;
        assert_eq!(output.status.signal(), Some(SIGABRT), "{output:?}");
        assert!(String::from_utf8_lossy(&output.stderr).contains("broken"), "{output:?}");
    }
}
