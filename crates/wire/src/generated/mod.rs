//! The schema, `proto/althing.proto`, as code. A test regenerates it; do not edit.

#![allow(missing_docs, unreachable_pub, clippy::all)]

include!("althing.v1.rs");
