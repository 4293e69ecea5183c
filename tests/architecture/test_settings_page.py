"""The page of settings says what the services read, and `--help` says the same."""

import settings_page

from countersign.process.faults.variables import KNOWN
from countersign.process.startup import settings_of


def test_page_lists_what_is_read() -> None:
    assert settings_page.PAGE.read_text() == settings_page.page()


def test_every_setting_says_what_it_is_for() -> None:
    models = [model for own in settings_page.OWN.values() for model in own]
    told = {one.variable: one.meaning for one in settings_of(*models, *settings_page.SHARED)}

    assert [name for name, meaning in told.items() if meaning in ("", "None")] == []


def test_every_field_of_the_forge_list_says_what_it_is_for() -> None:
    fields = [
        name
        for model in settings_page.ENTRIES.values()
        for name, field in model.model_fields.items()
        if not field.description
    ]

    assert fields == []


def test_variables_that_are_known_are_those_that_services_read() -> None:
    models = [model for own in settings_page.OWN.values() for model in own]

    assert {one.variable for one in settings_of(*models, *settings_page.SHARED)} == KNOWN
