//! Calls of functions: the language's own and the host's.

use super::operators::{operand, same};
use super::{Checker, Shape, Typed, common, constant, hint};
use crate::builtin::{Builtin, unsupported};
use crate::ir::{
    BoolNode, Call, Common, DoubleNode, Extreme, Fold, HandleNode, Kind, Node, ObjectNode,
    Quantifier, TextNode, TextTest, WholeNode,
};
use crate::literal::{parse_duration, parse_timestamp};
use crate::problem::suggest;
use crate::types::{Type, Value};
use crate::vocabulary::{Arg, Literal, Signature};
use cel::common::ast::{CallExpr, IdedExpr};
use regex::RegexBuilder;

/// How large a pattern may become when it is compiled, in bytes.
const PATTERN_BYTES: usize = 1 << 20;

impl Checker<'_> {
    pub(super) fn usage<T>(&mut self, expr: &IdedExpr, builtin: Builtin) -> Option<T> {
        self.problem(expr, format!("is called like `{}`", builtin.usage()))
    }

    pub(super) fn function(&mut self, expr: &IdedExpr, call: &CallExpr) -> Option<Typed> {
        let Some(builtin) = Builtin::named(&call.func_name) else {
            return self.host_function(expr, call);
        };
        // Functions that may be written after their first argument.
        let operands: Vec<&IdedExpr> = call
            .target
            .as_deref()
            .into_iter()
            .chain(&call.args)
            .collect();
        let written_before = call.target.is_none();
        match (builtin, operands.as_slice()) {
            (Builtin::All, _) => self.quantifier(expr, call, Quantifier::All, builtin),
            (Builtin::Exists, _) => self.quantifier(expr, call, Quantifier::Exists, builtin),
            (Builtin::ExistsOne, _) => self.quantifier(expr, call, Quantifier::ExistsOne, builtin),
            (Builtin::Filter, _) => self.filter(expr, call),
            (Builtin::Map, _) => self.map(expr, call),
            (Builtin::Has, _) => self.has(expr, call),
            (Builtin::OrZero, [of]) if written_before => self.or_zero(expr, of),
            (Builtin::OrElse, [of, otherwise]) if written_before => {
                self.or_else(expr, of, otherwise)
            }
            (Builtin::Size, [of]) => self.size(expr, of),
            (Builtin::Sum, [list]) => self.fold(expr, list, Fold::Sum, builtin),
            (Builtin::Min, [list]) => self.fold(expr, list, Fold::Extreme(Extreme::Min), builtin),
            (Builtin::Max, [list]) => self.fold(expr, list, Fold::Extreme(Extreme::Max), builtin),
            (Builtin::Min, [_, _, ..]) => self.extreme(expr, &operands, Extreme::Min, builtin),
            (Builtin::Max, [_, _, ..]) => self.extreme(expr, &operands, Extreme::Max, builtin),
            (Builtin::Int, [of]) if written_before => self.int(expr, of),
            (Builtin::Double, [of]) if written_before => self.double(expr, of),
            (Builtin::Duration, [text]) if written_before => {
                let ms = self.read_literal(expr, text, "duration(…)", parse_duration)?;
                constant(Value::Duration(ms))
            }
            (Builtin::Timestamp, [text]) if written_before => {
                let micros = self.read_literal(expr, text, "timestamp(…)", parse_timestamp)?;
                constant(Value::Timestamp(micros))
            }
            (Builtin::Seconds, [of]) if written_before => {
                let typed = self.wanted(of, &Type::Duration, "`seconds`")?;
                let is_constant = typed.node.is_constant();
                let Node::Duration(node) = typed.node else {
                    return None;
                };
                let node = Node::Double(DoubleNode::Seconds(Box::new(node)));
                self.folded(expr, is_constant, Typed::new(node, Type::Double))
            }
            (Builtin::Milliseconds, [of]) if written_before => {
                let Node::Duration(node) = self.wanted(of, &Type::Duration, "`milliseconds`")?.node
                else {
                    return None;
                };
                Some(Typed::new(Node::Int(node), Type::Int))
            }
            (Builtin::StartsWith, [text, part]) => {
                self.text_test(expr, text, part, TextTest::StartsWith)
            }
            (Builtin::EndsWith, [text, part]) => {
                self.text_test(expr, text, part, TextTest::EndsWith)
            }
            (Builtin::Contains, [text, part]) => {
                self.text_test(expr, text, part, TextTest::Contains)
            }
            (Builtin::Matches, [text, pattern]) => self.matches(expr, text, pattern),
            (Builtin::LowerAscii, [text]) => self.lower(text),
            _ => self.usage(expr, builtin),
        }
    }

    fn or_zero(&mut self, expr: &IdedExpr, of: &IdedExpr) -> Option<Typed> {
        let typed = self.checked(of)?;
        let node = match typed.node {
            Node::Int(node) => Node::Int(WholeNode::Common(or(
                node,
                WholeNode::Common(Common::Constant(0)),
                true,
            ))),
            Node::Duration(node) => Node::Duration(WholeNode::Common(or(
                node,
                WholeNode::Common(Common::Constant(0)),
                true,
            ))),
            Node::Double(node) => Node::Double(DoubleNode::Common(or(
                node,
                DoubleNode::Common(Common::Constant(0.0)),
                true,
            ))),
            _ => {
                let message = format!(
                    "`{}` is {}, which has no zero: orZero() takes a duration, an int or a double; there is orElse(value, otherwise)",
                    self.shown(of),
                    self.vocabulary.a(&typed.ty)
                );
                return self.problem(expr, message);
            }
        };
        Some(Typed::new(node, typed.ty))
    }

    fn or_else(&mut self, expr: &IdedExpr, of: &IdedExpr, otherwise: &IdedExpr) -> Option<Typed> {
        let (a, b) = (self.checked(of), self.checked(otherwise));
        let (a, b) = (a?, b?);
        if a.ty != b.ty {
            let message = format!(
                "`{}` is {}, `{}` {}: orElse() takes two of one type{}",
                self.shown(of),
                self.vocabulary.a(&a.ty),
                self.shown(otherwise),
                self.vocabulary.a(&b.ty),
                hint(&b.ty, &a.ty, &self.shown(otherwise)).replacen(':', ";", 1)
            );
            return self.problem(expr, message);
        }
        let ty = a.ty;
        let node = match (a.node, b.node) {
            (Node::Bool(a), Node::Bool(b)) => Node::Bool(BoolNode::Common(or(a, b, false))),
            (Node::Int(a), Node::Int(b)) => Node::Int(WholeNode::Common(or(a, b, false))),
            (Node::Duration(a), Node::Duration(b)) => {
                Node::Duration(WholeNode::Common(or(a, b, false)))
            }
            (Node::Timestamp(a), Node::Timestamp(b)) => {
                Node::Timestamp(WholeNode::Common(or(a, b, false)))
            }
            (Node::Double(a), Node::Double(b)) => Node::Double(DoubleNode::Common(or(a, b, false))),
            (Node::Text(a), Node::Text(b)) => Node::Text(TextNode(or(a, b, false))),
            (Node::Object(a), Node::Object(b)) => Node::Object(ObjectNode(or(a, b, false))),
            (Node::Handle(a), Node::Handle(b)) => Node::Handle(HandleNode(or(a, b, false))),
            _ => return self.problem(expr, "orElse() takes no lists: a list is always stated"),
        };
        let mut typed = Typed::new(node, ty);
        typed.closed = same(a.closed, b.closed);
        Some(typed)
    }

    fn size(&mut self, expr: &IdedExpr, of: &IdedExpr) -> Option<Typed> {
        // As many characters in small letters.
        let typed = self.check(of)?;
        let is_constant = typed.node.is_constant();
        let node = match typed.node {
            Node::Text(text) => WholeNode::TextSize(Box::new(text)),
            Node::List(list) => WholeNode::Size(Box::new(list)),
            _ => {
                let message = format!(
                    "`{}` is {}; size() takes a list or a string",
                    self.shown(of),
                    self.vocabulary.a(&typed.ty)
                );
                return self.problem(expr, message);
            }
        };
        self.folded(expr, is_constant, Typed::new(Node::Int(node), Type::Int))
    }

    fn fold(
        &mut self,
        expr: &IdedExpr,
        list: &IdedExpr,
        fold: Fold,
        builtin: Builtin,
    ) -> Option<Typed> {
        let typed = self.checked(list)?;
        let is_constant = typed.node.is_constant();
        let at = self.places.of(expr);
        let shown = self.vocabulary.a(&typed.ty);
        if let (Type::List(item), Node::List(items)) = (typed.ty, typed.node) {
            let items = Box::new(items);
            let node = match (&*item, fold) {
                (Type::Int, _) => Some(Node::Int(WholeNode::Fold(fold, items, at))),
                (Type::Duration, _) => Some(Node::Duration(WholeNode::Fold(fold, items, at))),
                (Type::Timestamp, Fold::Extreme(_)) => {
                    Some(Node::Timestamp(WholeNode::Fold(fold, items, at)))
                }
                (Type::Double, _) => Some(Node::Double(DoubleNode::Fold(fold, items, at))),
                _ => None,
            };
            if let Some(node) = node {
                return self.folded(expr, is_constant, Typed::new(node, *item));
            }
        }
        let message = format!(
            "`{}` is {shown}; `{}` takes {}",
            self.shown(list),
            builtin.usage(),
            match fold {
                Fold::Sum => "ints, doubles or durations",
                Fold::Extreme(_) => "ints, doubles, durations or timestamps",
            }
        );
        self.problem(expr, message)
    }

    fn extreme(
        &mut self,
        expr: &IdedExpr,
        operands: &[&IdedExpr],
        extreme: Extreme,
        builtin: Builtin,
    ) -> Option<Typed> {
        let checked: Vec<_> = operands.iter().map(|of| self.checked(of)).collect();
        let checked: Vec<Typed> = checked.into_iter().collect::<Option<_>>()?;
        let ty = checked.first()?.ty.clone();
        for (typed, of) in checked.iter().zip(operands) {
            if typed.ty != ty {
                let message = format!(
                    "`{}` is {}, and `{}` is {}",
                    self.shown(operands[0]),
                    self.vocabulary.a(&ty),
                    self.shown(of),
                    self.vocabulary.a(&typed.ty)
                );
                return self.problem(of, message);
            }
        }
        let is_constant = checked.iter().all(|typed| typed.node.is_constant());
        let at = self.places.of(expr);
        let nodes = checked.into_iter().map(|typed| typed.node);
        let node = match ty {
            Type::Double => {
                let nodes = nodes.map(double).collect::<Option<_>>()?;
                Node::Double(DoubleNode::Extreme(extreme, nodes, at))
            }
            Type::Int | Type::Duration | Type::Timestamp => {
                let nodes = nodes.map(whole).collect::<Option<_>>()?;
                let node = WholeNode::Extreme(extreme, nodes, at);
                match ty {
                    Type::Int => Node::Int(node),
                    Type::Duration => Node::Duration(node),
                    _ => Node::Timestamp(node),
                }
            }
            _ => {
                let message = format!(
                    "`{}` is {}; `{}` takes ints, doubles, durations or timestamps",
                    self.shown(operands[0]),
                    self.vocabulary.a(&ty),
                    builtin.usage()
                );
                return self.problem(expr, message);
            }
        };
        self.folded(expr, is_constant, Typed::new(node, ty))
    }

    fn int(&mut self, expr: &IdedExpr, of: &IdedExpr) -> Option<Typed> {
        let typed = self.checked(of)?;
        let is_constant = typed.node.is_constant();
        match typed.node {
            Node::Int(_) => Some(typed),
            Node::Double(node) => {
                let node = Node::Int(WholeNode::Truncate(Box::new(node), self.places.of(expr)));
                self.folded(expr, is_constant, Typed::new(node, Type::Int))
            }
            _ => self.not_converted(expr, of, &typed.ty, &Type::Int),
        }
    }

    fn double(&mut self, expr: &IdedExpr, of: &IdedExpr) -> Option<Typed> {
        let typed = self.checked(of)?;
        let is_constant = typed.node.is_constant();
        match typed.node {
            Node::Double(_) => Some(typed),
            Node::Int(node) => {
                let node = Node::Double(DoubleNode::FromInt(Box::new(node)));
                self.folded(expr, is_constant, Typed::new(node, Type::Double))
            }
            _ => self.not_converted(expr, of, &typed.ty, &Type::Double),
        }
    }

    fn not_converted<T>(
        &mut self,
        expr: &IdedExpr,
        of: &IdedExpr,
        from: &Type,
        to: &Type,
    ) -> Option<T> {
        let message = format!(
            "`{}` is {}, which cannot become {}{}",
            self.shown(of),
            self.vocabulary.a(from),
            self.vocabulary.a(to),
            hint(from, to, &self.shown(of))
        );
        self.problem(expr, message)
    }

    fn read_literal<T, E: std::fmt::Display>(
        &mut self,
        expr: &IdedExpr,
        text: &IdedExpr,
        by: &str,
        read: impl Fn(&str) -> Result<T, E>,
    ) -> Option<T> {
        let typed = self.wanted(text, &Type::String, by)?;
        let Some(literal) = typed.node.constant_text() else {
            return self.problem(expr, format!("{by} takes a constant text"));
        };
        match read(literal) {
            Ok(value) => Some(value),
            Err(error) => self.problem(text, format!("{literal:?} {error}")),
        }
    }

    fn text(&mut self, expr: &IdedExpr) -> Option<Typed> {
        let typed = self.check(expr)?;
        if typed.ty == Type::String {
            return Some(typed);
        }
        let message = format!(
            "`{}` is {}; a string is wanted here",
            self.shown(expr),
            self.vocabulary.a(&typed.ty)
        );
        self.problem(expr, message)
    }

    fn text_test(
        &mut self,
        expr: &IdedExpr,
        text: &IdedExpr,
        part: &IdedExpr,
        test: TextTest,
    ) -> Option<Typed> {
        let (text, part) = (self.text(text), self.text(part));
        let (text, part) = (text?, part?);
        let is_constant = text.node.is_constant() && part.node.is_constant();
        let node = BoolNode::TextTest(test, Box::new((operand(text)?, operand(part)?)));
        self.folded(expr, is_constant, Typed::new(Node::Bool(node), Type::Bool))
    }

    fn matches(&mut self, expr: &IdedExpr, text: &IdedExpr, pattern: &IdedExpr) -> Option<Typed> {
        let of = self.text(text);
        let pattern_typed = self.wanted(pattern, &Type::String, "`matches`")?;
        let Some(pattern_text) = pattern_typed.node.constant_text() else {
            return self.problem(pattern, "`matches` takes a constant pattern");
        };
        let regex = match RegexBuilder::new(pattern_text)
            .size_limit(PATTERN_BYTES)
            .build()
        {
            Ok(regex) => regex,
            Err(error) => {
                // The last line says what is wrong, the others draw where.
                let message = error.to_string();
                let why = message.lines().last().unwrap_or_default().trim();
                let why = why.strip_prefix("error: ").unwrap_or(why);
                return self.problem(pattern, format!("the pattern cannot be read: {why}"));
            }
        };
        let of = of?;
        let is_constant = of.node.is_constant();
        let node = BoolNode::Matches(Box::new((operand(of)?, regex)));
        self.folded(expr, is_constant, Typed::new(Node::Bool(node), Type::Bool))
    }

    fn lower(&mut self, text: &IdedExpr) -> Option<Typed> {
        let mut typed = self.text(text)?;
        if let Some(text) = typed.node.constant_text() {
            return constant(Value::Str(&text.to_ascii_lowercase()));
        }
        typed.lowered = true;
        Some(typed)
    }

    fn host_function(&mut self, expr: &IdedExpr, call: &CallExpr) -> Option<Typed> {
        let name = call.func_name.as_str();
        let vocabulary = self.vocabulary;
        let Some(ways) = vocabulary.find_function(name) else {
            if let Some(instead) = unsupported(name) {
                return self.problem(expr, format!("`{name}` is not supported: {instead}"));
            }
            let builtins = Builtin::NAMES.iter().map(|(name, _)| *name);
            let suggestion = suggest(name, vocabulary.function_names().chain(builtins));
            return self.problem(expr, format!("unknown function `{name}`{suggestion}"));
        };
        let usages = || {
            let usages: Vec<_> = ways.iter().map(|way| self.host_usage(name, way)).collect();
            format!("is called like {}", usages.join(" or "))
        };
        if call.target.is_some() {
            let message = usages();
            return self.problem(expr, message);
        }
        let Some(way) = ways
            .iter()
            .find(|way| way.arguments.len() == call.args.len())
        else {
            let message = usages();
            return self.problem(expr, message);
        };
        let by = format!("`{name}`");
        let arguments: Vec<Option<Node>> = call
            .args
            .iter()
            .zip(&way.arguments)
            .map(|(given, wanted)| self.argument(given, wanted, &by))
            .collect();
        let call = Call {
            function: way.id,
            arguments: arguments.into_iter().collect::<Option<_>>()?,
        };
        common(Shape::Call(call), &way.result)
    }

    fn argument(&mut self, given: &IdedExpr, wanted: &Arg, by: &str) -> Option<Node> {
        match wanted {
            Arg::Of(ty) => Some(self.wanted(given, ty, by)?.node),
            Arg::OneOf(set) => {
                let typed = self.wanted(given, &Type::String, by)?;
                let Some(text) = typed.node.constant_text() else {
                    return self.problem(given, format!("{by} takes a constant text here"));
                };
                let Some(index) = set.iter().position(|one| *one == text) else {
                    let suggestion = suggest(text, set.iter().copied());
                    return self.problem(given, format!("{by} knows no {text:?}{suggestion}"));
                };
                Node::from_value(Value::Handle(u32::try_from(index).ok()?))
            }
            Arg::Literal(read) => {
                let typed = self.wanted(given, &Type::String, by)?;
                let Some(text) = typed.node.constant_text() else {
                    return self.problem(given, format!("{by} takes a constant text here"));
                };
                match read(text) {
                    Ok(Literal::AsWritten) => Some(typed.node),
                    Ok(Literal::Handle(index)) => Node::from_value(Value::Handle(index)),
                    Err(why) => self.problem(given, why),
                }
            }
        }
    }

    fn host_usage(&self, name: &str, way: &Signature) -> String {
        let arguments: Vec<_> = way
            .arguments
            .iter()
            .map(|argument| match argument {
                Arg::Of(ty) => self.vocabulary.type_name(ty),
                Arg::OneOf(set) => format!("{:?}", set.first().copied().unwrap_or("text")),
                Arg::Literal(_) => "\"text\"".to_owned(),
            })
            .collect();
        format!("`{name}({})`", arguments.join(", "))
    }
}

fn or<T: Kind>(of: T, otherwise: T, note: bool) -> Common<T> {
    Common::OrElse {
        of: Box::new((of, otherwise)),
        note,
    }
}

fn whole(node: Node) -> Option<WholeNode> {
    match node {
        Node::Int(node) | Node::Duration(node) | Node::Timestamp(node) => Some(node),
        _ => None,
    }
}

fn double(node: Node) -> Option<DoubleNode> {
    match node {
        Node::Double(node) => Some(node),
        _ => None,
    }
}
