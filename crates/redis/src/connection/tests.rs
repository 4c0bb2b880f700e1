//! The gateway's own commands: what they answer, compared with what Redis 7.0.15 answered.

use crate::talk::Talk;

/// Broken: a client's first words fail.
#[test]
fn simple_commands_are_answered_as_redis_does() {
    for (line, answer) in [
        ("PING", "+PONG\r\n"),
        ("ping a", "$1\r\na\r\n"),
        ("PING a b", "-ERR wrong number of arguments for 'ping' command\r\n"),
        ("ECHO a", "$1\r\na\r\n"),
        ("ECHO", "-ERR wrong number of arguments for 'echo' command\r\n"),
        ("SELECT 0", "+OK\r\n"),
        ("SELECT 1", "-ERR DB index is out of range\r\n"),
        ("SELECT x", "-ERR value is not an integer or out of range\r\n"),
        ("TIME", "*2\r\n$10\r\n1700000000\r\n$1\r\n0\r\n"),
        ("NOPE a", "-ERR unknown command 'NOPE', with args beginning with: 'a' \r\n"),
        ("GET", "-ERR wrong number of arguments for 'get' command\r\n"),
        ("SUBSCRIBE a", "-ERR unknown command 'SUBSCRIBE', with args beginning with: 'a' \r\n"),
    ] {
        assert_eq!(Talk::open().say(&[line]), answer, "{line}");
    }
}

/// Broken: a client library that names itself, or asks for its id, does not connect.
#[test]
fn clients_have_names_and_are_listed() {
    let mut talk = Talk::open();
    for (line, answer) in [
        ("CLIENT ID", ":7\r\n"),
        ("CLIENT ID 3", "-ERR wrong number of arguments for 'client|id' command\r\n"),
        ("CLIENT GETNAME", "$-1\r\n"),
        ("CLIENT SETNAME me", "+OK\r\n"),
        ("CLIENT GETNAME", "$2\r\nme\r\n"),
        (
            "CLIENT SETNAME \"a b\"",
            "-ERR Client names cannot contain spaces, newlines or special characters.\r\n",
        ),
        ("CLIENT SETINFO lib-name redis-py", "+OK\r\n"),
        ("CLIENT SETINFO lib-ver 5", "+OK\r\n"),
        ("CLIENT SETINFO lib-age 5", "-ERR Unrecognized option 'lib-age'\r\n"),
        ("CLIENT NO-EVICT on", "+OK\r\n"),
        ("CLIENT NO-EVICT maybe", "-ERR syntax error\r\n"),
        ("CLIENT GETREDIR", ":-1\r\n"),
        ("CLIENT FOO", "-ERR unknown subcommand 'FOO'. Try CLIENT HELP.\r\n"),
        ("CLIENT LIST ID 8", "$0\r\n\r\n"),
        ("CLIENT LIST TYPE x", "-ERR Unknown client type 'x'\r\n"),
    ] {
        assert_eq!(talk.say(&[line]), answer, "{line}");
    }
    let line = "id=7 addr=127.0.0.1:40000 laddr=127.0.0.1:7379 name=me age=0 idle=0 flags=N db=0 sub=0 \
                psub=0 multi=-1 cmd=client user=default redir=-1 resp=2 lib-name=redis-py lib-ver=5\n";
    let told = format!("${}\r\n{line}\r\n", line.len());
    assert_eq!(talk.say(&["CLIENT LIST"]), told);
    assert_eq!(talk.say(&["CLIENT INFO"]), told);
    assert_eq!(talk.say(&["CLIENT LIST ID 3 7"]), told);
}

/// Broken: a client that asked for silence reads the answers to its next commands at the wrong place.
#[test]
fn replies_can_be_switched_off() {
    let mut talk = Talk::open();
    let answers = talk.say(&[
        "ECHO a",
        "CLIENT REPLY SKIP",
        "ECHO b",
        "SET k c",
        "CLIENT REPLY OFF",
        "ECHO d",
        "SET k e",
        "CLIENT REPLY SKIP",
        "CLIENT REPLY ON",
        "GET k",
    ]);
    assert_eq!(answers, "$1\r\na\r\n+OK\r\n+OK\r\n$1\r\ne\r\n");
}

/// Broken: somebody without the password reads or writes.
#[test]
fn strangers_get_nothing() {
    let mut talk = Talk::closed("secret");
    let no = "-NOAUTH Authentication required.\r\n";
    for line in ["PING", "SET a 1", "GET a", "INFO", "MULTI", "CLIENT LIST", "COMMAND"] {
        assert_eq!(talk.say(&[line]), no, "{line}");
    }
    let wrong = "-WRONGPASS invalid username-password pair or user is disabled.\r\n";
    for line in ["AUTH secre", "AUTH secrets", "AUTH other secret", "HELLO 3 AUTH default x"] {
        assert_eq!(talk.say(&[line]), wrong, "{line}");
    }
    assert!(talk.say(&["HELLO 3"]).starts_with("-NOAUTH HELLO must be called"));
    assert_eq!(talk.say(&["AUTH a b c"]), "-ERR syntax error\r\n");
    assert_eq!(talk.batches, []);
    assert_eq!(talk.say(&["AUTH secret", "SET a 1"]), "+OK\r\n+OK\r\n");
    // And is one again.
    assert_eq!(talk.say(&["RESET", "GET a"]), format!("+RESET\r\n{no}"));
    assert_eq!(talk.say(&["AUTH default secret", "GET a"]), "+OK\r\n$1\r\n1\r\n");
}

/// Broken: who sends a password where there is none believes that it protects.
#[test]
fn a_password_that_nobody_asked_for_is_an_error() {
    let mut talk = Talk::open();
    assert!(talk.say(&["AUTH x"]).starts_with("-ERR AUTH <password> called without any password"));
    assert_eq!(talk.say(&["AUTH default x"]), "+OK\r\n");
    assert!(talk.say(&["AUTH somebody x"]).starts_with("-WRONGPASS"));
}

/// Broken: a client gets the other version of the protocol than the one that it asked for.
#[test]
fn hello_chooses_the_protocol() {
    let mut talk = Talk::open();
    let told = |proto| {
        format!(
            "$6\r\nserver\r\n$5\r\nredis\r\n$7\r\nversion\r\n$6\r\n7.0.15\r\n$5\r\nproto\r\n:{proto}\r\n\
             $2\r\nid\r\n:7\r\n$4\r\nmode\r\n$10\r\nstandalone\r\n$4\r\nrole\r\n$6\r\nmaster\r\n\
             $7\r\nmodules\r\n*0\r\n"
        )
    };
    assert_eq!(talk.say(&["HELLO"]), format!("*14\r\n{}", told(2)));
    // Answers before it have the version before, also in one piece.
    let answers = talk.say(&["GET a", "HELLO 3 SETNAME me", "GET a"]);
    assert_eq!(answers, format!("$-1\r\n%7\r\n{}_\r\n", told(3)));
    assert_eq!(talk.batch_lens(), [2]);
    assert_eq!(talk.say(&["CLIENT GETNAME"]), "$2\r\nme\r\n");
    for (line, answer) in [
        ("HELLO 4", "-NOPROTO unsupported protocol version\r\n"),
        ("HELLO x", "-ERR Protocol version is not an integer or out of range\r\n"),
        ("HELLO 2 FOO", "-ERR Syntax error in HELLO option 'FOO'\r\n"),
        ("HELLO 2 SETNAME", "-ERR Syntax error in HELLO option 'SETNAME'\r\n"),
    ] {
        assert_eq!(talk.say(&[line]), answer, "{line}");
    }
    assert_eq!(talk.say(&["GET a"]), "_\r\n");
    assert_eq!(talk.say(&["RESET", "GET a"]), "+RESET\r\n$-1\r\n");
}

/// Broken: `redis-benchmark` and client libraries stop at what they ask first.
#[test]
fn settings_can_be_asked_and_not_changed() {
    let mut talk = Talk::open();
    for (line, answer) in [
        ("CONFIG GET save", "*2\r\n$4\r\nsave\r\n$0\r\n\r\n"),
        ("CONFIG GET appendonly nope", "*2\r\n$10\r\nappendonly\r\n$3\r\nyes\r\n"),
        (
            "CONFIG GET MAXMEMORY*",
            "*4\r\n$9\r\nmaxmemory\r\n$1\r\n0\r\n$16\r\nmaxmemory-policy\r\n$10\r\nnoeviction\r\n",
        ),
        ("CONFIG GET", "-ERR wrong number of arguments for 'config|get' command\r\n"),
        ("CONFIG FOO", "-ERR unknown subcommand 'FOO'. Try CONFIG HELP.\r\n"),
    ] {
        assert_eq!(talk.say(&[line]), answer, "{line}");
    }
    assert!(talk.say(&["CONFIG SET save 60"]).starts_with("-ERR CONFIG SET failed"));
    assert!(talk.say(&["CONFIG GET *"]).contains("proto-max-bulk-len"));
    assert!(!talk.say(&["CONFIG GET *"]).contains("requirepass"), "passwords are not told");
}

/// Broken: clients that route by the keys of a command find none.
#[test]
fn commands_tell_where_their_keys_are() {
    let mut talk = Talk::open();
    for (line, answer) in [
        ("COMMAND GETKEYS MSET a 1 b 2", "*2\r\n$1\r\na\r\n$1\r\nb\r\n"),
        ("COMMAND GETKEYS PING", "-ERR The command has no key arguments\r\n"),
        ("COMMAND GETKEYS NOPE a", "-ERR Invalid command specified\r\n"),
        ("COMMAND GETKEYS GET", "-ERR Invalid number of arguments specified for command\r\n"),
        ("COMMAND GETKEYS", "-ERR wrong number of arguments for 'command|getkeys' command\r\n"),
        (
            "COMMAND INFO get nope",
            "*2\r\n*10\r\n$3\r\nget\r\n:2\r\n*1\r\n+readonly\r\n:1\r\n:1\r\n:1\r\n*0\r\n*0\r\n*0\r\n*0\r\n\
             *-1\r\n",
        ),
        ("COMMAND LIST FILTERBY PATTERN h?llo", "*1\r\n$5\r\nhello\r\n"),
        ("COMMAND FOO", "-ERR unknown subcommand 'FOO'. Try COMMAND HELP.\r\n"),
    ] {
        assert_eq!(talk.say(&[line]), answer, "{line}");
    }
    let count = talk.say(&["COMMAND COUNT"]);
    let count: usize = count.trim_matches([':', '\r', '\n']).parse().unwrap();
    assert!(talk.say(&["COMMAND"]).starts_with(&format!("*{count}\r\n")));
    assert!(count > 18, "{count}: not only the gateway's own");
}

/// Broken: monitoring reads nothing, or figures that are none.
#[test]
fn information_has_sections() {
    let mut talk = Talk::open();
    let info = talk.say(&["INFO"]);
    for part in [
        "# Server\r\nredis_version:7.0.15\r\n",
        "\r\n\r\n# Clients\r\nconnected_clients:",
        "total_commands_processed:17\r\n",
        "# Replication\r\nrole:master\r\n",
        "# Keyspace\r\n",
    ] {
        assert!(info.contains(part), "{info}");
    }
    let one = talk.say(&["INFO replication"]);
    assert_eq!(one, "$48\r\n# Replication\r\nrole:master\r\nconnected_slaves:0\r\n\r\n");
    assert_eq!(talk.say(&["INFO nothing"]), "$0\r\n\r\n");
}

/// Broken: a browser that is made to send a form writes to the store.
#[test]
fn what_browsers_send_is_hung_up_on() {
    for line in ["POST / HTTP/1.1", "Host: localhost"] {
        let mut talk = Talk::open();
        assert_eq!(talk.say(&[line, "SET a 1"]), "");
        assert!(talk.has_ended());
        assert_eq!(talk.batches, []);
    }
}

/// Broken: after an error in the protocol the rest is taken for requests.
#[test]
fn a_connection_ends_after_what_is_no_request() {
    let mut talk = Talk::open();
    let answers = talk.say(&["SET a 1", "*1\r\n*1", "SET a 2"]);
    assert_eq!(answers, "+OK\r\n-ERR Protocol error: expected '$', got '*'\r\n");
    assert!(talk.has_ended());
    let mut talk = Talk::open();
    assert_eq!(talk.say(&["QUIT", "SET a 1"]), "+OK\r\n");
    assert!(talk.has_ended());
    assert_eq!(talk.batches, []);
}

/// Broken: a connection's reads are less current than it asked for.
#[test]
fn consistency_is_chosen_per_connection() {
    use super::Consistency;
    let mut talk = Talk::open();
    assert_eq!(talk.say(&["ALTHING.CONSISTENCY"]), "$12\r\nlinearizable\r\n");
    assert_eq!(talk.say(&["ALTHING.CONSISTENCY Stale"]), "+OK\r\n");
    assert_eq!(talk.connection.consistency(), Consistency::Stale);
    assert!(talk.say(&["ALTHING.CONSISTENCY soon"]).starts_with("-ERR consistency is"));
    talk.say(&["RESET"]);
    assert_eq!(talk.connection.consistency(), Consistency::Linearizable);
}
