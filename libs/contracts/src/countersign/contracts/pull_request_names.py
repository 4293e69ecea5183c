"""The names and marks of pull requests at one forge, as the administrator's list gives them."""

from string import Formatter
from typing import Annotated, Final, Literal, Self

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    model_validator,
)

from countersign.contracts.bounds.texts import written
from countersign.contracts.identity import BRANCH_PREFIX, BRANCH_PREFIX_CHARACTERS_MAX
from countersign.contracts.messages import AutoMerge

TITLE_CHARACTERS_MAX: Final = 120
LABELS_MAX: Final = 10
# There are forges that take a list separated by commas.
Label = Annotated[
    str,
    written(
        r"[^\s,](?:[^\r\n\t,]{0,48}[^\s,])?",
        words="in one line of 50 signs at most, no comma",
    ),
]
# Whole words for what was true or false before Pipelines could say it too.
_RULES: Final = {False: "never", True: "preset"}
AutoMergeRule = Annotated[
    Literal["never", "allowed", "preset"],
    BeforeValidator(lambda said: _RULES[said] if isinstance(said, bool) else said),
]
TITLE_PARTS: Final = ("namespace", "pipeline", "environment", "revision")


class PullRequestNames(BaseModel):
    """Names and marks of what is opened there, where the rules of its repositories ask for them."""

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)

    title: str = Field(
        default="Promote {pipeline} to {environment}: {revision}",
        min_length=1,
        max_length=TITLE_CHARACTERS_MAX,
        description="Title and first line of the commit, of {namespace}, {pipeline}, "
        "{environment}, {revision} and words; {{ and }} are brackets.",
    )
    branch_prefix: Annotated[
        str,
        written(
            "[a-z0-9]+([/-][a-z0-9]+)*",
            words="in lower case letters and digits, with single / or - between",
        ),
    ] = Field(
        default=BRANCH_PREFIX,
        alias="branchPrefix",
        max_length=BRANCH_PREFIX_CHARACTERS_MAX,
        description="Folder of its branches. Change it while nothing is open.",
    )
    labels: tuple[Label, ...] = Field(
        default=(),
        max_length=LABELS_MAX,
        description="Labels that it is given, where the forge has them.",
    )
    draft: bool = Field(
        default=False,
        description="Opened as a draft: nobody merges it before somebody calls it ready.",
    )
    auto_merge: AutoMergeRule = Field(
        default="never",
        alias="autoMerge",
        description="Whether the forge merges it by itself, in the name of whoever opened it, once "
        "its required checks pass: `never`, `allowed` where the Pipeline asks for it, or `preset` "
        "where the Pipeline does not refuse; `false` and `true` mean the first and the last.",
    )

    @model_validator(mode="after")
    def _is_fillable(self) -> Self:
        try:
            filled = self.title.format_map(dict.fromkeys(TITLE_PARTS, "x"))
            parts = [part for part in Formatter().parse(self.title) if part[1] is not None]
            plain = all(n in TITLE_PARTS and not spec and not how for _, n, spec, how in parts)
        except (ValueError, KeyError, IndexError, AttributeError):
            filled, plain = "", False
        if not all(label.isprintable() for label in self.labels):
            raise ValueError("a label has hidden characters")
        if self.draft and self.auto_merge != "never":
            raise ValueError("a draft is not merged by itself")
        if not plain or not filled.isprintable() or not filled.strip():
            raise ValueError(
                f"title {self.title!r}: words and {{{'}, {'.join(TITLE_PARTS)}}} on one line"
            )
        return self

    def merges_itself(self, asked: AutoMerge) -> bool:
        """Say if a forge is asked to merge what is opened for a Pipeline that asks for that.

        A Pipeline can always refuse; to ask for it takes the administrator's leave.
        """
        if self.auto_merge == "preset":
            return asked is not AutoMerge.UNWANTED
        return self.auto_merge == "allowed" and asked is AutoMerge.WANTED
