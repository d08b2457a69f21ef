//! Which instant of an interaction decides about its window.

/// The instant that puts a value into a window.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Counted {
    /// When it was offered to the first queue.
    Offered,
    /// When an agent answered it first.
    Answered,
    /// When it was over: the customer gone and the agents done, wrap-up included.
    #[default]
    Ended,
}

impl Counted {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Offered, Self::Answered, Self::Ended];

    /// As it is written in definitions.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Offered => "offered",
            Self::Answered => "answered",
            Self::Ended => "ended",
        }
    }

    /// The one of this name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|counted| counted.name() == name)
    }
}
