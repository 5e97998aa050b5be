"""Reads test code as a syntax tree: which test functions can end without having checked anything."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

Function = ast.FunctionDef | ast.AsyncFunctionDef
CHECKS: Final = frozenset({"raises", "warns", "fail", "until"})
"""Calls that fail a test by themselves."""
PASSED_ON: Final = frozenset(
    {"enumerate", "sorted", "reversed", "list", "tuple", "zip", "product", "batched"}
)
"""A call of one of these is empty only where one of its arguments is."""


@dataclass(frozen=True)
class Module:
    """One file: its functions and methods, and its constants that surely hold something."""

    path: str
    tree: ast.Module
    functions: tuple[Function, ...]
    filled: frozenset[str]


def read_module(path: str, text: str) -> Module:
    """Parse the text of a file."""
    tree = ast.parse(text)
    filled: set[str] = set()
    for node in tree.body:
        if isinstance(node, ast.Assign | ast.AnnAssign) and node.value and holds(node.value, filled):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            filled |= {target.id for target in targets if isinstance(target, ast.Name)}
    functions = tuple(node for node in ast.walk(tree) if isinstance(node, Function))
    return Module(path, tree, functions, frozenset(filled))


def modules_below(folder: Path) -> list[Module]:
    """Parse every file below a folder."""
    return [
        read_module(str(path.relative_to(folder)), path.read_text("utf-8"))
        for path in sorted(folder.rglob("*.py"))
    ]


def holds(node: ast.expr, filled: Iterable[str]) -> bool:
    """Whether an expression surely holds at least one thing to loop over."""
    match node:
        case ast.Tuple(elts=parts) | ast.List(elts=parts) | ast.Set(elts=parts):
            return any(not isinstance(part, ast.Starred) or holds(part.value, filled) for part in parts)
        case ast.Dict(keys=keys):
            return any(key is not None for key in keys)
        case ast.Constant(value=str() | bytes() as text):
            return bool(text)
        case ast.Name(id=name):
            return name in filled
        case ast.BinOp(left=left, right=right):
            return holds(left, filled) or holds(right, filled)
        case ast.Call(func=ast.Attribute(value=value, attr="items" | "values" | "keys")):
            return holds(value, filled)
        case ast.Call(func=ast.Name(id="range")):
            return _is_filled_range(node)
        case ast.Call(args=[_, *_] as arguments) if called(node) in PASSED_ON:
            return all(holds(argument, filled) for argument in arguments)
        case (
            ast.ListComp(generators=parts)
            | ast.DictComp(generators=parts)
            | ast.GeneratorExp(generators=parts)
        ):
            return all(not part.ifs and holds(part.iter, filled) for part in parts)
    return False


def _is_filled_range(node: ast.expr) -> bool:
    try:
        bounds = [ast.literal_eval(bound) for bound in node.args] if isinstance(node, ast.Call) else []
    except ValueError:
        return False
    return len(range(*bounds)) > 0


def called(node: ast.AST) -> str | None:
    """Return the last part of the name of what is called."""
    match node:
        case ast.Call(func=ast.Name(id=name) | ast.Attribute(attr=name)):
            return name
    return None


def calls(node: ast.AST) -> Iterator[str]:
    """Yield the names of everything that is called in a piece of code."""
    yield from filter(None, map(called, ast.walk(node)))


def _with_locals(function: Function, module: Module) -> Module:
    """The module with the function's own constants: collections that are written out in it."""
    filled = set(module.filled)
    for node in function.body:
        if isinstance(node, ast.Assign) and holds(node.value, filled):
            filled |= {target.id for target in node.targets if isinstance(target, ast.Name)}
    return replace(module, filled=frozenset(filled))


def checks(function: Function, module: Module, checking: frozenset[str]) -> bool:
    """Whether a function surely checks something; `checking` are functions that do."""
    return sure_checks(function.body, _with_locals(function, module), checking)


def sure_checks(statements: Iterable[ast.stmt], module: Module, checking: frozenset[str]) -> bool:
    """Whether the statements surely check something; `checking` are functions that do."""
    return any(_surely(statement, module, checking) for statement in statements)


def _surely(statement: ast.stmt, module: Module, checking: frozenset[str]) -> bool:
    match statement:
        case ast.FunctionDef() | ast.AsyncFunctionDef() | ast.ClassDef():
            return False
        case ast.Assert(test=ast.Call(func=ast.Name(id="all"), args=[ast.GeneratorExp() as over])):
            return holds(over, module.filled)
        case ast.Assert():
            return True
        case ast.For(iter=over, body=body) | ast.AsyncFor(iter=over, body=body):
            return _calls_one(over, checking) or (
                holds(over, module.filled) and sure_checks(body, module, checking)
            )
        case ast.While(test=ast.Constant(value=True), body=body):
            return sure_checks(body, module, checking)
        case ast.While(test=test):
            return _calls_one(test, checking)
        case ast.With(items=items, body=body) | ast.AsyncWith(items=items, body=body):
            opened = any(_calls_one(item.context_expr, checking) for item in items)
            return opened or sure_checks(body, module, checking)
        case ast.Try(body=body, orelse=otherwise, finalbody=last):
            return sure_checks((*body, *otherwise, *last), module, checking)
        case ast.If(test=test, body=body, orelse=otherwise):
            return _calls_one(test, checking) or sure_checks((*body, *otherwise), module, checking)
        case ast.Match(cases=cases):
            return any(sure_checks(case.body, module, checking) for case in cases)
    return _calls_one(statement, checking)


def _calls_one(node: ast.AST, checking: frozenset[str]) -> bool:
    return any(name in checking for name in calls(node))


def checking_functions(modules: Iterable[Module]) -> frozenset[str]:
    """Return the names of functions each of which surely checks something, by itself or in one it calls."""
    modules = tuple(modules)
    named: dict[str, list[tuple[Module, Function]]] = {}
    for module in modules:
        for function in module.functions:
            named.setdefault(function.name, []).append((module, function))
    checking = frozenset(CHECKS)
    while True:
        more = checking | {
            name
            for name, places in named.items()
            if all(checks(function, module, checking) for module, function in places)
        }
        if more == checking:
            return checking
        checking = more


def unsure_tests(modules: Iterable[Module]) -> list[str]:
    """Return the tests in which every assertion lies in a loop that may run zero times."""
    modules = tuple(modules)
    checking = checking_functions(modules)
    return [
        f"{module.path}::{function.name}"
        for module in modules
        for function in module.functions
        if function.name.startswith("test_") and not checks(function, module, checking)
    ]


def sleeps(modules: Iterable[Module]) -> list[str]:
    """Return where something sleeps; asyncio.sleep(0) gives way to other tasks and is no sleep."""
    return [
        f"{module.path}:{node.lineno}"
        for module in modules
        for node in ast.walk(module.tree)
        if isinstance(node, ast.Call) and called(node) == "sleep" and not _gives_way(node)
    ]


def _gives_way(call: ast.Call) -> bool:
    return ast.unparse(call) == "asyncio.sleep(0)"
