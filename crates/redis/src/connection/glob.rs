//! Patterns of names, as `CONFIG GET` takes them: `*` and `?`.

/// Whether the whole text is as the pattern says.
pub(super) fn is_match(pattern: &[u8], text: &[u8]) -> bool {
    let (mut p, mut t) = (0, 0);
    // Where the last star stands, and what it was taken to stand for until here.
    let mut star = None;
    while t < text.len() {
        match pattern.get(p) {
            Some(b'*') => {
                star = Some((p, t));
                p += 1;
            }
            Some(wanted) if *wanted == b'?' || *wanted == text[t] => {
                p += 1;
                t += 1;
            }
            _ => {
                let Some((at, until)) = star else { return false };
                star = Some((at, until + 1));
                (p, t) = (at + 1, until + 1);
            }
        }
    }
    pattern[p..].iter().all(|byte| *byte == b'*')
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Broken: `CONFIG GET max*` answers nothing, or everything.
    #[test]
    fn patterns_stand_for_names() {
        for (pattern, text, is) in [
            ("*", "", true),
            ("max*", "maxmemory", true),
            ("max*", "save", false),
            ("*e*y", "maxmemory", true),
            ("*e*y", "maxmemor", false),
            ("s?ve", "save", true),
            ("save", "saved", false),
            ("**a**", "bab", true),
        ] {
            assert_eq!(is_match(pattern.as_bytes(), text.as_bytes()), is, "{pattern} {text}");
        }
    }
}
