//! Pipelines and transactions, on a store without a cluster.

use crate::backend::Failed;
use crate::talk::Talk;
use althing_kv::redis::RedisAccess;

/// Broken: each command of a pipeline pays for an agreement of its own, or answers are mixed up.
#[test]
fn what_waits_together_is_one_batch() {
    let mut talk = Talk::open();
    let answers = talk.say(&["SET a 1", "PING", "INCR a", "NOPE", "GET a"]);
    let unknown = "-ERR unknown command 'NOPE', with args beginning with: \r\n";
    assert_eq!(answers, format!("+OK\r\n+PONG\r\n:2\r\n{unknown}$1\r\n2\r\n"));
    assert_eq!(talk.batch_lens(), [3]);
    assert_eq!(talk.batches[0].access, RedisAccess::Write);
}

/// Broken: reads conflict with each other.
#[test]
fn a_batch_of_reads_only_reads() {
    let mut talk = Talk::open();
    assert_eq!(talk.say(&["GET a", "EXISTS a"]), "$-1\r\n:0\r\n");
    assert_eq!(talk.batches[0].access, RedisAccess::Read);
}

/// Broken: a key whose time is over is still there for who only reads, or is answered by an error.
#[test]
fn reads_of_what_is_due_are_sent_again_to_delete_it() {
    let mut talk = Talk::open();
    assert_eq!(talk.say_each(&["SET a 1 PX 10", "GET a"]), "$1\r\n1\r\n");
    talk.place.now_ms += 11;
    assert_eq!(talk.say(&["GET a"]), "$-1\r\n");
    let access: Vec<_> = talk.batches.iter().map(|batch| batch.access).collect();
    use RedisAccess::{Read, Write};
    assert_eq!(access, [Write, Read, Read, Write]);
}

/// Broken: a long pipeline is a batch that the store refuses as a whole.
#[test]
fn long_pipelines_are_several_batches() {
    let mut talk = Talk::open();
    let lines: Vec<String> = (0..2500).map(|n| format!("SET k{n} {n}")).collect();
    let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
    assert_eq!(talk.say(&lines), "+OK\r\n".repeat(2500));
    assert!(
        talk.batches.iter().all(|batch| batch.commands.len() <= 1024),
        "{:?}",
        talk.batch_lens()
    );
    assert_eq!(talk.batch_lens().iter().sum::<usize>(), 2500);

    let mut talk = Talk::open();
    let long = format!("SET k {}", "x".repeat(60_000));
    assert_eq!(talk.say(&[&long[..]; 40]), "+OK\r\n".repeat(40));
    assert!(talk.batches.len() > 2, "{:?}", talk.batch_lens());
}

/// Broken: a pipeline whose answers are longer than one reply of the store gets errors instead.
#[test]
fn answers_that_are_long_together_are_asked_for_in_parts() {
    let mut talk = Talk::open();
    let value = "x".repeat(60_000);
    talk.say(&[&format!("SET k {value}")]);
    let answer = format!("$60000\r\n{value}\r\n");
    assert_eq!(talk.say(&["GET k"; 40]), answer.repeat(40));
    assert_eq!(talk.batches[1].commands.len(), 40);
    assert!(talk.batches.len() > 2, "{:?}", talk.batch_lens());
}

/// Broken: client libraries, which take cursors for numbers, cannot scan.
#[test]
fn cursors_are_numbers() {
    let mut talk = Talk::open();
    talk.say(&["MSET a 1 b 2 c 3"]);
    let cursor = |answer: &str| answer.lines().nth(2).unwrap().parse::<u64>().unwrap();
    let first = talk.say(&["SCAN 0 COUNT 2"]);
    let next = cursor(&first);
    assert_ne!(next, 0);
    let second = talk.say(&[&format!("MULTI\r\nSCAN {next} COUNT 2\r\nEXEC")]);
    assert!(second.ends_with("*1\r\n*2\r\n$1\r\n0\r\n*1\r\n$1\r\nc\r\n"), "{second}");
    for unknown in ["@a", "77", "x"] {
        let answer = talk.say(&[&format!("scan {unknown}")]);
        assert_eq!(answer, "-ERR invalid cursor\r\n");
    }
}

/// Broken: a transaction is interleaved with others' commands.
#[test]
fn a_transaction_is_one_batch() {
    let mut talk = Talk::open();
    let answers = talk.say(&["SET a 1", "MULTI", "INCR a", "PING", "GET a", "EXEC", "GET a"]);
    assert_eq!(
        answers,
        "+OK\r\n+OK\r\n+QUEUED\r\n+QUEUED\r\n+QUEUED\r\n*3\r\n:2\r\n+PONG\r\n$1\r\n2\r\n$1\r\n2\r\n"
    );
    assert_eq!(talk.batch_lens(), [1, 2, 1]);
    assert!(talk.batches[1].is_transaction);
    assert_eq!(talk.say(&["MULTI", "EXEC"]), "+OK\r\n*0\r\n");
    assert_eq!(talk.batches.len(), 3, "nobody is asked to do nothing");
}

/// Broken: half a transaction is executed.
#[test]
fn a_transaction_with_a_refused_command_is_not_executed() {
    let mut talk = Talk::open();
    let abort = "-EXECABORT Transaction discarded because of previous errors.\r\n";
    assert_eq!(talk.say_each(&["MULTI", "SET a 1", "NOPE", "EXEC"]), abort);
    assert_eq!(talk.say_each(&["MULTI", "GET", "SET a 1", "EXEC"]), abort);
    assert_eq!(talk.batches, []);
    // One that fails when it is executed stops nothing, as with Redis.
    let answers = talk.say(&["MULTI", "SET a x", "INCR a", "GET a", "EXEC"]);
    let not = "-ERR value is not an integer or out of range\r\n";
    let queued = "+QUEUED\r\n".repeat(3);
    assert_eq!(answers, format!("+OK\r\n{queued}*3\r\n+OK\r\n{not}$1\r\nx\r\n"));
}

/// Broken: `MULTI` in the wrong place is another thing than with Redis.
#[test]
fn misplaced_words_of_transactions_are_errors() {
    let mut talk = Talk::open();
    for (line, answer) in [
        ("EXEC", "-ERR EXEC without MULTI\r\n"),
        ("DISCARD", "-ERR DISCARD without MULTI\r\n"),
        ("MULTI", "+OK\r\n"),
        ("MULTI", "-ERR MULTI calls can not be nested\r\n"),
        ("WATCH a", "-ERR WATCH inside MULTI is not allowed\r\n"),
        ("SET a 1", "+QUEUED\r\n"),
        ("DISCARD", "+OK\r\n"),
        ("GET a", "$-1\r\n"),
        ("MULTI", "+OK\r\n"),
        ("SET a 1", "+QUEUED\r\n"),
        ("RESET", "+RESET\r\n"),
        ("EXEC", "-ERR EXEC without MULTI\r\n"),
    ] {
        assert_eq!(talk.say(&[line]), answer, "{line}");
    }
}

/// Broken: optimistic locking loses updates.
#[test]
fn a_transaction_is_executed_only_if_what_it_watches_is_unchanged() {
    let mut talk = Talk::open();
    talk.say(&["SET a 1"]);
    assert_eq!(talk.say(&["WATCH a", "MULTI", "INCR a"]), "+OK\r\n+OK\r\n+QUEUED\r\n");
    talk.place.now_ms += 1;
    talk.meanwhile("SET a 5");
    assert_eq!(talk.say(&["EXEC", "GET a"]), "*-1\r\n$1\r\n5\r\n");
    // Nothing is watched any more.
    talk.say(&["MULTI", "INCR a"]);
    talk.meanwhile("SET a 7");
    assert_eq!(talk.say(&["EXEC"]), "*1\r\n:8\r\n");
    // A key that was not there, and is.
    talk.say(&["WATCH b a", "MULTI", "PING"]);
    talk.meanwhile("SET b 1");
    assert_eq!(talk.say(&["EXEC"]), "*-1\r\n");
    // The same without interference, and without any command for the store.
    talk.say(&["HELLO 3"]);
    let answers = talk.say(&["WATCH b a", "MULTI", "PING", "EXEC"]);
    assert_eq!(answers, "+OK\r\n+OK\r\n+QUEUED\r\n*1\r\n+PONG\r\n");
    for end in ["UNWATCH", "DISCARD"] {
        talk.say(&["WATCH a"]);
        talk.meanwhile("SET a 9");
        if end == "DISCARD" {
            talk.say(&["MULTI"]);
        }
        assert_eq!(talk.say(&[end, "MULTI", "GET a", "EXEC"]).lines().last(), Some("9"), "{end}");
    }
}

/// Broken: a client decides on what it read, and its transaction is executed on something else.
#[test]
fn what_is_read_under_watch_is_what_is_watched() {
    let mut talk = Talk::open();
    talk.say(&["WATCH a"]);
    // There and gone again: the version alone would not tell.
    talk.meanwhile("SET a 1");
    assert_eq!(talk.say(&["GET a"]), "$1\r\n1\r\n");
    talk.meanwhile("DEL a");
    assert_eq!(talk.say(&["MULTI", "SET a 2", "EXEC"]).lines().last(), Some("*-1"));
    assert_eq!(talk.say(&["GET a"]), "$-1\r\n");
}

/// Broken: a transaction is executed although its own client changed what it watches, as it is not
/// by Redis.
#[test]
fn what_a_client_changes_itself_is_changed() {
    for lines in [&["SET a 1"][..], &["SET a 1", "DEL a"]] {
        let mut talk = Talk::open();
        let answers = talk.say(&[&["WATCH a"], lines, &["MULTI", "PING", "EXEC"]].concat());
        assert_eq!(answers.lines().last(), Some("*-1"), "{lines:?}");
    }
}

/// Broken: a client takes what may yet happen for something that did not, or the other way round.
#[test]
fn errors_say_what_took_effect() {
    let mut talk = Talk::open();
    for (failure, line, code) in [
        (Failed::Overloaded, "SET a 1", "-BUSY "),
        (Failed::Unreachable, "SET a 1", "-CLUSTERDOWN "),
        (Failed::Nothing("why".into()), "SET a 1", "-TRYAGAIN why; the command had no effect"),
        (Failed::Refused("why".into()), "SET a 1", "-ERR why; it had no effect"),
        (Failed::Unknown, "SET a 1", "-UNKNOWN "),
        (Failed::Unknown, "GET a", "-TRYAGAIN "),
        (Failed::NotUnderstood, "SET a 1", "-ERR the store's answer"),
    ] {
        talk.failures = vec![failure];
        let answers = talk.say(&[line, "PING", line]);
        let lines: Vec<&str> = answers.split_terminator("\r\n").collect();
        assert_eq!((lines.len(), lines[1]), (3, "+PONG"));
        for answer in [lines[0], lines[2]] {
            assert!(answer.starts_with(code), "{answer}");
        }
        assert_eq!(talk.say(&["EXISTS a"]), ":0\r\n");
    }
    talk.failures = vec![Failed::Unknown];
    let answers = talk.say(&["MULTI", "SET a 1", "EXEC"]);
    assert!(answers.lines().last().unwrap().starts_with("-UNKNOWN "), "{answers}");
}

/// Broken: who did not look at the answer to `WATCH` has its transaction executed unwatched.
#[test]
fn a_transaction_whose_watch_failed_is_not_executed() {
    let mut talk = Talk::open();
    talk.failures = vec![Failed::Overloaded];
    let answers = talk.say(&["WATCH a", "MULTI", "SET a 1", "EXEC", "EXISTS a"]);
    let lines: Vec<&str> = answers.split_terminator("\r\n").collect();
    assert!(lines[0].starts_with("-BUSY"), "{answers}");
    assert_eq!(lines[3..], ["*-1", ":0"]);
}

/// Broken: one client's transaction takes the memory of all.
#[test]
fn a_transaction_has_a_length() {
    let mut talk = Talk::open();
    talk.say(&["MULTI"]);
    let lines = vec!["SET a 1"; 1025];
    let answers = talk.say(&lines);
    assert!(answers.lines().last().unwrap().starts_with("-ERR a transaction has at most 1024"));
    assert!(talk.say(&["EXEC"]).starts_with("-EXECABORT"));
    talk.say(&["MULTI"]);
    let answers = talk.say(&["INFO"; 17]);
    assert!(answers.lines().last().unwrap().starts_with("-ERR a transaction has at most 16"));
    assert!(talk.say(&["EXEC"]).starts_with("-EXECABORT"));
    talk.say(&["MULTI"]);
    talk.say(&["SET a 1"; 1024]);
    assert!(talk.say(&["EXEC"]).starts_with("*1024\r\n+OK\r\n"));
}

/// Broken: a command that the store never takes ends the connection, or is sent all the same.
#[test]
fn what_is_too_much_for_the_store_is_refused_with_a_reason() {
    let mut talk = Talk::open();
    let keys: Vec<String> = (0..1025).map(|n| format!("k{n}")).collect();
    let answer = talk.say(&[&format!("DEL {}", keys.join(" ")), "PING"]);
    assert_eq!(answer, "-ERR 1025 keys in one command, of at most 1024\r\n+PONG\r\n");
    let value = "x".repeat(1 << 20);
    let set = format!("*3\r\n$3\r\nSET\r\n$1\r\na\r\n${}\r\n{value}", value.len());
    let answer = talk.say(&[&set[..], "PING"]);
    assert!(answer.starts_with("-ERR ") && answer.ends_with("+PONG\r\n"), "{answer}");
    assert_eq!(talk.say(&["EXISTS a"]), ":0\r\n");
}
