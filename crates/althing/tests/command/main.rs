//! The real `althing` command: what it does, and what it says to bad input, with which exit code.

mod benchmark;
mod configurations;
mod journals;
mod life;
mod planning;
mod redis_clients;
mod simulation;
mod snapshots;
mod strangers;
mod watching;
mod world;
