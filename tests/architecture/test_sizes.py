"""Small modules and small functions force the right cut."""

import ast
from collections import Counter
from collections.abc import Iterator

import sources

MODULE_LINES_MAX = 300
FUNCTION_LINES_MAX = 70
PARAMETERS_MAX = 5
# A room; more than that is a hall.
MODULES_MAX = 12
# What a class takes at its making: as wide as a function with so many parameters.
FIELDS_MAX = 9
# Records of data that are wider, beside those that others lay down: settings, files, API bodies.
# The number only ever gets smaller.
WIDE_RECORDS_MAX = 15
LAID_DOWN = {"BaseModel", "BaseSettings", "Shape"}


def test_module_has_at_most_300_lines() -> None:
    found = {
        sources.name(path): lines
        for path in sources.python_files("libs", "services")
        if (lines := len(path.read_text().splitlines())) > MODULE_LINES_MAX
    }

    assert found == {}


def test_folder_has_so_few_modules_that_it_is_a_room() -> None:
    folders = Counter(path.parent for path in sources.python_files("libs", "services"))
    found = {
        sources.name(path): count for path, count in folders.items() if count > MODULES_MAX + 1
    }

    assert found == {}


def test_function_has_at_most_70_lines() -> None:
    found = {
        f"{sources.name(path)}:{function.name}": lines
        for path in sources.python_files("libs", "services")
        for function in sources.functions(path)
        if (lines := (function.end_lineno or 0) - function.lineno + 1) > FUNCTION_LINES_MAX
    }

    assert found == {}


def test_function_takes_at_most_five_parameters_beside_self() -> None:
    found = {
        f"{sources.name(path)}:{function.name}": names
        for path in sources.python_files("libs", "services")
        for function in sources.functions(path)
        if len(names := list(_parameters(function))) > PARAMETERS_MAX
    }

    assert found == {}


def test_class_that_acts_takes_at_most_nine_fields() -> None:
    found = {name: count for name, count, acts in _wide_classes() if acts}

    assert found == {}


def test_records_wider_than_nine_fields_become_fewer() -> None:
    found = {name: count for name, count, acts in _wide_classes() if not acts}

    assert len(found) <= WIDE_RECORDS_MAX, found


def _wide_classes() -> Iterator[tuple[str, int, bool]]:
    """Yield name, fields, and whether it does more than hold them."""
    for path in sources.python_files("libs", "services"):
        if sources.name(path).startswith("libs/local/"):
            continue  # a forge's double, as wide as the forge's own objects
        for node in ast.walk(sources.tree(path)):
            if isinstance(node, ast.ClassDef) and (count := _fields(node)) > FIELDS_MAX:
                acts = any(isinstance(part, ast.AsyncFunctionDef) for part in node.body)
                yield f"{sources.name(path)}:{node.name}", count, acts


def _fields(node: ast.ClassDef) -> int:
    if {ast.unparse(base) for base in node.bases} & LAID_DOWN:
        return 0
    for part in node.body:
        if isinstance(part, ast.FunctionDef) and part.name == "__init__":
            return len(list(_parameters(part)))
    return sum(
        isinstance(part, ast.AnnAssign) and "init=False" not in ast.unparse(part)
        for part in node.body
    )


def _parameters(function: ast.FunctionDef | ast.AsyncFunctionDef) -> Iterator[str]:
    arguments = function.args
    for argument in (*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs):
        if argument.arg not in {"self", "cls"}:
            yield argument.arg
