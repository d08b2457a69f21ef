//! What an agent's days are: ticks, caps, plans, teams, what is switched off, and where they are cut.

use crate::world::{
    Contact, DAY, HOUR, MINUTE, SECOND, Told, World, at, minutes, of, presence, routing, scheduled,
};
use compute::agent_worker::Drained;
use compute::catalogue;
use schema::{AgentFact, Presence, Routing};
use std::collections::BTreeSet;
use store::agents;
use store::definitions::{self, Status};
use store::marks::{self, Kind, Mark};

#[tokio::test]
async fn a_running_day_moves_on_by_ticks_until_the_sign_out() {
    let world = World::with(&["logged_in_time", "occupancy"]).await;
    world
        .fold(&of("ann", &[presence(9 * HOUR, Presence::OnQueue)]))
        .await;
    world.drain(9 * HOUR + 5 * MINUTE).await;
    assert_eq!(
        minutes(&world.intervals("ann", 1).await),
        ["0-540", "540-545 on_queue open"]
    );
    assert_eq!(world.total("logged_in_time").await, (5 * MINUTE, 0));
    assert_eq!(world.marked().await, BTreeSet::from([36]));

    let too_early = world.drain(9 * HOUR + 5 * MINUTE + 59 * SECOND).await;
    assert_eq!(too_early, Drained::default(), "nobody is due");
    let ticked = world.drain(9 * HOUR + 20 * MINUTE).await;
    assert_eq!((ticked.agents, ticked.intervals), (1, 1));
    assert_eq!(world.total("logged_in_time").await, (20 * MINUTE, 0));
    assert_eq!(world.total("occupancy").await, (0, 20 * MINUTE));
    assert_eq!(
        world.marked().await,
        BTreeSet::from([36, 37]),
        "the quarter hour that is over, and the one that runs"
    );

    let contact = Contact::new(
        "c",
        "ann",
        9 * HOUR + 10 * MINUTE,
        Some(9 * HOUR + 15 * MINUTE),
    );
    world.fold(&[Told::Contact(contact)]).await;
    // What the contact adds by itself is the fold's matter.
    world.marked().await;
    world.drain(9 * HOUR + 20 * MINUTE).await;
    assert_eq!(world.total("occupancy").await, (5 * MINUTE, 20 * MINUTE));
    assert_eq!(world.marked().await, BTreeSet::from([36]));

    world
        .fold(&of(
            "ann",
            &[presence(9 * HOUR + 30 * MINUTE, Presence::Offline)],
        ))
        .await;
    world.drain(9 * HOUR + 31 * MINUTE).await;
    assert_eq!(world.total("logged_in_time").await, (30 * MINUTE, 0));
    let idle = world.drain(23 * HOUR).await;
    assert_eq!(idle, Drained::default(), "who signed out does not tick");
    world.drain(5 * DAY).await;
    assert_eq!(
        minutes(&world.intervals("ann", 5).await),
        [
            "0-540",
            "540-550 on_queue",
            "550-555 on_queue busy",
            "555-570 on_queue",
            "570-1440 offline",
        ],
        "the day is told to its end, and the days off have no rows"
    );
    assert_eq!(world.drain(9 * DAY).await, Drained::default());
}

#[tokio::test]
async fn nights_and_holidays_after_a_sign_out_are_no_unknown_time_and_no_rows() {
    let world = World::with(&["logged_in_time"]).await;
    // The router's word comes a moment after the presence, as it does there.
    let day = [
        presence(9 * HOUR, Presence::OnQueue),
        routing(9 * HOUR, Routing::Idle),
        presence(17 * HOUR, Presence::Offline),
        routing(17 * HOUR + MINUTE, Routing::OffQueue),
    ];
    world.fold(&of("ann", &day)).await;
    world.drain(18 * HOUR).await;
    world.drain(6 * DAY).await;
    assert_eq!(
        minutes(&world.intervals("ann", 6).await),
        [
            "0-540",
            "540-1020 on_queue",
            "1020-1021 offline",
            "1021-1440 offline",
        ]
    );
    assert_eq!(world.total("logged_in_time").await, (8 * HOUR, 0));
    let stands = "SELECT concat_ws(' ', state, open_until) FROM live_agents JOIN agents USING (tenant, agent_id)";
    assert_eq!(world.text(stands).await, "offline");
}

#[tokio::test]
async fn a_missing_sign_out_ends_at_the_cap_over_midnight() {
    let world = World::with(&["logged_in_time"]).await;
    world
        .fold(&of("ann", &[presence(20 * HOUR, Presence::Busy)]))
        .await;
    world.drain(20 * HOUR + MINUTE).await;
    world.drain(3 * DAY).await;
    assert_eq!(
        minutes(&world.intervals("ann", 3).await),
        [
            "0-1200",
            "1200-1440 busy",
            "1440-1920 busy",
            "1920-2880 capped"
        ]
    );
    assert_eq!(world.total("logged_in_time").await, (12 * HOUR, 0));
    let stands = "SELECT concat_ws(' ', presence, capped, since, due_at) FROM agents";
    assert_eq!(world.text(stands).await, "t");
    // A week later, and the sign-out comes after all.
    world
        .fold(&of("ann", &[presence(21 * HOUR, Presence::Offline)]))
        .await;
    world.drain(9 * DAY).await;
    assert_eq!(world.total("logged_in_time").await, (HOUR, 0));
    assert_eq!(
        minutes(&world.intervals("ann", 9).await),
        ["0-1200", "1200-1260 busy", "1260-1440 offline"]
    );
}

#[tokio::test]
async fn a_plan_counts_as_time_goes_by_whether_the_agent_comes_or_not() {
    let world = World::with(&["adherence"]).await;
    world
        .fold(&of(
            "ann",
            &[
                scheduled(DAY + 9 * HOUR, DAY + 10 * HOUR, "on_queue"),
                scheduled(DAY + 10 * HOUR, DAY + 10 * HOUR + 15 * MINUTE, "break"),
            ],
        ))
        .await;
    world.drain(HOUR).await;
    assert_eq!(world.total("adherence").await, (0, 0));
    assert!(world.intervals("ann", 3).await.is_empty());
    assert_eq!(world.drain(DAY).await, Drained::default());
    world.drain(DAY + 9 * HOUR + 20 * MINUTE).await;
    assert_eq!(world.total("adherence").await, (0, 20 * MINUTE));
    world
        .fold(&of(
            "ann",
            &[presence(DAY + 9 * HOUR + 30 * MINUTE, Presence::OnQueue)],
        ))
        .await;
    world.drain(2 * DAY).await;
    assert_eq!(world.total("adherence").await, (30 * MINUTE, 75 * MINUTE));
    // The plan is edited later: the same activity ends earlier.
    let shorter = AgentFact {
        revision: Some(at(3 * DAY)),
        ..scheduled(DAY + 10 * HOUR, DAY + 10 * HOUR + 5 * MINUTE, "break")
    };
    world.fold(&of("ann", &[shorter])).await;
    world.drain(3 * DAY).await;
    assert_eq!(world.total("adherence").await, (30 * MINUTE, 65 * MINUTE));
}

#[tokio::test]
async fn how_an_agent_stands_now_is_kept() {
    let world = World::with(&[]).await;
    let mut on_queue = presence(9 * HOUR, Presence::OnQueue);
    on_queue.statement.team = Some("sales".into());
    on_queue.statement.reason = Some("Desk".into());
    let open = Contact::new("c", "ann", 9 * HOUR + 20 * MINUTE, None);
    world
        .fold(&of(
            "ann",
            &[on_queue, routing(9 * HOUR + MINUTE, Routing::Idle)],
        ))
        .await;
    world.drain(9 * HOUR + 2 * MINUTE).await;
    let stands = "SELECT concat_ws(' ', presence, routing, reason, team, interacting, to_char(since AT TIME ZONE 'UTC', 'HH24:MI'), \
                         to_char(open_until AT TIME ZONE 'UTC', 'HH24:MI'), to_char(due_at AT TIME ZONE 'UTC', 'HH24:MI')) FROM agents";
    assert_eq!(
        world.text(stands).await,
        "on_queue idle Desk sales f 09:01 21:00 09:03"
    );
    // Busy times are kept where a definition asks for them.
    world.set_status("occupancy", Status::Candidate).await;
    world.fold(&[Told::Contact(open)]).await;
    world.drain(9 * HOUR + 25 * MINUTE).await;
    assert_eq!(
        world.text(stands).await,
        "on_queue idle Desk sales t 09:20 21:00 09:26"
    );
}

#[tokio::test]
async fn a_team_that_is_written_down_goes_before_the_one_stated_and_changes_within_a_state() {
    let world = World::with(&["logged_in_time"]).await;
    world
        .in_transaction(async |tx| {
            let text = "places = 1\n[[agent]]\nid = \"ann\"\nfrom = 2024-03-05T10:30:00Z\nteam = \"support\"\n";
            let places = timezone::Places::read(text).unwrap();
            definitions::change(tx).await.unwrap();
            catalogue::insert_places(tx, &places, text).await.unwrap();
        })
        .await;
    let mut day = [
        presence(10 * HOUR, Presence::Busy),
        presence(11 * HOUR, Presence::Offline),
    ];
    day[0].statement.team = Some("sales".into());
    world.fold(&of("ann", &day)).await;
    world.drain(DAY).await;
    let teams = "SELECT string_agg(coalesce(team, '-') || ' ' || to_char(from_at AT TIME ZONE 'UTC', 'HH24:MI'), ' ' ORDER BY from_at) \
                 FROM interval_states";
    assert_eq!(
        world.text(teams).await,
        "- 00:00 sales 10:00 support 10:30 support 11:00"
    );
    let items = "SELECT string_agg(team || ' ' || to_char(cell AT TIME ZONE 'UTC', 'HH24:MI'), ' ' ORDER BY cell) FROM window_items";
    assert_eq!(
        world.text(items).await,
        "sales 10:00 sales 10:15 support 10:30 support 10:45"
    );
    assert_eq!(world.text("SELECT team FROM agents").await, "support");
}

#[tokio::test]
async fn a_definition_that_is_switched_off_keeps_its_sums_until_a_job_asks() {
    let world = World::with(&["logged_in_time", "on_queue_time"]).await;
    let day = [
        presence(9 * HOUR, Presence::OnQueue),
        presence(10 * HOUR, Presence::Offline),
    ];
    world.fold(&of("ann", &day)).await;
    world.drain(DAY).await;
    world.set_status("on_queue_time", Status::Retired).await;
    let later = presence(11 * HOUR, Presence::OnQueue);
    world
        .fold(&of("ann", &[later, presence(12 * HOUR, Presence::Offline)]))
        .await;
    world.drain(DAY).await;
    assert_eq!(world.total("logged_in_time").await, (2 * HOUR, 0));
    assert_eq!(world.total("on_queue_time").await, (HOUR, 0));
    let id: i32 = world
        .text("SELECT definition_id::text FROM kpi_definitions WHERE name = 'on_queue_time'")
        .await
        .parse()
        .unwrap();
    world
        .in_transaction(async |tx| {
            agents::ask(tx, &[("acme", "ann")], &[id]).await.unwrap();
            let mark = Mark {
                kind: Kind::Agent,
                tenant: "acme",
                subject: "ann",
                from: at(0),
                to: at(HOUR),
            };
            marks::append(tx, &[mark]).await.unwrap();
        })
        .await;
    world.drain(2 * DAY).await;
    assert_eq!(world.total("on_queue_time").await, (2 * HOUR, 0));
    assert_eq!(world.text("SELECT asked::text FROM agents").await, "{}");
    // One that is new reaches the past by marks.
    world.set_status("break_time", Status::Candidate).await;
    world
        .fold(&of(
            "ann",
            &[presence(9 * HOUR + 15 * MINUTE, Presence::Break)],
        ))
        .await;
    world.drain(2 * DAY).await;
    assert_eq!(world.total("break_time").await, (45 * MINUTE, 0));
    assert_eq!(world.total("on_queue_time").await, (2 * HOUR, 0));
}

#[tokio::test]
async fn days_are_the_same_each_by_itself_and_all_in_one_run() {
    let world = World::with(&["logged_in_time"]).await;
    // The router's last word comes before the sign-out; after the next day there is no sign-out.
    let ann = [
        routing(16 * HOUR + 50 * MINUTE, Routing::OffQueue),
        presence(17 * HOUR, Presence::Offline),
        presence(DAY + 8 * HOUR, Presence::Available),
        scheduled(2 * DAY + 9 * HOUR, 2 * DAY + 10 * HOUR, "on_queue"),
    ];
    // The router says nothing of the sign-out.
    let bob = [
        presence(9 * HOUR, Presence::OnQueue),
        routing(9 * HOUR, Routing::Idle),
        presence(17 * HOUR, Presence::Offline),
        presence(DAY + 8 * HOUR, Presence::Available),
        presence(2 * DAY + 8 * HOUR, Presence::Available),
        presence(2 * DAY + 17 * HOUR, Presence::Offline),
    ];
    world.fold(&of("ann", &ann)).await;
    world.fold(&of("bob", &bob)).await;
    // Of whom nothing was computed yet, all days are one run.
    world.drain(4 * DAY).await;
    let in_one_run = [
        world.intervals("ann", 5).await,
        world.intervals("bob", 5).await,
    ];
    assert_eq!(
        minutes(&in_one_run[0]),
        [
            "1440-1920 offline",
            "1920-2640 available",
            "2640-2880 capped",
            "2880-3420 capped",
            "3420-3480 capped",
            "3480-4320 capped",
        ]
    );
    assert!(in_one_run[0].iter().all(|row| row.routing.is_none()));
    assert_eq!(
        minutes(&in_one_run[1]),
        [
            "0-540",
            "540-1020 on_queue",
            "1020-1440 offline",
            "1440-1920 offline",
            "1920-2640 available",
            "2640-2880 capped",
            "2880-3360 capped",
            "3360-3900 available",
            "3900-4320 offline",
        ]
    );
    for day in 0..4 {
        for agent in ["ann", "bob"] {
            world.mark(agent, day * DAY, (day + 1) * DAY).await;
        }
        let drained = world.drain(4 * DAY).await;
        assert_eq!((drained.agents, drained.days), (2, 4), "that day and today");
        assert_eq!((drained.intervals, drained.items), (0, 0), "day {day}");
    }
    let by_themselves = [
        world.intervals("ann", 5).await,
        world.intervals("bob", 5).await,
    ];
    assert_eq!(by_themselves, in_one_run);
}
