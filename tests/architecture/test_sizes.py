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


def _parameters(function: ast.FunctionDef | ast.AsyncFunctionDef) -> Iterator[str]:
    arguments = function.args
    for argument in (*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs):
        if argument.arg not in {"self", "cls"}:
            yield argument.arg
