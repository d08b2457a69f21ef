//! Rows to columns: what every batch does before it is sent.

use crate::error::StoreError;

/// Refuses U+0000 in a column that PostgreSQL compares.
pub(crate) fn no_nul(column: &'static str, text: &str) -> Result<(), StoreError> {
    if text.as_bytes().contains(&0) {
        return Err(StoreError::Nul { column });
    }
    Ok(())
}

/// References to the rows, sorted by key, one for each key: the last of equal keys, the one later in the slice.
pub(crate) fn last_per_key<'r, R, K: Ord>(rows: &'r [R], key: impl Fn(&'r R) -> K) -> Vec<&'r R> {
    let mut sorted: Vec<&R> = rows.iter().collect();
    sorted.sort_by_key(|row| key(row));
    // dedup_by keeps the first of a run; assign the later one to it before it goes.
    sorted.dedup_by(|later, kept| {
        let same = key(later) == key(kept);
        if same {
            *kept = *later;
        }
        same
    });
    sorted
}

/// One column of the rows.
pub(crate) fn column<'r, R, T>(rows: &[&'r R], value: impl Fn(&'r R) -> T) -> Vec<T> {
    rows.iter().copied().map(value).collect()
}

/// Tenants and ids of interactions, as columns.
pub(crate) fn interactions<T: AsRef<str>, I: AsRef<str>>(
    keys: &[(T, I)],
) -> Result<(Vec<&str>, Vec<&str>), StoreError> {
    let mut columns = (
        Vec::with_capacity(keys.len()),
        Vec::with_capacity(keys.len()),
    );
    for (tenant, id) in keys {
        no_nul("tenant", tenant.as_ref())?;
        no_nul("interaction_id", id.as_ref())?;
        columns.0.push(tenant.as_ref());
        columns.1.push(id.as_ref());
    }
    Ok(columns)
}

#[cfg(test)]
mod tests {
    use super::last_per_key;

    #[test]
    fn the_last_of_equal_keys_is_kept_in_key_order() {
        let rows = [(2, 'a'), (1, 'b'), (2, 'c'), (1, 'd'), (3, 'e'), (2, 'f')];
        let kept: Vec<_> = last_per_key(&rows, |row| row.0)
            .into_iter()
            .copied()
            .collect();
        assert_eq!(kept, [(1, 'd'), (2, 'f'), (3, 'e')]);
    }
}
