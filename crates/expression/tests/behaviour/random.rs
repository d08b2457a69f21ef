//! Random worlds and random well-typed expressions out of a string of choices, which proptest shortens and lowers: a
//! choice of 0, which is also what follows the last, is always the simplest.

use crate::world::{Fact, INTERACTION, Kind, LEG, World};

#[derive(Debug)]
pub(crate) struct Choices<'c> {
    left: &'c [u8],
}

impl<'c> Choices<'c> {
    pub(crate) fn new(choices: &'c [u8]) -> Choices<'c> {
        Choices { left: choices }
    }

    fn below(&mut self, count: usize) -> usize {
        let Some((first, rest)) = self.left.split_first() else {
            return 0;
        };
        self.left = rest;
        usize::from(*first) % count
    }

    fn pick<T: Clone>(&mut self, of: &[T]) -> T {
        of[self.below(of.len())].clone()
    }
}

const INTS: &[i64] = &[0, 1, -1, 2, 3, 7, -5, 100, i64::MAX, i64::MIN];
/// Neither so large nor so small that a few multiplications leave the finite numbers.
const DOUBLES: &[f64] = &[0.0, 1.0, -1.5, 2.5, 0.125, 1e6, -100.25];
const DURATIONS: &[i64] = &[
    0, 1, -1, 1_000, 20_000, 185_500, -5_000, 3_600_000, 86_400_000,
];
const TIMESTAMPS: &[i64] = &[
    0,
    1_700_000_000_000_000,
    1_700_000_000_001_000,
    1_600_000_123_456_000,
];
const TEXTS: &[&str] = &["", "a", "SOLD", "IVR", "Äö", "agent", "b€", "queue"];

/// Facts; durations may be implausible only where that is asked for.
pub(crate) fn world(choices: &mut Choices<'_>, implausible: bool) -> World {
    let mut world = World::empty();
    for (name, kind, optional) in INTERACTION {
        if let Some(fact) = fact(choices, *kind, *optional, implausible) {
            world = world.with(name, fact);
        }
    }
    for _ in 0..choices.below(4) {
        let mut facts = Vec::new();
        for (name, kind, optional) in LEG {
            if let Some(fact) = fact(choices, *kind, *optional, implausible) {
                facts.push((*name, fact));
            }
        }
        world = world.leg(&facts);
    }
    world
}

fn fact(choices: &mut Choices<'_>, kind: Kind, optional: bool, implausible: bool) -> Option<Fact> {
    if optional && choices.below(3) == 2 {
        return None;
    }
    Some(match kind {
        Kind::Bool => Fact::Bool(choices.below(2) == 1),
        Kind::Int => Fact::Int(choices.pick(INTS)),
        Kind::Double => Fact::Double(choices.pick(DOUBLES)),
        Kind::Text => Fact::Text(choices.pick(TEXTS).to_owned()),
        Kind::Direction => Fact::Text(choices.pick(&["inbound", "outbound"]).to_owned()),
        Kind::Duration if implausible && choices.below(4) == 3 => Fact::Implausible(-1),
        Kind::Duration => Fact::Duration(choices.pick(DURATIONS)),
        Kind::Timestamp => Fact::Timestamp(choices.pick(TIMESTAMPS)),
        Kind::Texts | Kind::Directions => Fact::Texts(
            (0..choices.below(4))
                .map(|_| choices.pick(TEXTS).to_owned())
                .collect(),
        ),
        Kind::Ints => Fact::Ints((0..choices.below(4)).map(|_| choices.pick(INTS)).collect()),
        Kind::Legs | Kind::Interaction => return None,
    })
}

/// The types of scalars.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Scalar {
    Bool,
    Int,
    Double,
    Text,
    Duration,
    Timestamp,
}

pub(crate) const SCALARS: &[Scalar] = &[
    Scalar::Bool,
    Scalar::Int,
    Scalar::Double,
    Scalar::Text,
    Scalar::Duration,
    Scalar::Timestamp,
];

/// How deep an expression is.
const DEPTH: u32 = 4;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Item {
    Leg,
    Scalar(Scalar),
}

/// One expression in our words and in the reference's, which has no `orZero`, `sum` and so on.
#[derive(Debug, Clone)]
pub(crate) struct Both {
    pub(crate) ours: String,
    pub(crate) reference: String,
}

fn same(text: impl Into<String>) -> Both {
    let text = text.into();
    Both {
        ours: text.clone(),
        reference: text,
    }
}

/// Puts parts into `{}`s, in both.
fn put(form: &str, parts: &[&Both]) -> Both {
    put_different(form, form, parts)
}

fn put_different(ours: &str, reference: &str, parts: &[&Both]) -> Both {
    let fill = |form: &str, part: fn(&Both) -> &str| {
        let mut pieces = form.split("{}");
        let mut text = pieces.next().unwrap().to_owned();
        for (piece, one) in pieces.zip(parts) {
            text.push_str(part(one));
            text.push_str(piece);
        }
        text
    };
    Both {
        ours: fill(ours, |both| &both.ours),
        reference: fill(reference, |both| &both.reference),
    }
}

#[derive(Debug)]
pub(crate) struct Grammar<'g, 'c> {
    choices: &'g mut Choices<'c>,
    scope: Vec<Item>,
    /// Whether it is open which of two failures is told: `&&`, `||`, `all` and `exists` absorb either, and the reference
    /// evaluates what stands before a dot last, and a list as a whole before what is done with its items.
    pub(crate) open: bool,
    /// Also what the reference cannot say.
    extensions: bool,
}

impl<'g, 'c> Grammar<'g, 'c> {
    pub(crate) fn new(choices: &'g mut Choices<'c>, extensions: bool) -> Grammar<'g, 'c> {
        Grammar {
            choices,
            scope: Vec::new(),
            open: false,
            extensions,
        }
    }

    /// An expression of one of the scalar types.
    pub(crate) fn any(&mut self) -> (Scalar, Both) {
        let scalar = self.choices.pick(SCALARS);
        (scalar, self.scalar(scalar, DEPTH))
    }

    fn literal(&mut self, scalar: Scalar) -> Both {
        same(match scalar {
            Scalar::Bool => self.choices.pick(&["true", "false"]).to_owned(),
            // There is no literal for the least one but a negative literal.
            Scalar::Int => self.choices.pick(INTS).to_string(),
            Scalar::Double => format!("{:?}", self.choices.pick(DOUBLES)),
            Scalar::Text => format!("'{}'", self.choices.pick(TEXTS)),
            Scalar::Duration => format!("duration('{}ms')", self.choices.pick(DURATIONS)),
            Scalar::Timestamp => "timestamp('2023-11-14T22:13:20.001Z')".to_owned(),
        })
    }

    /// A field of the type, and whether it may be not stated.
    fn field(&mut self, scalar: Scalar) -> (Both, bool) {
        let wanted = match scalar {
            Scalar::Bool => Kind::Bool,
            Scalar::Int => Kind::Int,
            Scalar::Double => Kind::Double,
            Scalar::Text => Kind::Text,
            Scalar::Duration => Kind::Duration,
            Scalar::Timestamp => Kind::Timestamp,
        };
        let mut paths = Vec::new();
        let mut add = |object: &str, fields: &[(&str, Kind, bool)]| {
            for (name, _, optional) in fields.iter().filter(|(_, kind, _)| *kind == wanted) {
                paths.push((format!("{object}.{name}"), *optional));
            }
        };
        add("interaction", INTERACTION);
        for (index, item) in self.scope.iter().enumerate() {
            if *item == Item::Leg {
                add(&format!("v{index}"), LEG);
            }
        }
        for (index, item) in self.scope.iter().enumerate() {
            if *item == Item::Scalar(scalar) {
                paths.push((format!("v{index}"), false));
            }
        }
        let (path, optional) = self.choices.pick(&paths);
        (same(path), optional)
    }

    fn scalar(&mut self, scalar: Scalar, depth: u32) -> Both {
        if depth == 0 {
            return match self.choices.below(4) {
                3 => self.literal(scalar),
                _ => self.field(scalar).0,
            };
        }
        // The whole is not a field or a literal alone.
        let kind = match depth {
            DEPTH => 2 + self.choices.below(6),
            _ => self.choices.below(8),
        };
        match kind {
            0 => self.field(scalar).0,
            1 => self.literal(scalar),
            2 => {
                let condition = self.scalar(Scalar::Bool, depth - 1);
                let (a, b) = (
                    self.scalar(scalar, depth - 1),
                    self.scalar(scalar, depth - 1),
                );
                put("({} ? {} : {})", &[&condition, &a, &b])
            }
            3 => self.or(scalar, depth),
            4 => self.of_list(scalar, depth),
            _ => match scalar {
                Scalar::Bool => self.bool(depth),
                Scalar::Int => self.int(depth),
                Scalar::Double => self.double(depth),
                Scalar::Text => self.field(scalar).0,
                Scalar::Duration => self.duration(depth),
                Scalar::Timestamp => self.timestamp(depth),
            },
        }
    }

    fn or(&mut self, scalar: Scalar, depth: u32) -> Both {
        let (field, optional) = self.field(scalar);
        if !optional {
            return field;
        }
        let zero = match scalar {
            Scalar::Int => Some("0"),
            Scalar::Double => Some("0.0"),
            Scalar::Duration => Some("duration('0s')"),
            _ => None,
        };
        match zero {
            Some(zero) if self.choices.below(2) == 0 => {
                let reference = format!("(has({{}}) ? {{}} : {zero})");
                put_different("orZero({})", &reference, &[&field, &field])
            }
            _ => {
                let otherwise = self.scalar(scalar, depth - 1);
                let reference = put("(has({}) ? {} : {})", &[&field, &field, &otherwise]);
                Both {
                    ours: put("orElse({}, {})", &[&field, &otherwise]).ours,
                    reference: reference.reference,
                }
            }
        }
    }

    /// One value out of a list: an item, the smallest, the sum.
    fn of_list(&mut self, scalar: Scalar, depth: u32) -> Both {
        let list = self.list(Item::Scalar(scalar), depth - 1);
        let name = match scalar {
            Scalar::Bool | Scalar::Text => {
                let index = self.choices.below(3);
                return put(&format!("{{}}[{index}]"), &[&list]);
            }
            Scalar::Int => "Int",
            Scalar::Double => "Double",
            Scalar::Duration => "Duration",
            Scalar::Timestamp => "Timestamp",
        };
        let functions: &[&str] = match scalar {
            Scalar::Timestamp => &["min", "max"],
            _ => &["sum", "min", "max"],
        };
        let function = self.choices.pick(functions);
        put_different(
            &format!("{function}({{}})"),
            &format!("{function}{name}({{}})"),
            &[&list],
        )
    }

    fn list(&mut self, item: Item, depth: u32) -> Both {
        if depth == 0 {
            return self.plain_list(item);
        }
        let kind = self.choices.below(4);
        self.open |= kind != 0;
        match kind {
            0 => self.plain_list(item),
            1 => {
                let range = self.list(item, depth - 1);
                let (name, condition) =
                    self.with(item, |grammar| grammar.scalar(Scalar::Bool, depth - 1));
                put("{}.filter({}, {})", &[&range, &name, &condition])
            }
            _ => match item {
                Item::Leg => self.plain_list(item),
                Item::Scalar(scalar) => {
                    let range = self.list(Item::Leg, depth - 1);
                    let filtered = self.choices.below(3) == 2;
                    let (name, (condition, value)) = self.with(Item::Leg, |grammar| {
                        (
                            filtered.then(|| grammar.scalar(Scalar::Bool, depth - 1)),
                            grammar.scalar(scalar, depth - 1),
                        )
                    });
                    match condition {
                        Some(condition) => {
                            put("{}.map({}, {}, {})", &[&range, &name, &condition, &value])
                        }
                        None => put("{}.map({}, {})", &[&range, &name, &value]),
                    }
                }
            },
        }
    }

    fn plain_list(&mut self, item: Item) -> Both {
        match (item, self.choices.below(3)) {
            (Item::Leg, _) => same("interaction.legs"),
            (Item::Scalar(Scalar::Int), 0) => same("interaction.counts"),
            (Item::Scalar(Scalar::Int), 1) => same("lists.numbers"),
            (Item::Scalar(Scalar::Text), 0) => same("interaction.dispositions"),
            (Item::Scalar(Scalar::Text), 1) => same("lists.excluded"),
            (Item::Scalar(scalar), _) => {
                self.open = true;
                let (a, b) = (self.scalar(scalar, 0), self.scalar(scalar, 0));
                put("[{}, {}]", &[&a, &b])
            }
        }
    }

    /// With the name of an item bound.
    fn with<T>(&mut self, item: Item, inner: impl FnOnce(&mut Self) -> T) -> (Both, T) {
        let name = same(format!("v{}", self.scope.len()));
        self.scope.push(item);
        let inner = inner(self);
        self.scope.pop();
        (name, inner)
    }

    fn two(&mut self, scalar: Scalar, depth: u32) -> (Both, Both) {
        (
            self.scalar(scalar, depth - 1),
            self.scalar(scalar, depth - 1),
        )
    }

    fn bool(&mut self, depth: u32) -> Both {
        match self.choices.below(9) {
            0 => {
                let of = self.scalar(Scalar::Bool, depth - 1);
                put("!({})", &[&of])
            }
            1 | 2 => {
                self.open = true;
                let operator = self.choices.pick(&["&&", "||"]);
                let (a, b) = self.two(Scalar::Bool, depth);
                put(&format!("({{}} {operator} {{}})"), &[&a, &b])
            }
            3 | 4 => {
                let scalar = self.choices.pick(SCALARS);
                let operators: &[&str] = match scalar {
                    Scalar::Bool => &["==", "!="],
                    _ => &["==", "!=", "<", "<=", ">", ">="],
                };
                let operator = self.choices.pick(operators);
                let (a, b) = self.two(scalar, depth);
                put(&format!("({{}} {operator} {{}})"), &[&a, &b])
            }
            5 => {
                let scalar = self.choices.pick(SCALARS);
                let (field, optional) = self.field(scalar);
                if optional {
                    put("has({})", &[&field])
                } else {
                    same("true")
                }
            }
            6 => {
                let scalar = self.choices.pick(SCALARS);
                let item = self.scalar(scalar, depth - 1);
                let list = self.list(Item::Scalar(scalar), depth - 1);
                put("({} in {})", &[&item, &list])
            }
            7 => {
                self.open = true;
                let test = self.choices.pick(&[
                    "startsWith({})",
                    "endsWith({})",
                    "contains({})",
                    "matches('^[a-zA-Ä]+$')",
                ]);
                let (a, b) = self.two(Scalar::Text, depth);
                put(&format!("{{}}.{test}"), &[&a, &b])
            }
            _ => {
                let quantifier = self.choices.pick(&["all", "exists", "exists_one"]);
                self.open |= quantifier != "exists_one";
                let item = self.choices.pick(&[
                    Item::Leg,
                    Item::Scalar(Scalar::Int),
                    Item::Scalar(Scalar::Text),
                ]);
                let range = self.list(item, depth - 1);
                let (name, condition) =
                    self.with(item, |grammar| grammar.scalar(Scalar::Bool, depth - 1));
                put(
                    &format!("{{}}.{quantifier}({{}}, {{}})"),
                    &[&range, &name, &condition],
                )
            }
        }
    }

    fn int(&mut self, depth: u32) -> Both {
        match self.choices.below(8) {
            0 => {
                let item = self
                    .choices
                    .pick(&[Item::Leg, Item::Scalar(Scalar::Duration)]);
                let list = self.list(item, depth - 1);
                put("size({})", &[&list])
            }
            1 => {
                let text = self.scalar(Scalar::Text, depth - 1);
                put("size({})", &[&text])
            }
            2 => {
                let of = self.scalar(Scalar::Double, depth - 1);
                put("int({})", &[&of])
            }
            3 => {
                let of = self.scalar(Scalar::Int, depth - 1);
                put("-({})", &[&of])
            }
            4 => {
                let function = self.choices.pick(&["min", "max"]);
                let (a, b) = self.two(Scalar::Int, depth);
                put_different(
                    &format!("{function}({{}}, {{}})"),
                    &format!("{function}Int([{{}}, {{}}])"),
                    &[&a, &b],
                )
            }
            _ => {
                let operator = self.choices.pick(&["+", "-", "*", "/", "%"]);
                let (a, b) = self.two(Scalar::Int, depth);
                put(&format!("({{}} {operator} {{}})"), &[&a, &b])
            }
        }
    }

    fn double(&mut self, depth: u32) -> Both {
        match self.choices.below(5) {
            0 => {
                let of = self.scalar(Scalar::Int, depth - 1);
                put("double({})", &[&of])
            }
            1 => {
                // Where the reference would have infinity, ours fails: keep clear of it.
                let (a, b) = self.two(Scalar::Double, depth);
                put("({} == 0.0 ? 1.0 : {} / {})", &[&b, &a, &b])
            }
            2 => {
                let of = self.scalar(Scalar::Duration, depth - 1);
                put("seconds({})", &[&of])
            }
            _ => {
                let operator = self.choices.pick(&["+", "-", "*"]);
                let (a, b) = self.two(Scalar::Double, depth);
                put(&format!("({{}} {operator} {{}})"), &[&a, &b])
            }
        }
    }

    fn duration(&mut self, depth: u32) -> Both {
        match self.choices.below(if self.extensions { 6 } else { 4 }) {
            0 => {
                let (a, b) = self.two(Scalar::Timestamp, depth);
                put("({} - {})", &[&a, &b])
            }
            1 => {
                let function = self.choices.pick(&["min", "max"]);
                let (a, b) = self.two(Scalar::Duration, depth);
                put_different(
                    &format!("{function}({{}}, {{}})"),
                    &format!("{function}Duration([{{}}, {{}}])"),
                    &[&a, &b],
                )
            }
            4 => {
                let a = self.scalar(Scalar::Duration, depth - 1);
                let b = self.scalar(Scalar::Int, depth - 1);
                let form = self.choices.pick(&["({} * {})", "({} / {})", "-({})"]);
                put(form, &[&a, &b])
            }
            5 => same("stateTime('held')"),
            _ => {
                let operator = self.choices.pick(&["+", "-"]);
                let (a, b) = self.two(Scalar::Duration, depth);
                put(&format!("({{}} {operator} {{}})"), &[&a, &b])
            }
        }
    }

    fn timestamp(&mut self, depth: u32) -> Both {
        let a = self.scalar(Scalar::Timestamp, depth - 1);
        let b = self.scalar(Scalar::Duration, depth - 1);
        put(self.choices.pick(&["({} + {})", "({} - {})"]), &[&a, &b])
    }
}
