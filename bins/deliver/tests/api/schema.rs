//! Answers held against the description. Only the words that the description uses are known: another one fails, so that nothing in it goes
//! unchecked. Members that it does not name fail too, although readers must bear them.

use crate::server::Answer;
use serde_json::{Map, Value};

/// Fails when the answer to a request for a path is not what is described.
pub(crate) fn check_answer(description: &Value, path: &str, answer: &Answer) {
    let path = path.split('?').next().unwrap();
    let Some(operation) = description["paths"][path]["get"].as_object() else {
        assert_eq!(
            answer.status, 404,
            "{path} is not described: {}",
            answer.body
        );
        return;
    };
    let responses = operation["responses"].as_object().unwrap();
    let status = answer.status.to_string();
    let response = responses
        .get(&status)
        .unwrap_or_else(|| panic!("{path}: {status} is not described"));
    let Some(content) = response["content"].as_object() else {
        assert_eq!(answer.body, "", "{path}: {status} has no content");
        return;
    };
    let kind = answer.header("content-type");
    let schema = content
        .get(kind)
        .unwrap_or_else(|| panic!("{path}: {kind} is not described"));
    let mut problems = Vec::new();
    check(
        description,
        &schema["schema"],
        &answer.json(),
        "$",
        &mut problems,
    );
    assert!(
        problems.is_empty(),
        "{path}: {problems:#?} in {}",
        answer.body
    );
}

const KNOWN: [&str; 16] = [
    "$ref",
    "type",
    "properties",
    "required",
    "items",
    "enum",
    "format",
    "anyOf",
    "description",
    "minimum",
    "maximum",
    "minItems",
    "const",
    "additionalProperties",
    "title",
    "default",
];

fn check(root: &Value, schema: &Value, value: &Value, at: &str, problems: &mut Vec<String>) {
    let schema = match schema {
        Value::Bool(true) => return,
        Value::Object(schema) => schema,
        other => panic!("{at}: no schema: {other}"),
    };
    for word in schema.keys() {
        assert!(
            KNOWN.contains(&word.as_str()),
            "{at}: `{word}` is not checked here"
        );
    }
    if let Some(reference) = schema.get("$ref") {
        let pointer = reference.as_str().unwrap().strip_prefix('#').unwrap();
        check(root, root.pointer(pointer).unwrap(), value, at, problems);
    }
    if let Some(any) = schema.get("anyOf") {
        let fits = any.as_array().unwrap().iter().any(|one| {
            let mut inner = Vec::new();
            check(root, one, value, at, &mut inner);
            inner.is_empty()
        });
        if !fits {
            problems.push(format!("{at}: none of anyOf"));
        }
    }
    if let Some(types) = schema.get("type") {
        let types: Vec<&str> = match types {
            Value::String(one) => vec![one],
            Value::Array(all) => all.iter().map(|one| one.as_str().unwrap()).collect(),
            other => panic!("{at}: type {other}"),
        };
        if !types.iter().any(|one| is(one, value)) {
            problems.push(format!("{at}: {value} is not {types:?}"));
            return;
        }
    }
    let format = schema.get("format").and_then(Value::as_str);
    if let (Some("date-time"), Value::String(text)) = (format, value)
        && (adapter::instant::parse(text).is_none() || !text.ends_with('Z'))
    {
        problems.push(format!("{at}: {text} is no instant"));
    }
    if let Value::Object(members) = value {
        object(root, schema, members, at, problems);
    }
    if let (Some(items), Value::Array(values)) = (schema.get("items"), value) {
        for (index, value) in values.iter().enumerate() {
            check(root, items, value, &format!("{at}[{index}]"), problems);
        }
    }
}

fn object(
    root: &Value,
    schema: &Map<String, Value>,
    members: &Map<String, Value>,
    at: &str,
    problems: &mut Vec<String>,
) {
    let Some(properties) = schema.get("properties").and_then(Value::as_object) else {
        return; // any object
    };
    for name in schema
        .get("required")
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
    {
        if !members.contains_key(name.as_str().unwrap()) {
            problems.push(format!("{at}: {name} is missing"));
        }
    }
    for (name, value) in members {
        match properties.get(name) {
            Some(schema) => check(root, schema, value, &format!("{at}.{name}"), problems),
            None => problems.push(format!("{at}: {name} is not described")),
        }
    }
}

fn is(name: &str, value: &Value) -> bool {
    match name {
        "null" => value.is_null(),
        "boolean" => value.is_boolean(),
        "object" => value.is_object(),
        "array" => value.is_array(),
        "string" => value.is_string(),
        "number" => value.is_number(),
        "integer" => value.is_i64() || value.is_u64(),
        other => panic!("type {other}"),
    }
}
