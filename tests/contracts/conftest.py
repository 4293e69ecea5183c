"""The descriptors that protobuf reads our messages with, compiled anew from `proto/`."""

from pathlib import Path
from typing import Any

import pytest
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
from google.protobuf.message import Message as ProtoMessage
from grpc_tools import protoc
from reference import ROOT

PROTO = ROOT / "proto"


@pytest.fixture(scope="session")
def new_message(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """Makes an empty protobuf message of a name."""
    image = tmp_path_factory.mktemp("proto") / "image.binpb"
    include = Path(protoc.__file__).parent / "_proto"
    files = sorted(str(p.relative_to(PROTO)) for p in PROTO.glob("countersign/v1/*.proto"))
    arguments = ["protoc", f"-I{PROTO}", f"-I{include}", "--include_imports"]
    assert protoc.main([*arguments, f"--descriptor_set_out={image}", *files]) == 0

    # A pool of its own, so that nothing else compiled in this process collides with it.
    pool = descriptor_pool.DescriptorPool()
    for file in descriptor_pb2.FileDescriptorSet.FromString(image.read_bytes()).file:
        pool.Add(file)

    def make(name: str) -> ProtoMessage:
        descriptor = pool.FindMessageTypeByName(f"countersign.v1.{name}")
        return message_factory.GetMessageClass(descriptor)()

    return make
