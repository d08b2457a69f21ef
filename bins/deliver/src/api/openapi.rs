//! The description of the API, in OpenAPI 3.1: made of the tables that requests are read by and the types that answers are written from, so
//! that it cannot say anything else than what is done.

use super::ask;
use super::problem::{Body, Kind};
use super::query::{self, Parameter};
use super::resource::{About, Resource};
use schemars::generate::SchemaSettings;
use schemars::{Schema, SchemaGenerator};
use serde_json::{Map, Value, json};

/// Where it is.
pub const PATH: &str = "/api/v1/openapi.json";

/// The whole description.
#[must_use]
pub fn document() -> Value {
    let mut generator = SchemaSettings::draft2020_12()
        .for_serialize()
        .with(|settings| settings.definitions_path = "/components/schemas".into())
        .into_generator();
    let problem = generator.subschema_for::<Body<'static>>();
    let mut paths = Map::new();
    for resource in Resource::ALL {
        let about = resource.about();
        let get = operation(&about, &mut generator, &problem);
        let mut methods = Map::new();
        methods.insert("get".to_owned(), get);
        if resource == Resource::Jobs {
            methods.insert("post".to_owned(), asking(&mut generator, &problem));
        }
        paths.insert(resource.path(), methods.into());
    }
    let description = json!({
        "operationId": "openapi", "summary": "This description", "tags": ["description"], "security": [],
        "responses": {
            "200": { "description": "OpenAPI 3.1.", "headers": etag(),
                     "content": { "application/json": { "schema": { "type": "object" } } } },
            "304": { "description": "As the asker has it." },
            "default": problem_response(&problem, "A problem."),
        },
    });
    paths.insert(PATH.to_owned(), json!({ "get": description }));
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "kpiline read API",
            "version": env!("CARGO_PKG_VERSION"),
            "description": "KPIs of contact centres: values of interactions and of windows of local time, the definitions they come from, and \
                            whether they can be trusted now. Everything but one wish is read-only. Instants are UTC; each window says whose clock it goes by. \
                            An absent value is null and never zero. Lists come in pages: `next` is the `cursor` of the page behind, and a list \
                            has ended where it is null. Answers have an `ETag`; asked again with `If-None-Match`, what has not changed is \
                            answered 304. Members may be added; none is taken away or given another meaning within v1.",
            "license": { "name": "MIT OR Apache-2.0", "identifier": "MIT OR Apache-2.0" },
        },
        "servers": [{ "url": "/" }],
        "security": [{ "token": [] }],
        "tags": [
            { "name": "figures", "description": "Values, and what they are values of." },
            { "name": "jobs", "description": "Asking for history." },
            { "name": "description", "description": "What the API is." },
        ],
        "paths": paths,
        "components": {
            "schemas": generator.take_definitions(true),
            "securitySchemes": {
                "token": { "type": "http", "scheme": "bearer",
                           "description": "A token of the tokens file. It reaches the organisations that it names there." },
            },
        },
    })
}

fn operation(about: &About, generator: &mut SchemaGenerator, problem: &Schema) -> Value {
    let parameters: Vec<Value> = about.parameters.iter().map(parameter).collect();
    let schema = (about.schema)(generator);
    let mut responses = Map::new();
    responses.insert(
        "200".to_owned(),
        json!({ "description": about.summary, "headers": etag(), "content": { "application/json": { "schema": schema } } }),
    );
    responses.insert(
        "304".to_owned(),
        json!({ "description": "As the asker has it.", "headers": etag() }),
    );
    for kind in [
        Kind::Parameters,
        Kind::Unauthorised,
        Kind::Forbidden,
        Kind::NotFound,
        Kind::Unavailable,
    ] {
        let status = kind.status().as_u16().to_string();
        responses.insert(status, problem_response(problem, kind.title()));
    }
    responses.insert(
        "default".to_owned(),
        problem_response(problem, "A problem."),
    );
    json!({
        "operationId": about.path.replace('/', "_"), "summary": about.summary, "description": about.description, "tags": ["figures"],
        "parameters": parameters, "responses": responses,
    })
}

/// The one thing that can be asked for.
fn asking(generator: &mut SchemaGenerator, problem: &Schema) -> Value {
    // As it is read, not as it would be written: there what is absent has its default.
    let reading = SchemaSettings::draft2020_12().with(|settings| {
        settings.inline_subschemas = true;
        settings.meta_schema = None;
    });
    let wish = reading.into_generator().into_root_schema_for::<ask::Wish>();
    let asked = generator.subschema_for::<ask::Asked>();
    let mut responses = Map::new();
    responses.insert(
        "202".to_owned(),
        json!({ "description": "The broker has the wish.", "headers": etag(), "content": { "application/json": { "schema": asked } } }),
    );
    for kind in [
        Kind::Parameters,
        Kind::Unauthorised,
        Kind::Forbidden,
        Kind::TooLarge,
        Kind::Unavailable,
    ] {
        let status = kind.status().as_u16().to_string();
        responses.insert(status, problem_response(problem, kind.title()));
    }
    responses.insert(
        "default".to_owned(),
        problem_response(problem, "A problem."),
    );
    json!({
        "operationId": "ask_for_job", "summary": "Asks for a backfill job.", "tags": ["jobs"],
        "description": "Only with the scope `jobs`. Whether it becomes a job is backfill's decision: what it cannot grant is in quarantine with its \
                        reason. Asked twice under one `request_id` is one job.",
        "requestBody": { "required": true, "content": { "application/json": { "schema": wish } } },
        "responses": responses,
    })
}

fn parameter(parameter: &Parameter) -> Value {
    let mut said = json!({
        "name": parameter.name, "in": "query", "required": parameter.required, "description": parameter.about,
        "schema": parameter.kind.schema(),
    });
    if let Some(example) = parameter.example {
        said["example"] = example.into();
    }
    match parameter.kind {
        query::Kind::Versions => {
            said["style"] = "form".into();
            said["explode"] = false.into();
        }
        query::Kind::GroupBy => said["allowEmptyValue"] = true.into(),
        _ => {}
    }
    said
}

fn etag() -> Value {
    json!({ "ETag": { "description": "Tells one content from another.", "schema": { "type": "string" } } })
}

fn problem_response(problem: &Schema, description: &str) -> Value {
    json!({ "description": description, "content": { "application/problem+json": { "schema": problem } } })
}
