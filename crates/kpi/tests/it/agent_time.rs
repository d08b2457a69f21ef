//! Definitions of the time that agents spend.

use crate::call::SHIPPED;
use agent::State;
use kpi::{Aggregation, Definition, Grain, Library};
use schema::{Presence, Routing};

fn read(rest: &str) -> Result<Definition, Vec<String>> {
    let text = format!("name = 'own'\nversion = 1\nscope = 'agent_time'\n{rest}");
    Definition::read("own.toml", &text, &Library::shipped())
        .map_err(|problems| problems.iter().map(ToString::to_string).collect())
}

const DAYS: &str = "[[windows]]\nby = ['agent']\nsizes = ['day']\n";

fn ratio(rules: &str) -> Definition {
    read(&format!("unit = 'share'\n{rules}\n{DAYS}")).unwrap_or_else(|found| panic!("{found:#?}"))
}

fn at_work() -> State {
    State {
        presence: Some(Presence::OnQueue),
        routing: Some(Routing::Idle),
        team: Some("sales".into()),
        scheduled: Some("on_queue".into()),
        ..State::default()
    }
}

fn busy() -> State {
    State {
        interacting: true,
        ..at_work()
    }
}

fn pausing() -> State {
    State {
        presence: Some(Presence::Break),
        routing: None,
        reason: Some("Tea".into()),
        ..at_work()
    }
}

#[test]
fn a_ratio_counts_in_the_numerator_what_the_denominator_has() {
    let own = ratio("numerator = 'time.busy'\ndenominator = 'time.on_queue'");
    assert_eq!(own.scope(), Grain::AgentTime);
    assert_eq!(own.aggregations(), [Aggregation::Mean]);
    let rule = own.agent_time().unwrap();
    assert_eq!(rule.counts("anna", &busy()), (true, true));
    assert_eq!(rule.counts("anna", &at_work()), (false, true));
    assert_eq!(rule.counts("anna", &pausing()), (false, false));
    let off_queue = State {
        presence: Some(Presence::Available),
        routing: Some(Routing::OffQueue),
        ..busy()
    };
    assert_eq!(rule.counts("anna", &off_queue), (false, false));
    assert_eq!(rule.counts("anna", &State::default()), (false, false));
    // Sums of milliseconds over milliseconds need no scale.
    assert_eq!(own.windows().unwrap().scale, 1);
}

#[test]
fn without_a_denominator_it_is_the_time_itself() {
    let own = read(&format!(
        "unit = 'seconds'\nnumerator = 'time.presence == \"break\" || time.reason in lists.breaks'\n[lists]\nbreaks = ['Smoke']\n{DAYS}"
    ))
    .unwrap();
    assert_eq!(own.aggregations(), [Aggregation::Sum]);
    let rule = own.agent_time().unwrap();
    assert_eq!(rule.counts("anna", &pausing()), (true, false));
    assert_eq!(rule.counts("anna", &at_work()), (false, false));
    assert_eq!(own.windows().unwrap().scale, 1000);
}

#[test]
fn what_the_filter_leaves_out_is_in_no_part() {
    let own = ratio(
        "filter = '!(time.agent in lists.bots) && time.team == \"sales\"'\nnumerator = 'true'\ndenominator = 'time.known'\n[lists]\nbots = ['bot']",
    );
    let rule = own.agent_time().unwrap();
    assert_eq!(rule.counts("anna", &at_work()), (true, true));
    assert_eq!(rule.counts("bot", &at_work()), (false, false));
    let elsewhere = State {
        team: None,
        ..at_work()
    };
    assert_eq!(rule.counts("anna", &elsewhere), (false, false));
}

#[test]
fn every_field_says_what_the_state_is() {
    let holds = |condition: &str, state: &State| {
        let own = read(&format!(
            "unit = 'seconds'\nnumerator = '{condition}'\n{DAYS}"
        ));
        let own = own.unwrap_or_else(|found| panic!("{found:#?}"));
        own.agent_time().unwrap().counts("anna", state).0
    };
    let unknown = State {
        capped: true,
        ..State::default()
    };
    for (condition, state, expected) in [
        ("time.agent == \"anna\"", at_work(), true),
        ("time.presence == \"on_queue\"", at_work(), true),
        ("time.routing == \"idle\"", at_work(), true),
        ("has(time.routing)", pausing(), false),
        ("time.reason == \"Tea\"", pausing(), true),
        ("time.scheduled == \"on_queue\"", pausing(), true),
        ("has(time.team)", unknown.clone(), false),
        ("time.logged_in", pausing(), true),
        ("time.logged_in", unknown.clone(), false),
        ("time.on_queue", pausing(), false),
        ("time.interacting", busy(), true),
        ("time.wrapping", busy(), false),
        ("time.busy && !time.wrapping", busy(), true),
        ("time.capped", unknown.clone(), true),
        ("time.known", unknown, false),
        ("time.known", pausing(), true),
    ] {
        assert_eq!(holds(condition, &state), expected, "{condition}");
    }
}

#[test]
fn what_makes_no_sense_is_a_problem_with_its_place() {
    let sound =
        format!("unit = 'share'\nnumerator = 'time.busy'\ndenominator = 'time.known'\n{DAYS}");
    assert!(read(&sound).is_ok());
    for (rest, place, part) in [
        (sound.replace("'share'", "'seconds'"), "4:8", "is share"),
        (
            sound.replace("denominator = 'time.known'\n", ""),
            "4:8",
            "is seconds",
        ),
        (
            sound.replace("numerator = 'time.busy'\n", ""),
            "1:1",
            "`numerator` is missing",
        ),
        (sound.replace(DAYS, ""), "1:1", "`[[windows]]` are missing"),
        (
            sound.replace("'time.busy'", "'time.team'"),
            "5:13",
            "must be a bool",
        ),
        (sound.replace("time.busy", "time.busi"), "5:19", "busi"),
        (
            sound.replace("time.busy", "interaction.answered"),
            "5:14",
            "interaction",
        ),
        (sound.replace("['agent']", "['queue']"), "8:7", "no `queue`"),
        (format!("value = 'true'\n{sound}"), "4:1", "`value`"),
        (format!("counted = 'ended'\n{sound}"), "4:1", "`counted`"),
        (format!("on_excluded = 'zero'\n{sound}"), "4:1", "filter"),
        (
            format!("aggregations = ['mean', 'max']\n{sound}"),
            "4:16",
            "[\"mean\"]",
        ),
        (
            format!("{sound}[journey]\nwithin = '7d'"),
            "10:2",
            "scope = \"journey\"",
        ),
    ] {
        let found = read(&rest).unwrap_err();
        assert_eq!(found.len(), 1, "{rest}: {found:#?}");
        let expected = format!("own.toml:{place}: ");
        assert!(found[0].starts_with(&expected), "{rest}: {found:#?}");
        assert!(found[0].contains(part), "{rest}: {found:#?}");
    }
}

#[test]
fn members_of_another_scope_are_problems() {
    for (lines, part) in [
        ("[journey]\nwithin = '7d'", "scope = \"journey\""),
        ("numerator = 'true'", "scope = \"agent_time\""),
        ("denominator = 'true'", "scope = \"agent_time\""),
    ] {
        let text = format!("name = 'own'\nversion = 1\nunit = 'count'\nvalue = '1'\n{lines}");
        let found = Definition::read("own.toml", &text, &Library::shipped()).unwrap_err();
        assert_eq!(found.len(), 1, "{found:#?}");
        assert!(found[0].message.contains(part), "{found:#?}");
    }
}

#[test]
fn a_journey_says_within_which_time() {
    let journey = |rest: &str| {
        let text = format!(
            "name = 'own'\nversion = 1\nunit = 'share'\nscope = 'journey'\nvalue = 'journey.first'\n{rest}"
        );
        let read = Definition::read("own.toml", &text, &Library::shipped());
        let found = read.unwrap_err();
        assert_eq!(found.len(), 1, "{rest}: {found:#?}");
        found[0].to_string()
    };
    assert!(journey("").contains("`[journey]` is missing"));
    assert!(journey("[journey]").contains("`within` is missing"));
    for wrong in ["59s", "367d", "seven days", "7"] {
        let found = journey(&format!("[journey]\nwithin = '{wrong}'"));
        assert!(
            found.contains("own.toml:7:10: ") && found.contains("from 1m to 366d"),
            "{found}"
        );
    }
    let found = journey("[journey]\nwithin = '7d'\nrepeat = 'interaction.talk'");
    assert!(found.contains("must be a bool"), "{found}");
    let found = journey("[journey]\nwithin = '7d'\nrepeat = 'journey.first'");
    assert!(
        found.contains("own.toml:8:10: ") && found.contains("journey.first"),
        "{found}"
    );
    let found = journey("[journey]\nwithin = '7d'\nlength = 1");
    assert!(found.contains("length"), "{found}");
}

/// What a shipped definition makes of a state.
fn shipped(name: &str, state: &State) -> (bool, bool) {
    let definitions = SHIPPED.definitions().iter();
    let own = definitions.clone().find(|one| one.name() == name).unwrap();
    own.agent_time().unwrap().counts("anna", state)
}

#[test]
fn occupancy_is_of_the_time_in_which_contacts_could_come() {
    let talks_only_by_the_router = State {
        routing: Some(Routing::Interacting),
        ..at_work()
    };
    let rings = State {
        routing: Some(Routing::NotResponding),
        ..at_work()
    };
    let over_time = State {
        interacting: true,
        ..pausing()
    };
    for (state, occupancy, utilisation, on_queue) in [
        (busy(), (true, true), (true, true), true),
        (at_work(), (false, true), (true, true), true),
        (pausing(), (false, false), (false, true), false),
        (over_time, (true, true), (true, true), false),
        (
            talks_only_by_the_router,
            (false, false),
            (false, true),
            true,
        ),
        (rings, (false, false), (false, true), true),
        (State::default(), (false, false), (false, false), false),
    ] {
        assert_eq!(shipped("occupancy", &state), occupancy, "{state:?}");
        assert_eq!(shipped("utilisation", &state), utilisation, "{state:?}");
        assert_eq!(shipped("on_queue_time", &state).0, on_queue, "{state:?}");
        let logged_in = shipped("logged_in_time", &state).0;
        assert_eq!(logged_in, utilisation.1, "{state:?}");
    }
    assert!(shipped("break_time", &pausing()).0);
    assert!(!shipped("break_time", &at_work()).0);
}

#[test]
fn who_does_what_the_plan_says_adheres() {
    let planned = |activity: &str, state: State| State {
        scheduled: Some(activity.into()),
        ..state
    };
    let meal = State {
        presence: Some(Presence::Meal),
        ..pausing()
    };
    for (activity, state, expected) in [
        ("on_queue", at_work(), (true, true)),
        ("on_queue", busy(), (true, true)),
        ("on_queue", pausing(), (false, true)),
        ("on_queue", State::default(), (false, true)),
        ("break", pausing(), (true, true)),
        ("break", at_work(), (false, true)),
        ("break", meal.clone(), (false, true)),
        ("meal", meal, (true, true)),
        ("off_queue_work", pausing(), (true, true)),
        ("off_queue_work", at_work(), (false, true)),
        ("gardening", at_work(), (false, true)),
        ("time_off", at_work(), (false, false)),
    ] {
        let state = planned(activity, state);
        assert_eq!(
            shipped("adherence", &state),
            expected,
            "{activity} {state:?}"
        );
    }
    let unplanned = State {
        scheduled: None,
        ..at_work()
    };
    assert_eq!(shipped("adherence", &unplanned), (false, false));
}
