//! kpi
