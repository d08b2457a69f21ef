//! Texts that functions make while an expression is evaluated.

use compact_str::CompactString;
use std::cell::{Cell, OnceCell};

/// Blocks of 4, 8, 16 … texts. None moves once it is there, so values may borrow them; and neither finding the place of the next nor
/// giving all of them back takes longer for there being many.
#[derive(Debug, Default)]
pub(crate) struct Texts {
    kept: Cell<usize>,
    /// Most definitions make none.
    blocks: OnceCell<Box<[OnceCell<Block>; BLOCKS]>>,
}

type Block = Box<[OnceCell<CompactString>]>;

const FIRST: usize = 4;

/// As many texts as 12 blocks hold, 16,380, are more than any budget pays for.
const BLOCKS: usize = 12;

impl Texts {
    /// Keeps a text as long as all of them are kept; `None` where there is no place left.
    pub(crate) fn keep(&self, text: CompactString) -> Option<&str> {
        let place = self.kept.get();
        // Block b begins where the blocks before it end, at FIRST * (2^b - 1).
        let block = (place / FIRST + 1).ilog2();
        let size = FIRST << block;
        let within = place - (size - FIRST);
        let texts = self
            .blocks
            .get_or_init(Box::default)
            .get(usize::try_from(block).ok()?)?
            .get_or_init(|| std::iter::repeat_with(OnceCell::new).take(size).collect());
        self.kept.set(place + 1);
        Some(texts.get(within)?.get_or_init(|| text))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use compact_str::format_compact;

    #[test]
    fn texts_stay_what_they_are_up_to_the_last_place() {
        let texts = Texts::default();
        let name = |n: usize| format_compact!("text {n}");
        let kept: Vec<&str> = (0..16_380).map(|n| texts.keep(name(n)).unwrap()).collect();
        assert!(kept.iter().enumerate().all(|(n, text)| *text == name(n)));
        assert_eq!(texts.keep(name(0)), None);
        assert_eq!(texts.keep(name(0)), None);
    }
}
