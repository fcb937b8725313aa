//! From the schema's text to a schema that answers.
//!
//! The text in `schema/` is the contract: names, arguments and types as the live service's
//! introspection tells them. A field whose type and name [`super::resolve::find`] knows is
//! computed; every other one is read from its parent by name, and is null where nothing feeds it.
//!
//! Invariants:
//! - The schema is the same in every process; nothing in it knows a service or a time.
//! - A resolver never waits: a request is answered in one go, on the thread that asks.

use std::collections::BTreeSet;
use std::sync::LazyLock;

use async_graphql::dynamic::{
    Enum, Field, FieldFuture, FieldValue, InputObject, InputValue, Interface, InterfaceField,
    Object, ResolverContext, Scalar, Schema, SchemaBuilder, SchemaError, Type as AnyType, TypeRef,
    Union,
};
use async_graphql::parser::types::{
    BaseType, ConstDirective, FieldDefinition, InputValueDefinition, Type, TypeDefinition,
    TypeKind, TypeSystemDefinition,
};
use async_graphql::{Error, Name, Positioned, Value};

use super::resolve::{self, Answer, Call, Resolver};
use super::session::Session;

/// The schema's text, by subject.
const TEXTS: &[&str] = &[
    include_str!("schema/root.graphql"),
    include_str!("schema/nrql.graphql"),
    include_str!("schema/search.graphql"),
    include_str!("schema/entity.graphql"),
    include_str!("schema/outline.graphql"),
    include_str!("schema/detail.graphql"),
    include_str!("schema/golden.graphql"),
    include_str!("schema/relationship.graphql"),
    include_str!("schema/mutation.graphql"),
    include_str!("schema/dashboard.graphql"),
    include_str!("schema/integration.graphql"),
    include_str!("schema/alerts.graphql"),
    include_str!("schema/service_level.graphql"),
];

/// Why the schema's text is no schema.
#[derive(Debug, thiserror::Error)]
pub(super) enum BrokenSchema {
    #[error("{0}")]
    Text(#[from] async_graphql::parser::Error),
    #[error("{0}")]
    Types(#[from] SchemaError),
}

static SCHEMA: LazyLock<Result<Schema, BrokenSchema>> = LazyLock::new(build);

/// The schema; a test excludes that it is broken.
pub(super) fn schema() -> Result<&'static Schema, &'static BrokenSchema> {
    SCHEMA.as_ref()
}

fn build() -> Result<Schema, BrokenSchema> {
    let mut types = Vec::new();
    for text in TEXTS {
        for definition in async_graphql::parser::parse_schema(text)?.definitions {
            if let TypeSystemDefinition::Type(definition) = definition {
                types.push(definition.node);
            }
        }
    }
    // A value of such a type has to say which object it is.
    let abstracts: BTreeSet<String> = types
        .iter()
        .filter(|t| matches!(t.kind, TypeKind::Interface(_) | TypeKind::Union(_)))
        .map(|t| t.name.node.to_string())
        .collect();
    let builder = Schema::build("RootQueryType", Some("RootMutationType"), None);
    let built =
        types.iter().fold(builder, |builder, definition| register(builder, definition, &abstracts));
    // Depth and size are judged before (`cost`), with words of our own.
    Ok(built.limit_recursive_depth(64).finish()?)
}

fn register(
    builder: SchemaBuilder,
    definition: &TypeDefinition,
    abstracts: &BTreeSet<String>,
) -> SchemaBuilder {
    let name = definition.name.node.as_str();
    let made: AnyType = match &definition.kind {
        TypeKind::Scalar => Scalar::new(name).into(),
        TypeKind::Enum(kind) => {
            Enum::new(name).items(kind.values.iter().map(|v| v.node.value.node.as_str())).into()
        }
        TypeKind::InputObject(kind) => kind
            .fields
            .iter()
            .fold(InputObject::new(name), |object, field| object.field(input(&field.node)))
            .into(),
        TypeKind::Union(kind) => kind
            .members
            .iter()
            .fold(Union::new(name), |union, member| union.possible_type(member.node.as_str()))
            .into(),
        TypeKind::Interface(kind) => kind
            .fields
            .iter()
            .fold(Interface::new(name), |interface, field| {
                interface.field(interface_field(&field.node))
            })
            .into(),
        TypeKind::Object(kind) => {
            let implements: Vec<&str> =
                kind.implements.iter().map(|name| name.node.as_str()).collect();
            let object = implements
                .iter()
                .fold(Object::new(name), |object, interface| object.implement(*interface));
            kind.fields
                .iter()
                .fold(object, |object, field| {
                    object.field(object_field(name, &implements, &field.node, abstracts))
                })
                .into()
        }
    };
    builder.register(made)
}

fn type_ref(ty: &Type) -> TypeRef {
    let inner = match &ty.base {
        BaseType::Named(name) => TypeRef::named(name.as_str()),
        BaseType::List(item) => TypeRef::List(Box::new(type_ref(item))),
    };
    if ty.nullable { inner } else { TypeRef::NonNull(Box::new(inner)) }
}

fn input(definition: &InputValueDefinition) -> InputValue {
    let value = InputValue::new(definition.name.node.as_str(), type_ref(&definition.ty.node));
    match &definition.default_value {
        Some(default) => value.default_value(default.node.clone()),
        None => value,
    }
}

fn interface_field(definition: &FieldDefinition) -> InterfaceField {
    let field = InterfaceField::new(definition.name.node.as_str(), type_ref(&definition.ty.node));
    let field = definition
        .arguments
        .iter()
        .fold(field, |field, argument| field.argument(input(&argument.node)));
    match deprecation(&definition.directives) {
        Some(reason) => field.deprecation(Some(reason)),
        None => field,
    }
}

fn deprecation(directives: &[Positioned<ConstDirective>]) -> Option<&str> {
    let directive = &directives.iter().find(|d| d.node.name.node == "deprecated")?.node;
    match &directive.get_argument("reason")?.node {
        Value::String(reason) => Some(reason),
        _ => None,
    }
}

fn object_field(
    object: &str,
    implements: &[&str],
    definition: &FieldDefinition,
    abstracts: &BTreeSet<String>,
) -> Field {
    let name = definition.name.node.to_string();
    let ty = type_ref(&definition.ty.node);
    let wrapped = abstracts.contains(ty.type_name());
    let required = !definition.ty.node.nullable;
    let found = resolve::find(object, implements, &name);
    let reason = deprecation(&definition.directives).map(str::to_owned);
    let told = reason.is_some();
    let key = name.clone();
    let field = Field::new(name, ty, move |context| {
        if told {
            super::failure::Failure::deprecated(&key).report(context.ctx);
        }
        answer(&context, found, &key, Shape { wrapped, required })
    });
    let field = definition
        .arguments
        .iter()
        .fold(field, |field, argument| field.argument(input(&argument.node)));
    match reason {
        Some(reason) => field.deprecation(Some(&reason)),
        None => field,
    }
}

/// What the type of a field asks of its value.
#[derive(Clone, Copy)]
struct Shape {
    /// An interface or union: the value says which object it is.
    wrapped: bool,
    /// May not be null.
    required: bool,
}

fn answer<'a>(
    context: &ResolverContext<'a>,
    found: Option<Resolver>,
    key: &str,
    shape: Shape,
) -> FieldFuture<'a> {
    let Some(resolver) = found else {
        let value = match context.parent_value.as_value() {
            Some(Value::Object(fields)) => fields.get(key).cloned(),
            _ => None,
        };
        return FieldFuture::Value(value.and_then(|value| field_value(value, shape)));
    };
    let Ok(session) = context.ctx.data::<Session>() else {
        return FieldFuture::Value(None);
    };
    let call = Call { session, parent: context.parent_value, args: arguments(context) };
    match resolver(&call) {
        Ok(Answer::Value(value)) => FieldFuture::Value(field_value(value, shape)),
        Ok(Answer::Own(value)) => FieldFuture::Value(Some(FieldValue::boxed_any(value))),
        Err(failure) if shape.required => {
            let error: Error = failure.into_error();
            FieldFuture::new(async move { Err::<Option<Value>, _>(error) })
        }
        Err(failure) => {
            failure.report(context.ctx);
            FieldFuture::Value(None)
        }
    }
}

fn arguments(context: &ResolverContext<'_>) -> serde_json::Map<String, serde_json::Value> {
    let mut map = serde_json::Map::new();
    for (name, value) in context.args.as_index_map() {
        map.insert(name.to_string(), value.clone().into_json().unwrap_or_default());
    }
    map
}

fn field_value<'a>(value: Value, shape: Shape) -> Option<FieldValue<'a>> {
    match value {
        Value::Null => None,
        Value::List(items) if shape.wrapped => {
            // An element that is null or of no known type cannot be shown as an object.
            Some(FieldValue::list(items.into_iter().filter_map(typed)))
        }
        value if shape.wrapped => typed(value),
        value => Some(FieldValue::value(value)),
    }
}

fn typed<'a>(value: Value) -> Option<FieldValue<'a>> {
    let Value::Object(fields) = &value else { return None };
    let Some(Value::String(name)) = fields.get(&Name::new("__typename")) else { return None };
    let name = name.clone();
    Some(FieldValue::value(value).with_type(name))
}
