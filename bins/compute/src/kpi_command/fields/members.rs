//! The members of a definition's file, for people. The test reads a definition that has all of them.

/// One member: its name, what it is, what it means.
pub(super) type Member = (&'static str, &'static str, &'static str);

#[rustfmt::skip]
pub(super) const MEMBERS: &[Member] = &[
    ("name", "text", "What its rows have as metric: a to z, 0 to 9 and _, a letter first, up to 63 characters."),
    ("version", "1 to 32767", "The text under a number never changes; a changed text is the next number. All versions of a name have one unit and one scope."),
    ("unit", "text", "seconds (value: a duration), count (an int), share (a bool, as 1 or 0, or a double), number (an int or a double)."),
    ("scope", "text", "interaction (one row each), leg (one row each agent's leg), journey (one row each contact of a customer, among the others of that customer), agent_time (no rows, only windows of the time that agents spend). Usually interaction."),
    ("priority", "text", "critical (computed and pushed first) or normal, which is usual."),
    ("title, description, source", "texts", "For people: what it is, where the formula comes from, its variants. All optional."),
    ("aggregations", "list of texts", "How values are put together: mean, sum, count, min, max, p1 to p99 (percentiles). Usually mean, sum, count. Of a share, the mean is the ratio of the sums. The first is the value of a window. Of agent_time it is mean for a ratio and sum for a time."),
    ("counted", "text", "Which instant puts a value into a window: offered, answered or ended (usual). One that is not stated: ended for answered, the start for ended."),
    ("settles_after", "length of time", "How long after its end a window may still change: \"2d\" is usual, \"1d12h\" works too. After that it is called settled."),
    ("filter", "expression: bool", "Where it does not hold, the KPI does not apply: absent, `filtered`. Optional."),
    ("value", "expression", "The value; its type goes by the unit."),
    ("numerator, denominator", "expressions: bool", "Of agent_time, in place of the value: which time is counted, and out of which. Without a denominator it is the time itself."),
    ("on_excluded", "text", "What an exclusion leaves: absent (usual) or zero."),
    ("platform", "expression: duration", "The same measure as the platform states it, noted beside the value for comparison. Optional."),
    ("[[exclusions]]", "reason, when", "In their order, the first whose `when` (expression: bool) holds decides: absent, or zero, with its `reason` (a to z, 0 to 9 and _)."),
    ("[parameters]", "name = constant", "Texts, numbers, true or false; a text such as \"20s\" or \"1m30s\" is a duration. Used as parameters.NAME."),
    ("[lists]", "name = list", "Of texts or of whole numbers. Used as lists.NAME."),
    ("[terms]", "name = expression", "Intermediate results, usable in filter, exclusions, value and in terms after them as terms.NAME; `explain` shows them."),
    ("[schedules]", "name = \"schedule@1\"", "Opening hours, in exactly that version. Used as schedules.NAME in inHours and businessTime."),
    ("[[windows]]", "by, sizes, shift", "In which windows of local time values add up, and for whom: `by` of queue, media, direction, agent, team, platform, attribute:NAME, [] for everything together; `sizes` of 15m, 30m, 60m, day, week, month, shift; `shift` is a name under [schedules] for the last. Once for each group."),
    ("[journey]", "within, repeat", "Of journey: how soon after the end of a contact another one is a repeat (1m to 366d), and which contacts count as one (expression: bool over interaction.*; usually all but outbound ones and callbacks)."),
    ("[zone]", "order, default", "Whose clock counts: `order` of agent, schedule, queue, organisation (this order is usual; sources left out are not asked), then `default`, a zone such as \"Europe/Berlin\", then UTC with a mark."),
];

#[cfg(test)]
mod tests {
    use super::*;
    use kpi::{Definition, Library};
    use std::collections::BTreeSet;

    /// Definitions that have all members between them.
    const ALL: [&str; 3] = [
        "name = 'x'\nversion = 1\nunit = 'seconds'\nscope = 'interaction'\npriority = 'normal'\ntitle = 'x'\ndescription = 'x'\n\
         source = 'x'\naggregations = ['mean', 'p90']\ncounted = 'ended'\nsettles_after = '2d'\nfilter = 'terms.long'\nvalue = 'interaction.talk'\n\
         on_excluded = 'zero'\nplatform = 'interaction.platform_handle'\n\
         [[exclusions]]\nreason = 'test'\nwhen = 'interaction.queue in lists.test && inHours(interaction.started_at, schedules.hours)'\n\
         [parameters]\nlong = '20s'\n[lists]\ntest = ['test']\n[terms]\nlong = 'interaction.talk > parameters.long'\n\
         [schedules]\nhours = 'eight_to_six@1'\n[zone]\norder = ['agent', 'schedule', 'queue', 'organisation']\ndefault = 'Europe/Berlin'\n\
         [[windows]]\nby = ['queue']\nsizes = ['day', 'shift']\nshift = 'hours'\n",
        "name = 'x'\nversion = 1\nunit = 'share'\nscope = 'journey'\nvalue = '!journey.repeated'\n[journey]\nwithin = '7d'\nrepeat = 'true'\n",
        "name = 'x'\nversion = 1\nunit = 'share'\nscope = 'agent_time'\nnumerator = 'time.busy'\ndenominator = 'time.known'\n\
         [[windows]]\nby = []\nsizes = ['day']\n",
    ];

    #[test]
    fn every_member_there_is_is_described_and_every_one_described_is_there() {
        let mut used = BTreeSet::new();
        for text in ALL {
            let read = Definition::read("x.toml", text, &Library::shipped());
            assert!(read.is_ok(), "{:?}", read.err());
            let root: toml::Table = toml::from_str(text).unwrap();
            used.extend(root.keys().cloned());
        }
        let described: BTreeSet<String> = MEMBERS
            .iter()
            .flat_map(|(name, _, _)| name.split(", "))
            .map(|name| name.trim_matches(['[', ']']).to_owned())
            .collect();
        assert_eq!(used, described);
        // And the reader knows no other: it lists all that it does know.
        let unknown = format!("colour = 'green'\n{}", ALL[0]);
        let problems = Definition::read("x.toml", &unknown, &Library::shipped()).unwrap_err();
        assert_eq!(problems.len(), 1, "{problems:?}");
        for member in &used {
            assert!(problems[0].message.contains(member.as_str()), "{member}");
        }
    }
}
