"""Our GraphQL schema says nothing that GitHub's does not say."""

import pytest
import vendor_api
from graphql import (
    GraphQLEnumType,
    GraphQLInputObjectType,
    GraphQLInterfaceType,
    GraphQLObjectType,
    is_required_argument,
)

from countersign.local.forge.graph.graph import schema
from countersign.local.forge.graph.mutations import MUTATIONS

OURS = sorted(name for name in schema().type_map if not name.startswith("__"))


@pytest.mark.parametrize("name", OURS)
def test_a_type_is_a_subset_of_githubs(name: str) -> None:
    ours = schema().type_map[name]
    theirs = vendor_api.github_schema().type_map.get(name)

    assert type(theirs) is type(ours)
    if isinstance(ours, GraphQLEnumType):
        assert isinstance(theirs, GraphQLEnumType)
        assert set(ours.values) == set(theirs.values)
    if isinstance(ours, GraphQLInputObjectType):
        assert isinstance(theirs, GraphQLInputObjectType)
        for field, value in ours.fields.items():
            assert str(value.type) == str(theirs.fields[field].type)
            assert value.default_value == theirs.fields[field].default_value
    if isinstance(ours, GraphQLObjectType | GraphQLInterfaceType):
        assert isinstance(theirs, GraphQLObjectType | GraphQLInterfaceType)
        assert {i.name for i in ours.interfaces} <= {i.name for i in theirs.interfaces}
        for field, output in ours.fields.items():
            assert str(output.type) == str(theirs.fields[field].type), field
            known = theirs.fields[field].args
            for argument, taken in output.args.items():
                assert str(taken.type) == str(known[argument].type), (field, argument)
            needed = {a for a, value in known.items() if is_required_argument(value)}
            assert needed <= set(output.args), field


def test_every_mutation_of_the_schema_is_done() -> None:
    mutation = schema().mutation_type

    assert mutation is not None
    assert set(mutation.fields) == set(MUTATIONS)
