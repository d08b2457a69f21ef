//! What this process is called among its replicas.

use std::fmt;

/// Where Linux says the host's name; of a container or pod its own.
const HOST_NAME: &str = "/proc/sys/kernel/hostname";

/// A replica, as people and `pipeline_status` call it, and as a lease knows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Instance {
    name: String,
    holder: String,
}

impl Instance {
    /// This process: its host and number.
    pub fn this() -> Self {
        let host = std::fs::read_to_string(HOST_NAME).unwrap_or_default();
        let host = host.trim();
        let host = if host.is_empty() { "host" } else { host };
        Self::named(format!("{host}/{}", std::process::id()))
    }

    /// One of this name.
    pub fn named(name: impl Into<String>) -> Self {
        let name = name.into();
        Self {
            // Names may be told twice, as where containers share a host's name; leases must not be held by two.
            holder: format!("{name} {}", uuid::Uuid::now_v7().simple()),
            name,
        }
    }

    /// For people.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Unlike that of any other.
    pub fn holder(&self) -> &str {
        &self.holder
    }
}

impl fmt::Display for Instance {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)
    }
}
