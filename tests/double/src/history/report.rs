//! CXone's data-download reports 524 (Call Detail) and 544 (Agent State Log): CSV in the business unit's local time, without offset.

use super::agents::{self, At};
use super::contacts::{self, Row};
use super::past::{Past, View};
use chrono::{DateTime, Datelike, TimeZone, Timelike, Utc};
use chrono_tz::Tz;

/// The columns of report 524.
const CALLS: &str = "contact_id,master_contact_id,Contact_Code,media_name,contact_name,ANI_DIALNUM,skill_no,skill_name,campaign_no,campaign_name,agent_no,agent_name,team_no,team_name,disposition_code,SLA,start_date,start_time,PreQueue,InQueue,Agent_Working_Time,PostQueue,Total_Time,Abandon_Time,Routing_Time,abandon,callback_time,Logged\n";
/// The columns of report 544.
const STATES: &str = "Agent_Session_ID,Agent_No,Agent_Name,Team_No,Bus_No,StateIndex,Start_Date,Working,Available,Outstate_Code,Outstate,Log_State,Skill_No,Skill_Name,Duration,End_Date\n";

fn zone(past: &Past) -> Tz {
    past.history.contacts.zone.parse().unwrap_or(Tz::UTC)
}

fn local(zone: Tz, millis: i64) -> DateTime<Tz> {
    let instant = DateTime::<Utc>::from_timestamp_millis(millis).unwrap_or_default();
    zone.from_utc_datetime(&instant.naive_utc())
}

/// Whole seconds, as the report rounds them.
const fn seconds(millis: i64) -> i64 {
    (millis + 500) / 1_000
}

/// Report 524 of these contacts.
pub(crate) fn calls(past: &Past, rows: impl Iterator<Item = Row>) -> String {
    let zone = zone(past);
    let mut text = String::from(CALLS);
    for row in rows {
        let start = local(zone, row.start);
        let (skill, name) = row
            .skill
            .map_or((4_069_210, "SKILL_NO_AGENT".to_owned()), |skill| {
                (contacts::skill(skill), format!("SKILL_{skill}"))
            });
        let agent = row.agent.map_or(0, contacts::agent);
        let agent_name = row.agent.map_or(String::new(), |agent| format!("AGENT_{agent}"));
        let team = row.agent.map_or(0, contacts::team);
        let line = [
            row.contact.to_string(),
            row.master.to_string(),
            "18959143".to_owned(),
            if row.chat { "Chat" } else { "Phone Call" }.to_owned(),
            format!("1555{}", 1_000_000 + row.master / 24 % 9_000_000),
            "+15550100101".to_owned(),
            skill.to_string(),
            name,
            "2523910".to_owned(),
            "CAMPAIGN_01".to_owned(),
            agent.to_string(),
            agent_name,
            team.to_string(),
            String::new(),
            row.code.to_string(),
            if row.in_queue > 0 { "0" } else { "-1" }.to_owned(),
            format!("{:02}/{:02}/{:04}", start.month(), start.day(), start.year()),
            format!("{:02}:{:02}:{:02}", start.hour(), start.minute(), start.second()),
            seconds(row.pre_queue).to_string(),
            seconds(row.in_queue).to_string(),
            seconds(row.agent_ms).to_string(),
            "0".to_owned(),
            seconds(row.total()).to_string(),
            if row.abandoned { seconds(row.in_queue) } else { 0 }.to_string(),
            seconds(row.in_queue).to_string(),
            if row.abandoned { "Y" } else { "N" }.to_owned(),
            "0".to_owned(),
            "Y".to_owned(),
        ];
        text.push_str(&line.join(","));
        text.push('\n');
    }
    text
}

/// Report 544 of the agent states that begin in an interval.
pub(crate) fn states(past: &Past, interval: (i64, i64), inclusive: bool, view: &View) -> String {
    let zone = zone(past);
    let time = |millis: i64| {
        let at = local(zone, millis);
        let (is_pm, hour) = at.hour12();
        let half = if is_pm { "PM" } else { "AM" };
        format!(
            "{}/{}/{} {hour}:{:02}:{:02} {half}",
            at.month(),
            at.day(),
            at.year(),
            at.minute(),
            at.second()
        )
    };
    let mut text = String::from(STATES);
    for row in agents::rows(past, interval, inclusive, None, view) {
        let (_, code, reason) = agents::words(row.it.at);
        let line = [
            row.session.to_string(),
            contacts::agent(row.agent).to_string(),
            format!("AGENT_{}", row.agent),
            contacts::team(row.agent).to_string(),
            past.history.contacts.business_unit.to_string(),
            row.index.to_string(),
            time(row.it.from),
            i32::from(row.it.at == At::Talking).to_string(),
            i32::from(row.it.at == At::Idle).to_string(),
            code.to_string(),
            reason.to_owned(),
            if row.last { "2" } else { "1" }.to_owned(),
            row.it.queue.map_or(String::new(), |queue| contacts::skill(queue).to_string()),
            String::new(),
            (row.it.until - row.it.from).to_string(),
            time(row.it.until),
        ];
        text.push_str(&line.join(","));
        text.push('\n');
    }
    text
}
