"""Write `reference.md` from the code: public names, messages, events."""
# ruff: noqa: INP001 - a script beside the pages it writes

from __future__ import annotations

import ast
import importlib
import inspect
import re
import textwrap
import tomllib
from collections.abc import Iterator
from pathlib import Path

import perps_actors
from docs.reported_events import reported_kinds

DOCS = Path(__file__).resolve().parent
PACKAGE = DOCS.parent / "perps_actors"
REFERENCE = DOCS / "reference.md"
WITHOUT_EVENTS = {"market", "simulator", "venues"}
"""Packages that have no reporter, left out because parsing them takes most of the time."""
HEAD = """# Reference

`make docs` writes this page from the code; do not edit it. All names here are public:
[the library](#the-library), [its errors](#errors), [messages](#messages) and [events](#events).
Settings with their defaults are in [`settings.md`](settings.md), terms in the
[glossary](glossary.md).
"""
Definition = ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef
Function = ast.FunctionDef | ast.AsyncFunctionDef


def reference() -> str:
    """Return the page."""
    objects = {name: getattr(perps_actors, name) for name in perps_actors.__all__}
    # Base classes of public classes are public too.
    objects |= {base.__name__: base for thing in objects.values() for base in _bases(thing)}
    errors = {
        name
        for name, thing in objects.items()
        if inspect.isclass(thing) and issubclass(thing, Exception)
    }
    library = [
        _entry(_definition(objects[name]), "### ") for name in sorted(objects.keys() - errors)
    ]
    raised = [_entry(_definition(objects[name]), "### ") for name in sorted(errors)]
    return "\n".join(
        [
            HEAD,
            "## The library\n",
            *library,
            "## Errors\n",
            *raised,
            "## Messages\n",
            *_conversations(),
            *events_section(),
        ]
    )


def _bases(thing: object) -> list[type]:
    bases = inspect.getmro(thing)[1:] if inspect.isclass(thing) else ()
    return [
        base
        for base in bases
        if base.__module__.startswith("perps_actors.") and not issubclass(base, Exception)
    ]


def _definition(thing: object) -> Definition:
    """Return the definition of a class or function in its source."""
    module, name = importlib.import_module(thing.__module__), thing.__name__  # type: ignore[attr-defined]
    tree = ast.parse(inspect.getsource(module))
    return next(node for node in tree.body if isinstance(node, Definition) and node.name == name)


def _entry(node: Definition, heading: str) -> str:
    """Return signature and first paragraph of a class or function, and the members of a class."""
    signature, text = _signature(node), wrapped(_first_paragraph(ast.get_docstring(node)))
    lines = [f"{heading}`{node.name}`", ""]
    lines += [wrapped(f"`{signature}`"), ""] if signature != node.name else []
    lines += [text, ""] if text else []
    if isinstance(node, ast.ClassDef):
        members = [wrapped(member, indent="  ") for member in _members(node)]
        lines += [*members, ""] if members else []
    return "\n".join(lines)


def _signature(node: Definition) -> str:
    if isinstance(node, Function):
        returns = f" -> {ast.unparse(node.returns)}" if node.returns is not None else ""
        prefix = "async " if isinstance(node, ast.AsyncFunctionDef) else ""
        return f"{prefix}{node.name}({_arguments(node)}){returns}"
    made = next(
        (
            _arguments(inner)
            for inner in node.body
            if isinstance(inner, Function) and inner.name == "__init__"
        ),
        None,
    )
    return node.name if made is None else f"{node.name}({made})"


def _arguments(node: Function) -> str:
    return re.sub(r"^(self|cls)(, (/, )?|$)", "", ast.unparse(node.args))


def _members(node: ast.ClassDef) -> Iterator[str]:
    """Yield a line for each public field, member, property and method."""
    for inner, following in zip(node.body, [*node.body[1:], None], strict=True):
        doc = _field_text(following)
        match inner:
            case ast.AnnAssign(target=ast.Name(id=name), annotation=kind, value=value) if (
                name[0] != "_"
            ):
                yield f"- `{name}: {ast.unparse(kind)}{_default(value)}`{doc}"
            case ast.Assign(targets=[ast.Name(id=name)], value=ast.Constant() as value):
                yield f"- `{name} = {ast.unparse(value)}`{doc}"
            case ast.FunctionDef() | ast.AsyncFunctionDef() if inner.name[0] != "_":
                shown = (
                    f"{inner.name}: {ast.unparse(inner.returns)}"
                    if _is_property(inner) and inner.returns
                    else _signature(inner)
                )
                yield f"- `{shown}`: {_first_paragraph(ast.get_docstring(inner))}"


def _field_text(node: ast.stmt | None) -> str:
    """Return the description of a field: the string below it."""
    match node:
        case ast.Expr(value=ast.Constant(value=str(text))):
            return f": {_joined(text)}"
    return ""


def _is_property(node: Function) -> bool:
    return any(isinstance(mark, ast.Name) and mark.id == "property" for mark in node.decorator_list)


def _default(value: ast.expr | None) -> str:
    """Return the default of a field as in the source; empty if it has none."""
    match value:
        case None:
            return ""
        case ast.Call(
            func=ast.Attribute(value=ast.Name(id="attrs"), attr="field"), keywords=keywords
        ):
            return next(
                (
                    f" = {ast.unparse(keyword.value)}"
                    for keyword in keywords
                    if keyword.arg == "default"
                ),
                "",
            )
    return f" = {ast.unparse(value)}"


def _conversations() -> Iterator[str]:
    """Yield a section per module of messages."""
    for path in sorted((PACKAGE / "messages").glob("*.py")):
        tree = ast.parse(path.read_text())
        classes = [
            node for node in tree.body if isinstance(node, ast.ClassDef) and node.name[0] != "_"
        ]
        if classes:
            yield f"### `messages.{path.stem}`\n\n{wrapped(_joined(ast.get_docstring(tree)))}\n"
            yield from (_entry(node, "#### ") for node in classes)


def events_section() -> Iterator[str]:
    """Yield the table of events.

    Raises:
        ValueError: a kind without a meaning, or a meaning without a kind.
    """
    meanings = tomllib.loads((DOCS / "event_kinds.toml").read_text())
    reported = reported_kinds(
        {
            str(path.relative_to(PACKAGE)): path.read_text()
            for path in sorted(PACKAGE.rglob("*.py"))
            if path.relative_to(PACKAGE).parts[0] not in WITHOUT_EVENTS
        }
    )
    if unclear := {event.kind for event in reported} ^ meanings.keys():
        msg = f"event_kinds.toml and the code differ in {', '.join(sorted(unclear))}"
        raise ValueError(msg)
    yield "## Events\n\n`data`: the kind's own fields (`...`: and more), beside those of `Event`.\n"
    yield "| kind | meaning | reported by | data |\n|---|---|---|---|"
    for event in reported:
        data = ", ".join(f"`{name}`" for name in event.data)
        yield f"| `{event.kind}` | {meanings[event.kind]} | `{event.module}` | {data} |"
    yield ""


def _first_paragraph(doc: str | None) -> str:
    return _joined((doc or "").split("\n\n")[0])


def wrapped(text: str, indent: str = "") -> str:
    """Return text in lines of at most 98 characters."""
    return textwrap.fill(
        text, 98, subsequent_indent=indent, break_long_words=False, break_on_hyphens=False
    )


def _joined(text: str | None) -> str:
    return " ".join((text or "").split())


if __name__ == "__main__":
    REFERENCE.write_text(reference())
