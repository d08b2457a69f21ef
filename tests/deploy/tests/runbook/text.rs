//! The runbook's text: its blocks, its code spans, their words; and the commands in blocks of others.

use deploy::deploy;

/// All of `deploy/README.md`.
pub(crate) fn text() -> String {
    deploy::text(&deploy("README.md"))
}

/// From its heading to the next one of the same level.
pub(crate) fn runbook() -> String {
    let text = text();
    let lines = text.lines().skip_while(|line| *line != "## Runbook");
    let rest = lines.skip(1).take_while(|line| !line.starts_with("## "));
    rest.collect::<Vec<_>>().join("\n")
}

/// A fenced block: what stands behind its three ticks, and its lines.
pub(crate) struct Block {
    pub(crate) info: String,
    pub(crate) text: String,
}

/// Those of a text in one language.
pub(crate) fn blocks(text: &str, language: &str) -> Vec<Block> {
    let mut found: Vec<Block> = Vec::new();
    let mut inside = false;
    for line in text.lines() {
        match line.trim_start().strip_prefix("```") {
            Some(_) if inside => inside = false,
            Some(info) => {
                inside = true;
                found.push(Block {
                    info: info.trim().to_owned(),
                    text: String::new(),
                });
            }
            None if inside => {
                let block = found.last_mut().unwrap();
                block.text.push_str(line);
                block.text.push('\n');
            }
            None => {}
        }
    }
    assert!(!inside, "a block is not closed");
    found.retain(|block| block.info.split(' ').next() == Some(language));
    found
}

/// Those of the runbook.
pub(crate) fn blocks_of(language: &str) -> Vec<Block> {
    blocks(&runbook(), language)
}

/// The code spans of its prose, without the blocks.
pub(crate) fn spans(text: &str) -> Vec<String> {
    let mut inside = false;
    let mut found = Vec::new();
    for line in text.lines() {
        if line.trim_start().starts_with("```") {
            inside = !inside;
        } else if !inside {
            found.extend(line.split('`').skip(1).step_by(2).map(str::to_owned));
        }
    }
    found
}

/// As a shell splits it, as far as the runbook goes: blanks and double quotes.
pub(crate) fn words(line: &str) -> Vec<String> {
    let mut found = vec![String::new()];
    let mut quoted = false;
    for letter in line.chars() {
        match letter {
            '"' => quoted = !quoted,
            ' ' if !quoted => found.push(String::new()),
            other => found.last_mut().unwrap().push(other),
        }
    }
    found.retain(|word| !word.is_empty());
    found
}

/// The commands of a script, each in its words, as far as our files go: quotes, comments, lines that go on, lists, pipes, loops and groups. What
/// is within `$( )` stays with the word it is in, as it is written.
pub(crate) fn commands(script: &str) -> Vec<Vec<String>> {
    let mut found = vec![vec![String::new()]];
    let (mut quote, mut depth, mut comment) = (None, 0, false);
    let script = script.replace("\\\n", " ");
    for letter in script.chars() {
        let words = found.last_mut().unwrap();
        let word = words.last_mut().unwrap();
        if comment && letter != '\n' {
            continue;
        }
        comment = false;
        match (quote, letter) {
            (Some(open), _) if open == letter => quote = None,
            (None, '\'' | '"') => quote = Some(letter),
            (None, '#') if word.is_empty() => comment = true,
            (None, '(') => {
                depth += 1;
                word.push(letter);
            }
            (None, ')') => {
                depth -= 1;
                word.push(letter);
            }
            (None, ' ' | '\t') if depth == 0 => words.push(String::new()),
            (None, '\n' | ';' | '|' | '&') if depth == 0 => found.push(vec![String::new()]),
            _ => word.push(letter),
        }
    }
    for words in &mut found {
        words.retain(|word| !word.is_empty());
        // What stands before the command.
        let is_before = |word: &String| {
            ["do", "then", "{", "}", "done", "!"].contains(&word.as_str())
                || word.split_once('=').is_some_and(|(name, _)| {
                    !name.is_empty() && name.chars().all(|c| c.is_alphanumeric() || c == '_')
                })
        };
        let before = words.iter().take_while(|word| is_before(word)).count();
        words.drain(..before);
    }
    found.retain(|words| !words.is_empty());
    found
}

#[test]
fn commands_are_found_in_whatever_is_around_them() {
    let script = "# 1. first\nA=b x --flag \"two words\" # said\ny \\\n  'it; is' && for a in b; do\n  z \"$(w -f | v)\" $(u t)\ndone\n{ s\nt; } | r\n";
    let found = commands(script);
    let found: Vec<String> = found.iter().map(|words| words.join("+")).collect();
    assert_eq!(
        found,
        [
            "x+--flag+two words",
            "y+it; is",
            "for+a+in+b",
            "z+$(w -f | v)+$(u t)",
            "s",
            "t",
            "r"
        ]
    );
}
