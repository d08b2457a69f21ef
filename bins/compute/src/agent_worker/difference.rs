//! What is stored compared with what was computed. Pure.

/// What is to be written and what is to go, by reference.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Difference<'a, R> {
    pub(super) put: Vec<&'a R>,
    pub(super) gone: Vec<&'a R>,
    /// What each of `put` takes the place of, where there was something.
    pub(super) replaced: Vec<&'a R>,
}

/// Compares rows that are both ascending by key, each key once.
pub(super) fn difference<'a, R: PartialEq, K: Ord>(
    stored: &'a [R],
    computed: &'a [R],
    key: impl Fn(&'a R) -> K,
) -> Difference<'a, R> {
    let mut difference = Difference {
        put: Vec::new(),
        gone: Vec::new(),
        replaced: Vec::new(),
    };
    let (mut stored, mut computed) = (stored.iter().peekable(), computed.iter().peekable());
    loop {
        match (stored.peek(), computed.peek()) {
            (None, None) => return difference,
            (Some(old), new) if new.is_none_or(|new| key(old) < key(new)) => {
                difference.gone.extend(stored.next());
            }
            (Some(old), Some(new)) if key(old) == key(new) => {
                if old != new {
                    difference.put.push(new);
                    difference.replaced.push(old);
                }
                stored.next();
                computed.next();
            }
            _ => difference.put.extend(computed.next()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_differs_is_put_and_what_is_not_there_any_more_goes() {
        let stored = [(1, 'a'), (2, 'b'), (4, 'd')];
        let computed = [(0, 'z'), (2, 'b'), (3, 'c'), (4, 'e'), (5, 'f')];
        assert_eq!(
            difference(&stored, &computed, |row| row.0),
            Difference {
                put: vec![&(0, 'z'), &(3, 'c'), &(4, 'e'), &(5, 'f')],
                gone: vec![&(1, 'a')],
                replaced: vec![&(4, 'd')],
            }
        );
        assert_eq!(difference(&stored, &[], |row| row.0).gone.len(), 3);
        assert_eq!(difference(&[], &computed, |row| row.0).put.len(), 5);
    }
}
