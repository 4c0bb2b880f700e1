//! Redis' patterns: `*`, `?`, `[a-z]`, `[^a]`, and `\` before what is meant literally.

/// A pattern.
pub(super) struct Glob<'a>(&'a [u8]);

impl<'a> Glob<'a> {
    pub(super) fn new(pattern: &'a [u8]) -> Self {
        Self(pattern)
    }

    /// In time of the product of both lengths at most: a star that has matched once is never
    /// extended again after a later star has.
    pub(super) fn matches(&self, text: &[u8]) -> bool {
        if text.is_empty() {
            // As in Redis, where even `**` needs a byte.
            return self.0.is_empty() || self.0 == b"*";
        }
        let (mut pattern, mut rest) = (self.0, text);
        let mut star: Option<(&[u8], &[u8])> = None;
        loop {
            let step = match (pattern.first(), rest.first()) {
                (Some(b'*'), _) => {
                    pattern = &pattern[1..];
                    star = Some((pattern, rest));
                    continue;
                }
                (None, None) => return true,
                (Some(_), Some(byte)) => one(pattern, *byte),
                _ => None,
            };
            if let Some(after) = step {
                (pattern, rest) = (after, &rest[1..]);
                continue;
            }
            // The last star takes a byte more.
            match star {
                Some((after, [_, more @ ..])) => {
                    (pattern, rest) = (after, more);
                    star = Some((after, more));
                }
                _ => return false,
            }
        }
    }
}

/// What follows the pattern's first element, if that matches the byte.
fn one(pattern: &[u8], byte: u8) -> Option<&[u8]> {
    match pattern {
        [b'?', rest @ ..] => Some(rest),
        [b'[', rest @ ..] => class(rest, byte),
        [b'\\', literal, rest @ ..] | [literal, rest @ ..] => (*literal == byte).then_some(rest),
        [] => None,
    }
}

/// A class without its bracket. One that is never closed ends with the pattern.
fn class(pattern: &[u8], byte: u8) -> Option<&[u8]> {
    let (is_negated, mut rest) = match pattern {
        [b'^', rest @ ..] => (true, rest),
        rest => (false, rest),
    };
    let mut is_member = false;
    loop {
        rest = match rest {
            [b'\\', literal, rest @ ..] => {
                is_member |= *literal == byte;
                rest
            }
            [b']', rest @ ..] => return (is_member != is_negated).then_some(rest),
            [] => return (is_member != is_negated).then_some(rest),
            [from, b'-', to, rest @ ..] => {
                is_member |= (*from.min(to)..=*from.max(to)).contains(&byte);
                rest
            }
            [literal, rest @ ..] => {
                is_member |= *literal == byte;
                rest
            }
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Broken: `KEYS` and `SCAN` find other keys than Redis does.
    #[test]
    fn patterns_match_what_redis_matches() {
        for (pattern, text, expected) in [
            ("*", "", true),
            ("*", "any", true),
            ("a*", "a", true),
            ("a*b*c", "a-b-b-c", true),
            ("a*b*c", "a-b-b", false),
            ("a?c", "abc", true),
            ("a?", "a", false),
            ("[a-c]x", "bx", true),
            ("[c-a]x", "bx", true),
            ("[^a-c]x", "bx", false),
            ("[^a-c]x", "dx", true),
            ("[\\]]", "]", true),
            ("[abc", "b", true),
            ("\\*", "*", true),
            ("\\*", "a", false),
            ("a\\", "a\\", true),
            ("", "", true),
            ("", "a", false),
        ] {
            assert_eq!(
                Glob::new(pattern.as_bytes()).matches(text.as_bytes()),
                expected,
                "{pattern} {text}"
            );
        }
    }

    /// Broken: one `KEYS` holds up a replica for minutes.
    #[test]
    fn many_stars_take_no_exponential_time() {
        let pattern = "*a".repeat(500) + "b";
        assert!(!Glob::new(pattern.as_bytes()).matches("a".repeat(5000).as_bytes()));
    }
}
