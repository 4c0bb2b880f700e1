//! Strict serializability of transactions on lists: one history for each class of anomaly, and random
//! ones against every order tried one by one.

mod generator;
mod random;
mod stories;
