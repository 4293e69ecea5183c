"""Make everything that follows from `proto/`: models, JSON Schemas, AsyncAPI, the subject table.

`--check` writes nothing and fails when a committed file differs from what would be written.
"""

import argparse
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

from google.protobuf.descriptor_pb2 import (
    DescriptorProto,
    EnumDescriptorProto,
    FieldDescriptorProto,
    FileDescriptorProto,
    FileDescriptorSet,
)
from grpc_tools import protoc

PROTO = Path(__file__).parent
ROOT = PROTO.parent
PACKAGE = ".countersign.v1."
MODELS = ROOT / "libs/contracts/src/countersign/contracts/messages.py"
SCALARS = {
    FieldDescriptorProto.TYPE_STRING: ("str", '""'),
    FieldDescriptorProto.TYPE_BOOL: ("bool", "False"),
    FieldDescriptorProto.TYPE_INT32: ("Int32", "0"),
    FieldDescriptorProto.TYPE_BYTES: ("Bytes", 'b""'),
}
HEADER = '''"""Generated from `proto/` by `make generate`. Do not edit."""

from typing import Annotated, Final

from pydantic import Field

from countersign.contracts.message import Bytes, Int32, Message, ProtoEnum, Timestamp
from countersign.contracts.metadata import EventInfo, MethodInfo, Scope
'''


@dataclass(frozen=True)
class Source:
    """One parsed set of `.proto` files and the extensions that were declared in it."""

    files: list[FileDescriptorProto]
    options: Any

    def comments(self, file: FileDescriptorProto) -> dict[tuple[int, ...], str]:
        return {
            tuple(loc.path): " ".join(loc.leading_comments.split())
            for loc in file.source_code_info.location
            if loc.leading_comments
        }

    def messages(self) -> Iterator[tuple[FileDescriptorProto, int, DescriptorProto]]:
        """Every message after those that its fields name."""
        waiting = [(f, i, m) for f in self.files for i, m in enumerate(f.message_type)]
        known: set[str] = set()
        while waiting:
            ready = [entry for entry in waiting if self._needs(entry[2]) <= known]
            if not ready:
                sys.exit("messages name each other in a circle")
            for entry in ready:
                waiting.remove(entry)
                known.add(PACKAGE + entry[2].name)
                yield entry

    def _needs(self, message: DescriptorProto) -> set[str]:
        kind = FieldDescriptorProto.TYPE_MESSAGE
        return {
            f.type_name for f in message.field if f.type == kind and f.type_name.startswith(PACKAGE)
        }

    def event(self, message: DescriptorProto) -> Any | None:
        if message.options.HasExtension(self.options.event):
            return message.options.Extensions[self.options.event]
        return None


def read() -> Source:
    """Compile the `.proto` files; options are read with the extensions compiled beside them."""
    names = sorted(str(p.relative_to(PROTO)) for p in PROTO.glob("countersign/v1/*.proto"))
    include = str(Path(protoc.__file__).parent / "_proto")
    with tempfile.TemporaryDirectory() as out:
        image = Path(out) / "image"
        arguments = [
            "protoc", f"-I{PROTO}", f"-I{include}", f"--python_out={out}",
            f"--descriptor_set_out={image}", "--include_source_info", *names,
        ]  # fmt: skip
        if protoc.main(arguments) != 0:
            sys.exit("protoc failed")
        # The generated `countersign` folder must not hide the namespace package.
        sys.path.insert(0, str(Path(out) / "countersign/v1"))
        options = import_module("options_pb2")
        found = FileDescriptorSet.FromString(image.read_bytes())
    by_name = {f.name: f for f in found.file if not f.name.endswith("options.proto")}
    ordered: list[FileDescriptorProto] = []

    def add(file: FileDescriptorProto) -> None:
        for dependency in file.dependency:
            if dependency in by_name and by_name[dependency] not in ordered:
                add(by_name[dependency])
        if file not in ordered:
            ordered.append(file)

    for file in by_name.values():
        add(file)
    return Source(ordered, options)


def doc(text: str, indent: str = "    ") -> list[str]:
    return [f'{indent}"""{text}"""', ""] if text else []


def enum_lines(enum: EnumDescriptorProto) -> list[str]:
    prefix = enum.value[0].name.removesuffix("UNSPECIFIED")
    lines = [f"class {enum.name}(ProtoEnum):"]
    return [*lines, *(f'    {v.name.removeprefix(prefix)} = "{v.name}"' for v in enum.value)]


def field_line(source: Source, field: FieldDescriptorProto) -> str:
    required = field.options.Extensions[source.options.required]
    repeated = field.label == FieldDescriptorProto.LABEL_REPEATED
    alias = f'alias="{field.json_name}"' if field.json_name != field.name else ""
    if field.type == FieldDescriptorProto.TYPE_MESSAGE:
        name = field.type_name.removeprefix(PACKAGE)
        kind = "Timestamp" if name == ".google.protobuf.Timestamp" else name
        default = "None"
        annotated = kind if required else f"{kind} | None"
    elif field.type == FieldDescriptorProto.TYPE_ENUM:
        kind = annotated = field.type_name.removeprefix(PACKAGE)
        default = f"{kind}.UNSPECIFIED"
    else:
        kind, default = SCALARS[field.type]
        annotated = kind
        if required and kind in {"str", "Bytes"}:
            annotated = f"Annotated[{kind}, Field(min_length=1)]"
        elif required and kind == "Int32":
            annotated = "Annotated[Int32, Field(ge=1)]"
    if repeated:
        annotated, default = f"tuple[{kind}, ...]", "()"
    arguments = ", ".join(filter(None, [alias or "", "" if required else f"default={default}"]))
    plain = "" if required else f" = {default}"
    value = f" = Field({arguments})" if alias else plain
    return f"    {field.name}: {annotated}{value}"


def models(source: Source) -> str:
    lines = [HEADER]
    for file in source.files:
        comments = source.comments(file)
        for i, enum in enumerate(file.enum_type):
            body = enum_lines(enum)
            lines += ["", body[0], *doc(comments.get((5, i), "")), *body[1:], ""]
    for file, index, message in source.messages():
        comments = source.comments(file)
        lines += ["", f"class {message.name}(Message):", *doc(comments.get((4, index), ""))]
        required = [f for f in message.field if f.options.Extensions[source.options.required]]
        for field in [*required, *(f for f in message.field if f not in required)]:
            lines.append(field_line(source, field))
            number = list(message.field).index(field)
            lines += doc(comments.get((4, index, 2, number), ""))[:1]
        if not message.field:
            lines.append("    pass")
        lines.append("")
    lines += event_table(source) + method_table(source)
    return formatted("\n".join(lines))


def event_table(source: Source) -> list[str]:
    lines = ["", "EVENTS: Final[dict[type[Message], EventInfo]] = {"]
    for _, _, message in source.messages():
        event = source.event(message)
        if event is not None:
            scope = source.options.Scope.Name(event.scope).removeprefix("SCOPE_")
            publishers = ", ".join(f'"{p}"' for p in event.publishers)
            lines.append(
                f'    {message.name}: EventInfo("{event.subject}", Scope.{scope}, ({publishers},)),'
            )
    return [*lines, "}", ""]


def method_table(source: Source) -> list[str]:
    lines = ["METHODS: Final[dict[str, MethodInfo]] = {"]
    for file in source.files:
        for service in file.service:
            owner = service.name.removesuffix("Service").lower()
            for method in service.method:
                extensions = method.options.Extensions
                callers = ", ".join(f'"{c}"' for c in extensions[source.options.callers])
                request, answer = (
                    t.removeprefix(PACKAGE) for t in (method.input_type, method.output_type)
                )
                lines.append(
                    f'    "{owner}.{method.name.lower()}": MethodInfo('
                    f'"{owner}", "{method.name.lower()}", {request}, {answer}, ({callers},), '
                    f"addressed={extensions[source.options.addressed]}, "
                    f"broadcast={extensions[source.options.broadcast]}),"
                )
    return [*lines, "}", ""]


def formatted(text: str) -> str:
    ruff = Path(sys.executable).with_name("ruff")
    command = [str(ruff), "format", "--line-length", "100", "--stdin-filename", "messages.py", "-"]
    return subprocess.run(command, input=text, text=True, capture_output=True, check=True).stdout  # noqa: S603


def comments_of(source: Source) -> dict[str, str]:
    """What the `.proto` files say of a message or enum by its name, of a field or value by both."""
    found: dict[str, str] = {}
    for file in source.files:
        comments = source.comments(file)
        for i, enum in enumerate(file.enum_type):
            found[enum.name] = comments.get((5, i), "")
            for n, value in enumerate(enum.value):
                found[value.name] = comments.get((5, i, 2, n), "")
        for i, message in enumerate(file.message_type):
            found[message.name] = comments.get((4, i), "")
            for n, field in enumerate(message.field):
                found[f"{message.name}.{field.json_name}"] = comments.get((4, i, 2, n), "")
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing; fail on a difference")
    check = parser.parse_args().check
    source = read()
    wanted = {MODELS: models(source)}
    if not check:
        MODELS.write_text(wanted[MODELS])
    # Made from the models that were just written.
    wanted |= import_module("documents").documents(comments_of(source))
    stale = [path for path, text in wanted.items() if not path.exists() or path.read_text() != text]
    if check and stale:
        names = ", ".join(str(p.relative_to(ROOT)) for p in stale)
        sys.exit(f"not current: {names}; run `make generate` and commit the result")
    for path in stale if not check else []:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(wanted[path])


if __name__ == "__main__":
    main()
