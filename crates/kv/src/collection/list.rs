//! Elements in an order.

use super::Blob;
use crate::digest;
use imbl::OrdMap;

/// A list. Elements are numbered without a gap, so that its ends, and finding an index, take
/// logarithmic time; inserting and removing in the middle numbers them anew.
#[derive(Debug, Clone, Default)]
pub(crate) struct List {
    elements: OrdMap<i64, Blob>,
    /// The number of the first element.
    first: i64,
    /// The sum of the elements' hashes, each times [`BASE`] to the power of its index.
    digest: u64,
    /// `BASE` to the power of the length.
    power: Power,
}

/// An odd number, so that it has an inverse modulo 2^64, and no small one, so that the powers of lists
/// of any length that fits into memory differ.
const BASE: u64 = 0x9e37_79b9_7f4a_7c15;
const INVERSE: u64 = inverse(BASE);

/// By Newton's iteration: each step doubles the bits that are right, and an odd number is its own
/// inverse modulo 8.
const fn inverse(odd: u64) -> u64 {
    let mut inverse = odd;
    let mut step = 0;
    while step < 5 {
        inverse = inverse.wrapping_mul(2u64.wrapping_sub(odd.wrapping_mul(inverse)));
        step += 1;
    }
    inverse
}

#[derive(Debug, Clone, Copy)]
struct Power(u64);

impl Default for Power {
    fn default() -> Self {
        Self(1)
    }
}

fn hash(element: &[u8]) -> u64 {
    digest::hash(element, &[])
}

impl List {
    pub(crate) fn len(&self) -> usize {
        self.elements.len()
    }

    pub(crate) fn digest(&self) -> u64 {
        self.digest
    }

    pub(crate) fn get(&self, index: usize) -> Option<&Blob> {
        self.elements.get(&self.number(index))
    }

    /// The elements from this index on.
    pub(crate) fn from(&self, index: usize) -> impl Iterator<Item = &Blob> {
        self.elements.range(self.number(index)..).map(|(_, element)| element)
    }

    pub(crate) fn iter(&self) -> impl DoubleEndedIterator<Item = &Blob> {
        self.elements.values()
    }

    /// The number of an index. No list in memory comes near the end of the numbers.
    fn number(&self, index: usize) -> i64 {
        self.first.saturating_add_unsigned(index as u64)
    }

    pub(crate) fn push_front(&mut self, element: &[u8]) {
        self.digest = self.digest.wrapping_mul(BASE).wrapping_add(hash(element));
        self.power.0 = self.power.0.wrapping_mul(BASE);
        self.first -= 1;
        self.elements.insert(self.first, element.into());
    }

    pub(crate) fn push_back(&mut self, element: &[u8]) {
        self.digest = self.digest.wrapping_add(hash(element).wrapping_mul(self.power.0));
        self.power.0 = self.power.0.wrapping_mul(BASE);
        self.elements.insert(self.number(self.len()), element.into());
    }

    pub(crate) fn pop_front(&mut self) -> Option<Blob> {
        let element = self.elements.remove(&self.first)?;
        self.first += 1;
        self.digest = self.digest.wrapping_sub(hash(&element)).wrapping_mul(INVERSE);
        self.power.0 = self.power.0.wrapping_mul(INVERSE);
        Some(element)
    }

    pub(crate) fn pop_back(&mut self) -> Option<Blob> {
        let element = self.elements.remove(&self.number(self.len().checked_sub(1)?))?;
        self.power.0 = self.power.0.wrapping_mul(INVERSE);
        self.digest = self.digest.wrapping_sub(hash(&element).wrapping_mul(self.power.0));
        Some(element)
    }

    /// Replaces the element at an index; whether there is one.
    pub(crate) fn set(&mut self, index: usize, element: &[u8]) -> bool {
        let number = self.number(index);
        let Some(place) = self.elements.get_mut(&number) else { return false };
        let change = hash(element).wrapping_sub(hash(place));
        *place = element.into();
        self.digest = self.digest.wrapping_add(change.wrapping_mul(power(index)));
        true
    }

    /// Puts an element before the one at this index, or at the end.
    pub(crate) fn insert(&mut self, index: usize, element: &[u8]) {
        let rest: Vec<Blob> = self.from(index).cloned().collect();
        while self.len() > index {
            self.pop_back();
        }
        self.push_back(element);
        rest.iter().for_each(|element| self.push_back(element));
    }

    /// Keeps the elements from one index to before another alone.
    pub(crate) fn keep(&mut self, from: usize, to: usize) {
        while self.len() > to {
            self.pop_back();
        }
        for _ in 0..from {
            self.pop_front();
        }
    }

    /// Removes the elements at these indices, which ascend.
    pub(crate) fn remove_all(&mut self, indices: &[usize]) {
        let mut indices = indices.iter().copied().peekable();
        let mut rest = Self::default();
        for (index, element) in self.iter().enumerate() {
            if indices.next_if_eq(&index).is_none() {
                rest.push_back(element);
            }
        }
        *self = rest;
    }
}

/// `BASE` to the power of an index.
fn power(mut index: usize) -> u64 {
    let (mut result, mut square) = (1u64, BASE);
    while index > 0 {
        if index & 1 == 1 {
            result = result.wrapping_mul(square);
        }
        square = square.wrapping_mul(square);
        index >>= 1;
    }
    result
}
