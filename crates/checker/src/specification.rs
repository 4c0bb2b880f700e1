//! What a data type does when operations come one after the other.

use std::fmt::Debug;
use std::hash::Hash;

/// A sequential specification: the type that histories are checked against.
///
/// `apply` says everything. `keys` cuts a history into independent parts, and `outline` only helps
/// the search: an outline that says less costs time, one that says something wrong makes the
/// verdict wrong.
pub trait Specification {
    /// The state of all keys; cheap to clone.
    type State: Clone + Debug;
    /// What a client asks.
    type Input: Clone + Debug + Eq + Hash;
    /// What it sees.
    type Output: Clone + Debug;
    /// Operations that share no key, directly or through others, are independent.
    type Key: Clone + Debug + Ord + Hash;
    /// What is under one key.
    type Cell: Clone + Debug + Eq + Hash;

    /// The state before the first operation.
    fn initial(&self) -> Self::State;

    /// One operation on a state: the next state and the output.
    fn apply(&self, state: &Self::State, input: &Self::Input) -> (Self::State, Self::Output);

    /// Whether what the client saw is what the specification says.
    fn accepts(&self, specified: &Self::Output, seen: &Self::Output) -> bool;

    /// The keys that the operation may read or write.
    fn keys(&self, input: &Self::Input) -> Vec<Self::Key>;

    /// Tells states apart. Equal for equal states, and for others different but for chance.
    fn fingerprint(&self, state: &Self::State) -> u128;

    /// What is under one key.
    fn cell(&self, state: &Self::State, key: &Self::Key) -> Self::Cell;

    /// What is known of the operation, given what the client saw (`None`: outcome unknown).
    fn outline(
        &self,
        input: &Self::Input,
        _seen: Option<&Self::Output>,
    ) -> Outline<Self::Key, Self::Cell> {
        Outline::vague(self.keys(input))
    }

    /// For an operation on one key: all cells, other than this one, that it would turn into this
    /// one. `None`: not told. Asked for operations of unknown outcome with a vague outline.
    fn turned_into(&self, _input: &Self::Input, _cell: &Self::Cell) -> Option<Vec<Self::Cell>> {
        None
    }
}

/// What an operation needs and leaves, as far as its input and output tell.
///
/// Every key of the operation is in `needs`, in
/// `makes` (alone: written whatever was there), in both, or in `vague`. An output that the input
/// can have in no state must be left vague: the search then finds that it fits nowhere.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outline<K, C> {
    /// False: with this output it changes nothing, in whatever state.
    pub changes: bool,
    /// The output was possible only with exactly these cells.
    pub needs: Vec<(K, C)>,
    /// If it changes the key, it leaves this cell.
    pub makes: Vec<(K, C)>,
    /// Keys of which it needs something, or to which it does something, that is not told above.
    pub vague: Vec<K>,
}

impl<K, C> Outline<K, C> {
    /// Nothing is known but the keys.
    pub fn vague(keys: Vec<K>) -> Self {
        Self { changes: true, needs: Vec::new(), makes: Vec::new(), vague: keys }
    }
}
