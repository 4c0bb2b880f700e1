//! Modules that answer, that do not, and that are none.

use althing_kv::KvCommand;
use althing_model::{Conflicts, Footprint, Mode, Range};
use althing_wasm::{Limits, ModesInvalid, ModuleInvalid, WasmConflicts};
use bytes::Bytes;
use proptest::prelude::*;

const KV: &str = include_str!("../modules/kv.wat");

fn load(text: &str) -> Result<WasmConflicts, ModuleInvalid> {
    WasmConflicts::load(
        &wat::parse_str(text).expect("a test's module is well-formed"),
        Limits::default(),
    )
}

/// A module whose `althing_footprint` is this, and whose mode table is the text.
fn module(modes: &str, footprint: &str) -> String {
    format!(
        "(module (memory (export \"memory\") 2)
           (data (i32.const 0) \"{}\")
           (global $calls (mut i32) (i32.const 0))
           (func (export \"althing_modes\") (result i64) (i64.const {}))
           (func (export \"althing_alloc\") (param i32) (result i32) (i32.const 65536))
           (func (export \"althing_footprint\") (param i32 i32) (result i64) {footprint}))",
        modes.replace('\n', "\\n"),
        modes.len()
    )
}

/// The same, with this footprint laid out at address 1024.
fn answering(bytes: &[u8]) -> String {
    let escaped: String = bytes.iter().map(|byte| format!("\\{byte:02x}")).collect();
    let text = module(
        "read write\nread read\n",
        &format!("(i64.const {})", 1024i64 << 32 | bytes.len() as i64),
    );
    text.replace("(global", &format!("(data (i32.const 1024) \"{escaped}\") (global"))
}

fn footprint_of(text: &str) -> Footprint {
    load(text).unwrap().footprint(b"payload").expect("it is taken for a command")
}

/// Broken: a module could not say what it is there to say.
#[test]
fn a_module_tells_what_a_command_touches() {
    let conflicts = load(KV).unwrap();
    let names: Vec<&str> = conflicts.modes().names().collect();
    assert_eq!(names, ["read", "write"]);
    assert!(conflicts.modes().commute(Mode(0), Mode(0)));
    assert!(!conflicts.modes().commute(Mode(0), Mode(1)));
    let footprint = |command: KvCommand| conflicts.footprint(&command.encode()).unwrap();
    let get = footprint(KvCommand::Get { key: "city".into() });
    assert_eq!(get, Footprint::of([("city".into(), Mode(0))]));
    let put = footprint(KvCommand::Put { key: "city".into(), value: "Akureyri".into() });
    assert_eq!(put, Footprint::of([("city".into(), Mode(1))]));
    let add = footprint(KvCommand::Add { key: "city".into(), by: 1 });
    assert_eq!(add, Footprint::Everything);
}

/// Broken: ranges and refusals could not cross the border.
#[test]
fn every_kind_of_footprint_is_read() {
    let ranges = [0, 0, 0, 2, 0, 0, 1, 0, b'a', 1, 1, 0, b'c', 1, 1, 0, b'x', 0];
    let expected = [(Range::between("a", "c").unwrap(), Mode(0)), (Range::from("x"), Mode(1))];
    assert_eq!(footprint_of(&answering(&ranges)), Footprint::with_ranges([], expected));
    assert_eq!(footprint_of(&answering(&[1])), Footprint::Everything);
    let refusing = load(&answering(b"\x02not a number")).unwrap();
    assert_eq!(refusing.footprint(b"payload").unwrap_err().0, "not a number");
}

/// Broken: a module that fails would let commands pass that it should have ordered.
#[test]
fn what_fails_is_over_everything() {
    let read_write = "read write\nread read\n";
    let cases = [
        ("a trap", module(read_write, "unreachable")),
        ("no end", module(read_write, "(loop (br 0)) (i64.const 0)")),
        ("beyond its memory", module(read_write, "(i64.const 0x7fffffff00000001)")),
        (
            "more memory than allowed",
            module(
                read_write,
                "(drop (memory.grow (i32.const 1000))) (i32.store (i32.const 1000000) (i32.const 1)) (i64.const 0)",
            ),
        ),
        ("nothing", module(read_write, "(i64.const 0)")),
        ("an unknown kind", answering(&[9])),
        ("an unknown mode", answering(&[0, 1, 0, 7, 1, 0, b'a', 0, 0])),
        ("an empty range", answering(&[0, 0, 0, 1, 0, 0, 1, 0, b'c', 1, 1, 0, b'a'])),
        ("too much", answering(&[1, 0])),
        ("too little", answering(&[0, 1, 0])),
    ];
    for (what, text) in cases {
        assert_eq!(footprint_of(&text), Footprint::Everything, "{what}");
    }
}

/// Broken: a module that counts its calls would say something else on each node.
#[test]
fn a_module_remembers_nothing() {
    let counting = "(global.set $calls (i32.add (global.get $calls) (i32.const 1)))
        (i32.store8 (i32.const 1024) (i32.add (i32.load8_u (i32.const 1024)) (global.get $calls)))
        (i64.const 0x40000000001)";
    let conflicts = load(&module("read\n", counting)).unwrap();
    for _ in 0..3 {
        // Kind 1 in a fresh instance, 3 in the second call of an old one.
        assert_eq!(conflicts.footprint(b"").unwrap(), Footprint::Everything);
    }
    let refuses =
        counting.replace("(global.get $calls)))", "(i32.add (global.get $calls) (i32.const 1))))");
    let conflicts = load(&module("read\n", &refuses)).unwrap();
    for _ in 0..3 {
        assert!(conflicts.footprint(b"").is_err(), "kind 2 in a fresh instance");
    }
}

/// Broken: what is no conflict function would be found out by the first command of a client.
#[test]
fn what_is_no_conflict_function_is_refused_when_loaded() {
    let refused = |text: &str| load(text).unwrap_err().to_string();
    let importing = KV.replace("(module", "(module (import \"env\" \"clock\" (func (result i64)))");
    assert!(refused(&importing).contains("env.clock"), "{}", refused(&importing));
    let float = KV.replace("(module", "(module (func $float (result f64) (f64.const 1))");
    assert!(refused(&float).contains("float"), "{}", refused(&float));
    for export in ["memory", "althing_alloc", "althing_footprint", "althing_modes"] {
        let without = KV.replace(&format!("\"{export}\""), "\"other\"");
        assert!(refused(&without).contains(export), "{export}: {}", refused(&without));
    }
    let modes = |text: &str| load(&module(text, "(i64.const 0)")).unwrap_err();
    assert_eq!(modes("\n"), ModuleInvalid::Modes(ModesInvalid::Count(0)));
    assert_eq!(modes("a a\n"), ModuleInvalid::Modes(ModesInvalid::Twice("a".into())));
    assert_eq!(modes("a b\na\n"), ModuleInvalid::Modes(ModesInvalid::NoPair(2)));
    let unknown = ModesInvalid::Unknown { line: 2, name: "c".into() };
    assert_eq!(modes("a b\na c\n"), ModuleInvalid::Modes(unknown));
    let long = vec![0; althing_wasm::limits::MODULE_LEN_MAX + 1];
    assert!(matches!(
        WasmConflicts::load(&long, Limits::default()),
        Err(ModuleInvalid::TooLong { .. })
    ));
    assert!(matches!(
        WasmConflicts::load(b"no module", Limits::default()),
        Err(ModuleInvalid::NoModule(_))
    ));
}

/// Broken: two clusters' nodes with different modules would take each other for alike.
#[test]
fn another_module_has_another_id() {
    let other = KV.replace("i32.const 127", "i32.const 126");
    assert_ne!(load(KV).unwrap().id(), load(&other).unwrap().id());
    assert_eq!(load(KV).unwrap().id(), load(KV).unwrap().id());
}

proptest! {
    /// Broken: a hostile module or payload would panic the proposer.
    #[test]
    fn no_answer_and_no_payload_panics(
        answer in prop::collection::vec(any::<u8>(), 0..40),
        payload in prop::collection::vec(any::<u8>(), 0..200),
    ) {
        let _ = load(&answering(&answer)).unwrap().footprint(&payload);
        let kv = load(KV).unwrap();
        let footprint = kv.footprint(&payload).unwrap();
        // What it takes for a Get or a Put must be what the store takes for one.
        if let (Footprint::Resources(_), Ok(command)) =
            (&footprint, KvCommand::decode(Bytes::from(payload)))
        {
            prop_assert_eq!(footprint, althing_kv::KvConflicts::footprint_of(&command));
        }
    }
}
