"""Find every kind of event that the code reports, with its module and fields, in the sources.

A kind is the first argument of `tell` or `event` of a reporter or of `Event`, or the argument
`kind` of `Incident`. If a method passes its own parameter `kind` on, the calls of that method in
its class are read instead. A computed kind is an error, because the reference would lack it.
"""
# ruff: noqa: INP001 - a script beside the pages it writes

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping

import attrs

COMMON = {"system", "venue", "instrument", "received_ns", "venue_time_ns", "source", "provenance"}
"""Arguments for fields that every event has."""

REPORTER_METHODS = ("tell", "event")
"""Methods of a reporter that take the kind first."""

Function = ast.FunctionDef | ast.AsyncFunctionDef


@attrs.frozen
class ReportedKind:
    """A kind of event, and the module that reports it."""

    kind: str
    module: str
    """Path of the source file."""
    data: tuple[str, ...]
    """Names of the kind's own fields; `...` for fields that the call does not name."""


class UnreadableKindError(Exception):
    """A kind of event that the source computes; names file and line."""


@attrs.frozen
class _Call:
    """A call that reports an event."""

    kind: ast.expr
    data: tuple[str, ...]
    module: str
    owner: ast.ClassDef | None
    function: Function | None
    of_incident: bool = False

    @property
    def is_passed_on(self) -> bool:
        """Whether the kind is a parameter of the function that makes the call."""
        arguments = (
            ()
            if self.function is None
            else (*self.function.args.args, *self.function.args.kwonlyargs)
        )
        return isinstance(self.kind, ast.Name) and self.kind.id in {
            argument.arg for argument in arguments
        }

    @property
    def reports_incidents(self) -> bool:
        """Whether it makes an event from an incident of any kind."""
        return isinstance(self.kind, ast.Attribute) and self.kind.attr == "kind"


def reported_kinds(texts: Mapping[str, str]) -> tuple[ReportedKind, ...]:
    """Return the kinds that the sources, given by path, report; sorted by kind.

    Raises:
        UnreadableKindError: a kind is computed, or passed on more than once.
    """
    trees = {path: ast.parse(text, path) for path, text in texts.items()}
    calls = [call for path, tree in trees.items() for call in _calls(path, tree)]
    of_incidents = tuple(name for call in calls if call.reports_incidents for name in call.data)
    spelt = [call for call in calls if not call.is_passed_on and not call.reports_incidents]
    passing = [caller for call in calls if call.is_passed_on for caller in _callers(call)]
    found = {
        ReportedKind(kind, call.module, of_incidents if call.of_incident else call.data)
        for call in (*spelt, *passing)
        for kind in _kinds(call, trees)
    }
    return tuple(sorted(found, key=lambda found: (found.kind, found.module)))


def _calls(path: str, tree: ast.AST) -> Iterator[_Call]:
    """Yield the calls that report an event."""
    for owner, function, node in _each_call(tree):
        match node:
            case ast.Call(func=ast.Attribute(value=to, attr="tell" | "event")) if (
                ast.unparse(to).rpartition(".")[2].lstrip("_") == "report"
            ):
                yield _Call(_first(node, path), _keywords(node), path, owner, function)
            case ast.Call(func=ast.Name(id="event")):
                yield _Call(
                    _first(node, path),
                    tuple(name for name in _keywords(node) if name not in COMMON),
                    path,
                    owner,
                    function,
                )
            case ast.Call(func=ast.Name(id="Event"), args=[kind, *_, ast.Tuple(elts=pairs)]):
                names = tuple(
                    ast.literal_eval(pair.elts[0]) for pair in pairs if isinstance(pair, ast.Tuple)
                )
                yield _Call(kind, names, path, owner, function)
            case ast.Call(func=ast.Name(id="Incident"), keywords=keywords):
                (kind,) = (keyword.value for keyword in keywords if keyword.arg == "kind")
                yield _Call(kind, (), path, owner, function, of_incident=True)


def _callers(call: _Call) -> Iterator[_Call]:
    """Yield the calls, in its class, of a method that passes a kind on, as if they reported it.

    Calls of a reporter's own methods are found anyway.
    """
    assert call.function is not None
    if call.owner is None or call.function.name in REPORTER_METHODS:
        return
    for _, function, node in _each_call(call.owner):
        match node.func:
            case ast.Attribute(value=ast.Name(id="self"), attr=name) if name == call.function.name:
                data = (*call.data, *_keywords(node))
                yield attrs.evolve(
                    call, kind=_first(node, call.module), data=data, function=function
                )


def _kinds(call: _Call, trees: Mapping[str, ast.Module]) -> Iterator[str]:
    match call.kind:
        case ast.Constant(value=str(kind)):
            yield kind
        case ast.Subscript(value=ast.Name(id=table)):
            yield from _values_of(table, trees[call.module])
        case ast.Name(id=name) if not call.is_passed_on and (
            method := _loop_over(name, call.function)
        ):
            for tree in trees.values():
                yield from _yielded_by(method, tree)
        case unreadable:
            msg = f"{call.module}:{unreadable.lineno}: {ast.unparse(unreadable)}"
            raise UnreadableKindError(msg)


def _each_call(
    node: ast.AST, owner: ast.ClassDef | None = None, function: Function | None = None
) -> Iterator[tuple[ast.ClassDef | None, Function | None, ast.Call]]:
    """Yield every call with its class and function."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.Call):
            yield owner, function, child
        inside = child if isinstance(child, ast.ClassDef) else owner
        yield from _each_call(child, inside, child if isinstance(child, Function) else function)


def _first(call: ast.Call, path: str) -> ast.expr:
    if not call.args:
        msg = f"{path}:{call.lineno}: {ast.unparse(call)}"
        raise UnreadableKindError(msg)
    return call.args[0]


def _keywords(call: ast.Call) -> tuple[str, ...]:
    """Return the names of the fields; fields passed on as `**data` are named by the callers."""
    return tuple(
        keyword.arg or "..."
        for keyword in call.keywords
        if keyword.arg or not isinstance(keyword.value, ast.Name)
    )


def _last_name(node: ast.expr) -> str:
    return ast.unparse(node).rpartition(".")[2].lstrip("_")


def _values_of(table: str, module: ast.Module) -> Iterator[str]:
    for node in module.body:
        match node:
            case ast.Assign(targets=[ast.Name(id=name)], value=ast.Dict(values=values)) if (
                name == table
            ):
                yield from (ast.literal_eval(value) for value in values)


def _yielded_by(method: str, module: ast.Module) -> Iterator[str]:
    for function in ast.walk(module):
        for node in (
            ast.walk(function) if isinstance(function, Function) and function.name == method else ()
        ):
            match node:
                case ast.Yield(value=ast.Tuple(elts=[ast.Constant(value=str(kind)), *_])):
                    yield kind


def _loop_over(name: str, function: Function | None) -> str | None:
    """Return the method over whose results a loop runs with this name as its variable."""
    for node in () if function is None else ast.walk(function):
        match node:
            case ast.For(
                target=ast.Tuple(elts=[ast.Name(id=target), *_]),
                iter=ast.Call(func=ast.Attribute(attr=method)),
            ) if target == name:
                return method
    return None
