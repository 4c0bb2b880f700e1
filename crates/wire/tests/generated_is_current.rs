//! The generated code is committed, so that building the project takes no generator; this keeps it
//! true to its schema. `ALTHING_REWRITE=1` rewrites it: change the schema and run this before the
//! code that uses it, since the test is built with that code.

use std::path::Path;

/// Broken: the schema says one thing and the code on the wire does another.
#[test]
fn generated_code_follows_the_schema() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let proto = root.join("proto");
    let descriptors = protox::compile([proto.join("althing.proto")], [&proto])
        .expect("the schema is valid protobuf");
    let fresh = tempfile::tempdir().expect("a temporary folder");
    prost_build::Config::new()
        .bytes(["."])
        .out_dir(fresh.path())
        .compile_fds(descriptors)
        .expect("the generator takes the schema");
    let fresh = std::fs::read_to_string(fresh.path().join("althing.v1.rs"))
        .expect("the generator names its file after the package");

    let committed = root.join("src/generated/althing.v1.rs");
    if std::env::var_os("ALTHING_REWRITE").is_some() {
        std::fs::write(&committed, &fresh).expect("the source tree is writable");
    }
    let committed = std::fs::read_to_string(&committed).expect("the generated code is committed");
    assert!(
        committed == fresh,
        "src/generated/ is not what proto/althing.proto gives: run this test with \
         ALTHING_REWRITE=1 and commit both"
    );
}
