//! The routes of history: the name of each kind of call. Budgets pause by it, metrics and logs carry it, so a name never changes.
//!
//! A route is not a path: both kinds of details jobs have paths of one shape and a quota each, and all calls for data extraction share
//! one route, because the platform's pace for them is one.

// Genesys: conversations in detail.
pub(super) const DETAILS_JOB_SUBMIT: &str = "details-job-submit";
pub(super) const DETAILS_JOB_STATUS: &str = "details-job-status";
pub(super) const DETAILS_JOB_RESULTS: &str = "details-job-results";
pub(super) const DETAILS_JOB_DELETE: &str = "details-job-delete";
pub(super) const DETAILS_JOB_AVAILABILITY: &str = "details-job-availability";
pub(super) const DETAILS_QUERY: &str = "details-query";
pub(super) const DETAILS_GET: &str = "details-get";
pub(super) const DETAILS_MULTI_GET: &str = "details-multi-get";
pub(super) const AGGREGATES_QUERY: &str = "aggregates-query";

// Genesys: users.
pub(super) const USERS_JOB_SUBMIT: &str = "users-job-submit";
pub(super) const USERS_JOB_STATUS: &str = "users-job-status";
pub(super) const USERS_JOB_RESULTS: &str = "users-job-results";
pub(super) const USERS_JOB_DELETE: &str = "users-job-delete";
pub(super) const USERS_JOB_AVAILABILITY: &str = "users-job-availability";
pub(super) const USERS_QUERY: &str = "users-query";
pub(super) const USERS_AGGREGATES_QUERY: &str = "users-aggregates-query";
pub(super) const USERS_LIST: &str = "users-list";

// Genesys: workforce management.
pub(super) const WORKFORCE_UNITS: &str = "workforce-units";
pub(super) const WORKFORCE_USERS: &str = "workforce-users";
pub(super) const WORKFORCE_SCHEDULES: &str = "workforce-schedules";

// CXone: contacts and agents.
pub(super) const CONTACTS_COMPLETED: &str = "contacts-completed";
pub(super) const CONTACTS_GET: &str = "contacts-get";
pub(super) const CONTACTS_HIERARCHY: &str = "contacts-hierarchy";
pub(super) const CONTACTS_STATE_HISTORY: &str = "contacts-state-history";
pub(super) const AGENTS_STATE_HISTORY: &str = "agents-state-history";
pub(super) const SKILLS_SUMMARY: &str = "skills-summary";
pub(super) const AGENTS_PERFORMANCE: &str = "agents-performance";
pub(super) const AGENTS_LIST: &str = "agents-list";
pub(super) const BUSINESS_UNIT: &str = "business-unit";
pub(super) const SCHEDULE_EXPORT: &str = "schedule-export";

// CXone: what comes as a file.
pub(super) const REPORT_JOB: &str = "report-job";
pub(super) const EXTRACTION: &str = "extraction";
