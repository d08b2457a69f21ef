//! Ids that are made from numbers, and give them back: a conversation that is asked for by its id is found without a search.

/// What an id names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Of {
    Conversation = 1,
    Agent = 2,
    Queue = 3,
    WrapUp = 4,
    Flow = 5,
    Division = 6,
    Presence = 7,
    Contact = 8,
}

/// Makes ids from a seed.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Ids {
    seed: u64,
}

/// Odd, so that multiplying by it can be undone.
const FACTOR: u64 = 0x9E37_79B9_7F4B;
const LOW_48: u64 = (1 << 48) - 1;

impl Ids {
    pub(crate) const fn new(seed: u64) -> Self {
        Self { seed }
    }

    /// The id of the `number`th of these; numbers below 2^48.
    pub(crate) fn write(self, to: &mut String, of: Of, number: u64) {
        let (high, low) = self.words(of, number);
        uuid(to, high, low);
    }

    pub(crate) fn text(self, of: Of, number: u64) -> String {
        let mut text = String::with_capacity(36);
        self.write(&mut text, of, number);
        text
    }

    /// The number whose id this is.
    pub(crate) fn number(self, of: Of, id: &str) -> Option<u64> {
        if id.len() != 36 || !id.is_ascii() {
            return None;
        }
        let hidden = u64::from_str_radix(&id[24..], 16).ok()?;
        let number = (hidden ^ self.mask(of)).wrapping_mul(inverse()) & LOW_48;
        id.eq_ignore_ascii_case(&self.text(of, number))
            .then_some(number)
    }

    /// A part of a conversation: participants, sessions.
    pub(crate) fn write_part(self, to: &mut String, number: u64, part: u64) {
        let high = mix(self.seed ^ mix(number) ^ (part << 8 | 0xA5));
        uuid(to, high, mix(high ^ number));
    }

    fn words(self, of: Of, number: u64) -> (u64, u64) {
        let hidden = (number.wrapping_mul(FACTOR) & LOW_48) ^ self.mask(of);
        let hash = mix(self.seed ^ mix(number) ^ (of as u64) << 56);
        (hash, (mix(hash) & !LOW_48) | hidden)
    }

    fn mask(self, of: Of) -> u64 {
        mix(self.seed.wrapping_add((of as u64) << 32)) & LOW_48
    }
}

/// The number by which multiplying undoes [`FACTOR`], by Newton's way: each step doubles the digits that are right.
const fn inverse() -> u64 {
    let mut guess = FACTOR;
    let mut step = 0;
    while step < 6 {
        guess = guess.wrapping_mul(2_u64.wrapping_sub(FACTOR.wrapping_mul(guess)));
        step += 1;
    }
    guess
}

/// A number that looks like chance, always the same for the same one.
pub(crate) const fn mix(number: u64) -> u64 {
    let mut mixed = number.wrapping_add(0x9E37_79B9_7F4A_7C15);
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    mixed ^ (mixed >> 31)
}

/// Writes 128 bits as a UUID of version 4; the lowest 48 stay as they are.
fn uuid(to: &mut String, high: u64, low: u64) {
    const HEX: [char; 16] = [
        '0', '1', '2', '3', '4', '5', '6', '7', '8', '9', 'a', 'b', 'c', 'd', 'e', 'f',
    ];
    let high = (high & !0xF000) | 0x4000;
    let low = (low & !(0b11 << 62)) | (0b10 << 62);
    for (word, breaks) in [(high, &[32, 16, 0][..]), (low, &[48][..])] {
        for shift in (0..64).step_by(4).rev() {
            to.push(HEX[usize::try_from(word >> shift & 0xF).unwrap_or(0)]);
            if breaks.contains(&shift) {
                to.push('-');
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_look_like_uuids_and_give_their_number_back() {
        let ids = Ids::new(7);
        for number in (0..1_000).chain([499_999, (1 << 48) - 1]) {
            let id = ids.text(Of::Conversation, number);
            assert_eq!(id.len(), 36, "{id}");
            let dashes: Vec<usize> = id.match_indices('-').map(|(at, _)| at).collect();
            assert_eq!(dashes, [8, 13, 18, 23], "{id}");
            assert_eq!(&id[14..15], "4");
            assert_eq!(ids.number(Of::Conversation, &id), Some(number));
            assert_eq!(ids.number(Of::Agent, &id), None);
            assert_eq!(Ids::new(8).number(Of::Conversation, &id), None);
        }
    }

    #[test]
    fn what_is_no_id_of_ours_has_no_number() {
        let ids = Ids::new(1);
        for text in ["", "x", "ffffffff-ffff-4fff-bfff-ffffffffffff", "ä"] {
            assert_eq!(ids.number(Of::Conversation, text), None);
        }
    }
}
