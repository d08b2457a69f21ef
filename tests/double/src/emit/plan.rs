//! Which events go into which body, in which order.

use super::{Framing, Options};
use crate::random::Random;
use crate::sign::Signer;
use bytes::{Bytes, BytesMut};

/// One body, signed.
#[derive(Debug, Clone)]
pub struct Body {
    /// Its bytes.
    pub bytes: Bytes,
    /// The signature header's value, if bodies are signed.
    pub signature: Option<String>,
    /// Events in it.
    pub events: usize,
}

/// All bodies of a run, built when they are asked for or beforehand.
#[derive(Debug)]
pub struct Plan {
    events: Vec<Bytes>,
    order: Vec<u32>,
    per_post: usize,
    framing: Framing,
    signer: Option<Signer>,
    prepared: Vec<Body>,
}

impl Plan {
    /// The plan for these events.
    pub fn new(options: &Options, events: Vec<Bytes>) -> Self {
        let mut plan = Self {
            order: order(options, events.len()),
            events,
            per_post: options.per_post.max(1),
            framing: options.framing,
            signer: options.signer(),
            prepared: Vec::new(),
        };
        if options.prepare {
            plan.prepared = (0..plan.posts()).filter_map(|n| plan.build(n)).collect();
        }
        plan
    }

    /// Bodies in all.
    pub fn posts(&self) -> usize {
        self.order.len().div_ceil(self.per_post)
    }

    /// Events in them, copies included.
    pub fn events(&self) -> usize {
        self.order.len()
    }

    /// The body with this number.
    pub fn body(&self, number: usize) -> Option<Body> {
        match self.prepared.get(number) {
            Some(body) => Some(body.clone()),
            None => self.build(number),
        }
    }

    fn build(&self, number: usize) -> Option<Body> {
        let first = number.checked_mul(self.per_post)?;
        let last = (first + self.per_post).min(self.order.len());
        let chosen = self.order.get(first..last).filter(|it| !it.is_empty())?;
        let event = |index: &u32| &self.events[*index as usize];
        let bytes = match (chosen, self.framing) {
            ([only], Framing::Json | Framing::Lines) => event(only).clone(),
            (_, Framing::Lines) => joined(chosen.iter().map(event), b"", b"\n", b"\n"),
            (_, Framing::Json | Framing::Array) => {
                joined(chosen.iter().map(event), b"[", b",", b"]")
            }
        };
        Some(Body {
            signature: self.signer.as_ref().map(|signer| signer.sign(&bytes)),
            events: chosen.len(),
            bytes,
        })
    }
}

/// The events of a file: its lines, without copying them. Empty lines are none.
pub fn lines(file: impl Into<Bytes>) -> Vec<Bytes> {
    let file: Bytes = file.into();
    file.split(|byte| *byte == b'\n')
        .map(<[u8]>::trim_ascii)
        .filter(|line| !line.is_empty())
        .map(|line| file.slice_ref(line))
        .collect()
}

fn joined<'a>(
    parts: impl Iterator<Item = &'a Bytes> + Clone,
    open: &[u8],
    between: &[u8],
    close: &[u8],
) -> Bytes {
    let length: usize = parts.clone().map(|part| part.len() + between.len()).sum();
    let mut whole = BytesMut::with_capacity(length + open.len() + close.len());
    whole.extend_from_slice(open);
    for (number, part) in parts.enumerate() {
        if number > 0 {
            whole.extend_from_slice(between);
        }
        whole.extend_from_slice(part);
    }
    whole.extend_from_slice(close);
    whole.freeze()
}

/// Indices of events in the order of sending.
fn order(options: &Options, count: usize) -> Vec<u32> {
    let count = u32::try_from(count).unwrap_or(u32::MAX);
    let mut order: Vec<u32> = (0..count).collect();
    if let Some(seed) = options.shuffle_seed {
        Random::new(seed).shuffle(&mut order);
    }
    if options.duplicate_ratio <= 0.0 && options.late_ratio <= 0.0 {
        return order;
    }
    // Places are doubled so that what is late lands between its neighbours and never on one.
    let mut random = Random::new(options.seed);
    let late_by = i64::try_from(options.late_by).unwrap_or(i64::MAX / 4);
    let mut placed = Vec::with_capacity(order.len());
    for (place, event) in (0_i64..).zip(order) {
        let late = random.chance(options.late_ratio);
        let later = |random: &mut Random| 2 * (place + random.between(1, late_by + 1)) + 1;
        let at = if late { later(&mut random) } else { 2 * place };
        placed.push((at, event));
        if random.chance(options.duplicate_ratio) {
            placed.push((later(&mut random), event));
        }
    }
    placed.sort_by_key(|(at, _)| *at);
    placed.into_iter().map(|(_, event)| event).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn options() -> Options {
        Options::to("http://127.0.0.1:1", "secret")
    }

    fn events(count: usize) -> Vec<Bytes> {
        (0..count)
            .map(|n| Bytes::from(format!("{{\"n\":{n}}}")))
            .collect()
    }

    fn bodies(options: &Options, count: usize) -> Vec<String> {
        let plan = Plan::new(options, events(count));
        (0..plan.posts())
            .map(|n| String::from_utf8(plan.body(n).unwrap().bytes.to_vec()).unwrap())
            .collect()
    }

    #[test]
    fn framings_put_events_into_bodies() {
        let mut options = options();
        assert_eq!(bodies(&options, 2), ["{\"n\":0}", "{\"n\":1}"]);
        options.per_post = 2;
        assert_eq!(bodies(&options, 3), ["[{\"n\":0},{\"n\":1}]", "{\"n\":2}"]);
        options.framing = Framing::Array;
        assert_eq!(bodies(&options, 3)[1], "[{\"n\":2}]");
        options.framing = Framing::Lines;
        assert_eq!(bodies(&options, 3)[0], "{\"n\":0}\n{\"n\":1}\n");
    }

    #[test]
    fn prepared_bodies_are_the_same_bodies() {
        let mut options = options();
        options.per_post = 3;
        let built = bodies(&options, 10);
        options.prepare = true;
        assert_eq!(bodies(&options, 10), built);
    }

    #[test]
    fn a_shuffle_and_lateness_lose_nothing_and_copies_come_after_their_original() {
        let mut options = options();
        options.shuffle_seed = Some(4);
        options.duplicate_ratio = 0.3;
        let order = order(&options, 1_000);
        assert!((1_200..1_400).contains(&order.len()), "{}", order.len());
        let mut distinct = order.clone();
        distinct.sort_unstable();
        distinct.dedup();
        assert_eq!(distinct.len(), 1_000);

        options.shuffle_seed = None;
        options.duplicate_ratio = 0.0;
        options.late_ratio = 0.5;
        options.late_by = 10;
        let order = super::order(&options, 1_000);
        assert_eq!(order.len(), 1_000);
        let furthest = order
            .iter()
            .enumerate()
            .map(|(at, event)| at.abs_diff(*event as usize));
        assert!((1..=11).contains(&furthest.max().unwrap()));
    }

    #[test]
    fn lines_of_a_file_are_its_events() {
        assert_eq!(lines("{}\r\n\n  {\"a\":1}\n"), ["{}", "{\"a\":1}"]);
    }
}
