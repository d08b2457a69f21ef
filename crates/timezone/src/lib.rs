//! timezone
