//! Tumbling windows of local time, and what adds up in them.
