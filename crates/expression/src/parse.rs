//! From text to syntax tree, within bounds: whatever the text, parsing it needs little stack and little time.

use crate::host::Position;
use crate::problem::Problem;
use cel::Env;
use cel::common::ast::{EntryExpr, Expr, IdedExpr, SourceInfo};
use cel::parser::{ParseError, ParseErrors};

/// How long an expression may be, in characters. What is longer is better told in terms.
pub const MAX_CHARACTERS: usize = 10_000;
/// How many brackets may be open at once. The parser recurses through some twenty functions for each.
const MAX_OPEN: u16 = 32;
/// How many characters of operators there may be: each can make the tree deeper, and the parser recurses over it.
const MAX_OPERATORS: usize = 1_000;
/// How deep the tree may be, which bounds the recursion of everything that comes after the parser.
pub(crate) const MAX_DEPTH: u32 = 128;

/// A text and where its parts are.
#[derive(Debug)]
pub(crate) struct Places<'t> {
    text: &'t str,
    info: SourceInfo,
}

impl Places<'_> {
    /// Where the node is: a call at its name, a field at the field's name, an operation at its operator.
    pub(crate) fn of(&self, expr: &IdedExpr) -> Position {
        let offset = self.offset(expr.id);
        let offset = match &expr.expr {
            // The parser has these at the bracket and at the dot.
            Expr::Call(call) => self.name_before(offset, &call.func_name),
            Expr::Select(select) => self.name_after(offset, &select.field),
            _ => offset,
        };
        position(self.text, offset)
    }

    /// The text of a literal, as written.
    pub(crate) fn written(&self, expr: &IdedExpr) -> Option<&str> {
        let (start, stop) = self.info.offset_for(expr.id)?;
        self.text
            .get(usize::try_from(start).ok()?..=usize::try_from(stop).ok()?)
    }

    fn offset(&self, id: u64) -> usize {
        self.info
            .offset_for(id)
            .and_then(|(start, _)| usize::try_from(start).ok())
            .unwrap_or(0)
    }

    fn name_before(&self, offset: usize, name: &str) -> usize {
        self.text
            .get(..offset)
            .and_then(|before| before.trim_end().strip_suffix(name))
            .map_or(offset, str::len)
    }

    fn name_after(&self, offset: usize, name: &str) -> usize {
        self.text
            .get(offset..)
            .and_then(|from| from.strip_prefix('.'))
            .map(str::trim_start)
            .filter(|after| after.starts_with(name))
            .map_or(offset, |after| self.text.len() - after.len())
    }
}

/// Line and column of a byte of the text.
fn position(text: &str, offset: usize) -> Position {
    let before = text.get(..offset).unwrap_or(text);
    let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
    let count = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
    Position {
        line: count(before.matches('\n').count() + 1),
        column: count(before[line_start..].chars().count() + 1),
    }
}

/// Parses `text`. Macros are left as the calls they are written as: the checker knows them.
pub(crate) fn parse(text: &str) -> Result<(IdedExpr, Places<'_>), Vec<Problem>> {
    within_bounds(text).map_err(|problem| vec![problem])?;
    let (expr, info) = Env::default()
        .with_optional_support(false)
        .parser()
        .max_recursion_depth(MAX_OPEN)
        .parse_with_source_info(text)
        .map_err(|errors| problems(text, &errors))?;
    let places = Places { text, info };
    if let Some(deepest) = deeper_than(&expr, MAX_DEPTH) {
        let message = format!(
            "is nested too deeply: at most {MAX_DEPTH} operations within or after one another; give parts of it names, as terms"
        );
        return Err(vec![Problem::at(places.of(deepest), message)]);
    }
    Ok((expr, places))
}

/// Refuses what the parser might need too much stack for. It counts brackets and operators in texts and comments too:
/// to know those would be to parse.
fn within_bounds(text: &str) -> Result<(), Problem> {
    let mut open: u16 = 0;
    // `in` is the one operator that is a word.
    let mut operators = text
        .split(|c: char| !c.is_ascii_alphanumeric() && c != '_')
        .filter(|word| *word == "in")
        .count();
    for (count, (offset, character)) in text.char_indices().enumerate() {
        let message = if count >= MAX_CHARACTERS {
            format!("is longer than {MAX_CHARACTERS} characters; give parts of it names, as terms")
        } else {
            match character {
                '(' | '[' | '{' => open += 1,
                ')' | ']' | '}' => open = open.saturating_sub(1),
                _ => {}
            }
            operators += usize::from("([{.?:+-*/%!=<>&|".contains(character));
            if open > MAX_OPEN {
                format!(
                    "more than {MAX_OPEN} brackets are open here; those in texts and comments count, too"
                )
            } else if operators > MAX_OPERATORS {
                format!(
                    "more than {MAX_OPERATORS} operators, those in texts and comments included; give parts of it names, as terms"
                )
            } else {
                continue;
            }
        };
        return Err(Problem::at(position(text, offset), message));
    }
    Ok(())
}

/// A node deeper than `limit`, if there is one; found without recursion.
fn deeper_than(root: &IdedExpr, limit: u32) -> Option<&IdedExpr> {
    let mut todo = vec![(root, 1)];
    while let Some((expr, depth)) = todo.pop() {
        if depth > limit {
            return Some(expr);
        }
        let mut push = |child| todo.push((child, depth + 1));
        match &expr.expr {
            Expr::Call(call) => {
                call.target.as_deref().into_iter().for_each(&mut push);
                call.args.iter().for_each(push);
            }
            Expr::Select(select) => push(&select.operand),
            Expr::List(list) => list.elements.iter().for_each(push),
            Expr::Map(map) => {
                for entry in &map.entries {
                    if let EntryExpr::MapEntry(entry) = &entry.expr {
                        push(&entry.key);
                        push(&entry.value);
                    }
                }
            }
            Expr::Struct(of) => {
                for entry in &of.entries {
                    if let EntryExpr::StructField(field) = &entry.expr {
                        push(&field.value);
                    }
                }
            }
            // Only macros make comprehensions, and none is expanded.
            Expr::Comprehension(_) | Expr::Unspecified | Expr::Ident(_) | Expr::Literal(_) => {}
        }
    }
    None
}

/// The parser's complaints in our words. After the first that concerns the syntax, the others are mostly its echo.
fn problems(text: &str, errors: &ParseErrors) -> Vec<Problem> {
    let mut problems = Vec::new();
    for error in &errors.errors {
        let syntax = error.msg.strip_prefix("Syntax error: ");
        problems.push(Problem::at(
            place(text, error),
            syntax.map_or_else(|| other(&error.msg), explained),
        ));
        if syntax.is_some() {
            break;
        }
    }
    problems
}

fn place(text: &str, error: &ParseError) -> Position {
    let number = |n: isize| u32::try_from(n).unwrap_or(1).max(1);
    let stated = Position {
        line: number(error.pos.0),
        column: number(error.pos.1),
    };
    stated.min(position(text, text.len()))
}

fn other(message: &str) -> String {
    if let Some(name) = message.strip_prefix("reserved identifier: ") {
        return format!("`{name}` is a reserved word");
    }
    if message.starts_with("unsupported syntax") {
        return format!("{message}: optional and quoted names are not supported");
    }
    message.to_owned()
}

fn explained(message: &str) -> String {
    if message.contains("Recursion limit") {
        return format!("is nested more than {MAX_OPEN} deep; give parts of it names, as terms");
    }
    if let Some(rest) = message.strip_prefix("token recognition error at: '") {
        let what = rest.strip_suffix('\'').unwrap_or(rest).trim_end();
        return match what.chars().next() {
            Some('=') => "`=` is no operator: compare with `==`".to_owned(),
            Some('&') => "`&` is no operator: both hold is `&&`".to_owned(),
            Some('|') => "`|` is no operator: one holds is `||`".to_owned(),
            Some('\'' | '"') => {
                format!("the text that begins `{what}` does not end, or has an escape that is none")
            }
            _ => format!("`{what}` means nothing here"),
        };
    }
    if let Some((what, _)) = message
        .strip_prefix("missing '")
        .and_then(|rest| rest.split_once("' at '"))
    {
        return format!("`{what}` is missing here");
    }
    let found = [
        "mismatched input '",
        "extraneous input '",
        "no viable alternative at input '",
    ]
    .iter()
    .find_map(|start| message.strip_prefix(start))
    .map(|rest| match rest.rfind("' expecting ") {
        Some(end) => &rest[..end],
        None => rest.strip_suffix('\'').unwrap_or(rest),
    });
    match found {
        Some("<EOF>") => "something is missing after this".to_owned(),
        Some("and") => "`and` is written `&&`".to_owned(),
        Some("or") => "`or` is written `||`".to_owned(),
        Some("not") => "`not` is written `!`".to_owned(),
        Some(found) => format!("`{found}` is not expected here"),
        None => message.to_owned(),
    }
}
