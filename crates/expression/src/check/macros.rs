//! Macros: calls that bind a name, or ask for a field without reading it.

use super::{Bound, Checker, Typed};
use crate::builtin::Builtin;
use crate::ir::{BoolNode, ListNode, Node, Quantifier, Tag};
use crate::types::Type;
use cel::common::ast::{CallExpr, Expr, IdedExpr};

impl Checker<'_> {
    pub(super) fn quantifier(
        &mut self,
        expr: &IdedExpr,
        call: &CallExpr,
        quantifier: Quantifier,
        builtin: Builtin,
    ) -> Option<Typed> {
        let (Some(range), [item, condition]) = (call.target.as_deref(), call.args.as_slice())
        else {
            return self.usage(expr, builtin);
        };
        let (range, condition) = self.over(range, item, |checker| {
            checker.condition(condition, "the macro's condition")
        })?;
        let node = BoolNode::Quantifier(quantifier, Box::new((range.0, condition)));
        Some(Typed::new(Node::Bool(node), Type::Bool))
    }

    pub(super) fn filter(&mut self, expr: &IdedExpr, call: &CallExpr) -> Option<Typed> {
        let (Some(range), [item, condition]) = (call.target.as_deref(), call.args.as_slice())
        else {
            return self.usage(expr, Builtin::Filter);
        };
        let ((range, bound), condition) = self.over(range, item, |checker| {
            checker.condition(condition, "the macro's condition")
        })?;
        let list = ListNode::Filter(Box::new((range, condition)));
        let mut typed = Typed::new(Node::List(list), Type::list(bound.ty));
        typed.closed = bound.closed;
        Some(typed)
    }

    pub(super) fn map(&mut self, expr: &IdedExpr, call: &CallExpr) -> Option<Typed> {
        let (range, item, condition, value) = match (call.target.as_deref(), call.args.as_slice()) {
            (Some(range), [item, value]) => (range, item, None, value),
            (Some(range), [item, condition, value]) => (range, item, Some(condition), value),
            _ => return self.usage(expr, Builtin::Map),
        };
        let ((range, _), (condition, typed)) = self.over(range, item, |checker| {
            let condition = match condition {
                Some(condition) => checker
                    .condition(condition, "the macro's condition")
                    .map(Some),
                None => Some(None),
            };
            let typed = checker.checked(value);
            Some((condition?, typed?))
        })?;
        if Tag::of(&typed.ty).is_none() {
            return self.problem(value, "lists of lists are not supported");
        }
        let list = ListNode::Map(Box::new((range, condition, typed.node)));
        let mut mapped = Typed::new(Node::List(list), Type::list(typed.ty));
        mapped.closed = typed.closed;
        Some(mapped)
    }

    /// Checks the range, and with the item's name bound, the rest.
    fn over<T>(
        &mut self,
        range: &IdedExpr,
        item: &IdedExpr,
        rest: impl FnOnce(&mut Self) -> Option<T>,
    ) -> Option<((ListNode, Bound), T)> {
        let list = self.checked(range);
        let name = match &item.expr {
            Expr::Ident(name) if !name.starts_with('.') => name.clone(),
            _ => return self.problem(item, "here stands the name that an item is to have"),
        };
        if self.scope.iter().any(|bound| bound.name == name)
            || self.vocabulary.root_names().any(|taken| taken == name)
        {
            return self.problem(
                item,
                format!("`{name}` means something already: call the item otherwise"),
            );
        }
        let list = list?;
        let (Type::List(ty), Node::List(node)) = (list.ty.clone(), list.node) else {
            let message = format!(
                "`{}` is {}; the macro takes a list",
                self.shown(range),
                self.vocabulary.a(&list.ty)
            );
            return self.problem(range, message);
        };
        self.scope.push(Bound {
            name,
            ty: *ty,
            closed: list.closed,
        });
        let rest = rest(self);
        let bound = self.scope.pop()?;
        Some(((node, bound), rest?))
    }

    pub(super) fn has(&mut self, expr: &IdedExpr, call: &CallExpr) -> Option<Typed> {
        let (None, [of]) = (&call.target, call.args.as_slice()) else {
            return self.usage(expr, Builtin::Has);
        };
        let Expr::Select(select) = &of.expr else {
            let message = format!(
                "has() takes a field, as in `has(interaction.x)`; `{}` is none",
                self.shown(of)
            );
            return self.problem(of, message);
        };
        if let Expr::Ident(namespace) = &select.operand.expr
            && !self.scope.iter().any(|bound| bound.name == *namespace)
            && self.vocabulary.find_namespace(namespace).is_some()
        {
            // Told as an unknown name where it is one.
            self.check(of)?;
            let message = format!("`{}` is no field of an object", self.shown(of));
            return self.problem(of, message);
        }
        let (access, field, _) = self.access(of, select)?;
        if !field.optional {
            let message = match field.ty {
                Type::List(_) => format!(
                    "`{}` is always stated: ask whether `size({0}) > 0`",
                    self.shown(of)
                ),
                _ => format!("`{}` is always stated", self.shown(of)),
            };
            return self.problem(of, message);
        }
        Some(Typed::new(Node::Bool(BoolNode::Has(access)), Type::Bool))
    }
}
