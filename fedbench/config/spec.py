"""Configuration that is its own code: frozen, validated, written as TOML, JSON or Python."""

from __future__ import annotations

import inspect
import itertools
import json
import re
import warnings
from collections.abc import Iterator, Mapping
from typing import Any, ClassVar, Self, get_args

import tomlkit
from annotated_types import Ge, Gt, Le, Lt
from pydantic import (
    BaseModel,
    ConfigDict,
    GetJsonSchemaHandler,
    ModelWrapValidatorHandler,
    ValidationError,
    ValidationInfo,
    model_serializer,
    model_validator,
)
from pydantic.errors import PydanticSchemaGenerationError, PydanticUserError
from pydantic_core import CoreSchema

from fedbench.config.fields import section
from fedbench.config.kinds import LOCAL, KindError, find, is_user_class, kind_of
from fedbench.config.problems import Problem, error_line, nearest, plainly, unheard
from fedbench.config.setup import Setup

NONE = "none"
NUMBERS = {int, float, type(None)}
BOUNDS = (Gt, Ge, Lt, Le)
_definitions = itertools.count(1)
WORD = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")  # where a word begins


class _Meta(type(BaseModel)):
    """Says in plain words what is wrong with a class of settings, or with a call of one."""

    def __new__(
        cls, name: str, bases: tuple[type, ...], namespace: dict[str, Any], **kwargs: Any
    ) -> type:
        try:
            with warnings.catch_warnings():  # `_refuse_hiding` says it as an error
                warnings.filterwarnings("ignore", "Field name .* shadows an attribute")
                found: Any = super().__new__(cls, name, bases, namespace, **kwargs)
            if not found.__pydantic_complete__:  # names of the function that defines the class
                found.model_rebuild(raise_errors=False, _parent_namespace_depth=3)
            if _hold_bounds(found):
                found.model_rebuild(force=True, raise_errors=False, _parent_namespace_depth=3)
            return found
        except PydanticUserError as error:
            raise TypeError(_in_a_class(name, namespace, error)) from None

    def __call__(cls, *args: Any, **settings: Any) -> Any:
        if args and cls.__init__ is BaseModel.__init__:
            names = ", ".join(f"{key}=..." for key in list(cls.model_fields)[:3])  # pyright: ignore[reportAttributeAccessIssue]
            how = f"as in {cls.__name__}({names})" if names else "and it has none"
            raise TypeError(f"{cls.__name__} takes settings by name, {how}")
        return super().__call__(*args, **settings)


def _in_a_class(name: str, namespace: Mapping[str, Any], error: PydanticUserError) -> str:
    """Return what is wrong with a class that pydantic refuses, and what would be right."""
    annotated = namespace.get("__annotations__", {})
    if isinstance(error, PydanticSchemaGenerationError):
        return (
            f"{name}: a field has a type that is no setting; fields hold numbers, texts, true or "
            "false, lists of these and other groups of settings. Make anything else in a method, "
            "such as build()"
        )
    for key, value in namespace.items():
        bare = isinstance(value, bool | int | float | str | tuple | list) or value is None
        if bare and not key.startswith("_") and key not in annotated and key != "display":
            kind = "..." if value is None else type(value).__name__
            return f"{name}.{key} = {value!r} has no type; write {key}: {kind} = {value!r}"
    return f"{name}: {error.message.splitlines()[0]}"


def _refuse_hiding(cls: type[BaseModel]) -> None:
    """Raise TypeError where a field hides a method or the value of a class variable, or they it."""
    for name, field in cls.model_fields.items():
        holders = [base for base in cls.__mro__ if name in vars(base)]
        if holders and name in cls.__class_vars__:
            kind = getattr(field.annotation, "__name__", str(field.annotation))
            value = "..." if field.is_required() else repr(field.default)
            raise TypeError(
                f"{cls.__name__}.{name}: a field cannot have the name of a class variable of "
                f"{holders[-1].__name__}; write {name}: ClassVar[{kind}] = {value}"
            )
        if hasattr(inspect.getattr_static(cls, name, None), "__get__"):
            raise TypeError(
                f"{cls.__name__}.{name}: a field cannot have the name of a method of "
                f"{holders[0].__name__}; rename it"
            )


def _hold_bounds(cls: type[BaseModel]) -> bool:
    """Give numbers the bounds of the fields that they override; return whether any were missing.

    The methods that a class inherits were written for values within them.
    """
    lost = False
    for name, field in cls.model_fields.items():
        if not set(get_args(field.annotation) or (field.annotation,)) <= NUMBERS:
            continue
        for base in cls.__bases__:
            inherited = getattr(base, "model_fields", {}).get(name)
            own = {type(each) for each in field.metadata}
            bounds = inherited.metadata if inherited else []
            missing = [
                each for each in bounds if isinstance(each, BOUNDS) and type(each) not in own
            ]
            field.metadata = [*field.metadata, *missing]
            lost = lost or bool(missing)
    return lost


class Spec(BaseModel, metaclass=_Meta):
    """A frozen, validated group of settings; a misspelt key gets the nearest right one.

    In TOML and JSON a subclass of another group, such as one of `LocalTraining`, names itself by
    `kind`: the class name, or `module:Class` for a class outside fedbench. Two objects are equal if
    they are of one class and every setting is the same value of the same type: 1, 1.0 and True are
    three settings, as 0.0 and -0.0 are two.
    """

    family: ClassVar[bool] = False
    display: ClassVar[str] = ""
    defined: ClassVar[int] = 0  # counts the classes in the order of their definition

    model_config = ConfigDict(
        frozen=True, extra="forbid", allow_inf_nan=False, validate_default=True
    )

    @classmethod
    def __pydantic_init_subclass__(cls, **kwargs: Any) -> None:
        """Give each field a title, and the class's docstring a section made from its fields."""
        _refuse_hiding(cls)
        cls.defined = next(_definitions)
        for name, field in cls.model_fields.items():
            field.title = field.title or name.replace("_", " ").capitalize()
        if cls.model_fields and cls.__doc__ and "__doc__" in vars(cls):
            cls.__doc__ = f"{inspect.cleandoc(cls.__doc__)}\n\n{section(cls.model_fields)}\n"

    @model_validator(mode="wrap")
    @classmethod
    def _admit(
        cls, value: Any, handler: ModelWrapValidatorHandler[Self], info: ValidationInfo
    ) -> Self:
        if not isinstance(value, Mapping):
            return cls._instance(value, handler)
        rest = {key: item for key, item in value.items() if key != "kind"}
        chosen = cls._chosen(value["kind"], info) if "kind" in value else cls
        if chosen.family:
            known = ", ".join(chosen.choices())
            raise _refusal(chosen, "missing_kind", f"choose the {cls.__name__}: kind = {known}")
        if chosen is not cls:
            return chosen.model_validate(rest, context=info.context)
        cls._refuse_unknown(rest)
        return cls._checked(cls._with_nones(rest), handler)

    @classmethod
    def _chosen(cls, kind: object, info: ValidationInfo) -> type[Self]:
        try:
            return find(cls, kind, allow_imports=(info.context or {}).get("allow_imports", False))
        except KindError as error:
            raise _refusal(cls, error.code, str(error), kind) from error

    @classmethod
    def kind(cls) -> str:
        """Return the name that stands for this class in TOML and JSON."""
        return kind_of(cls)

    @classmethod
    def named(cls) -> bool:
        """Return whether files name this class: one that is derived from another group is."""
        return any(issubclass(base, Spec) and base not in (cls, Spec) for base in cls.__mro__)

    @classmethod
    def display_name(cls) -> str:
        """Return the name of this class in the interface, such as "Trimmed mean".

        It is `display` where the class sets one, else the class name in words; a class outside
        fedbench keeps its name as it is.
        """
        own = cls.__dict__.get("display", "")
        if own or is_user_class(cls):
            return own or cls.__qualname__
        first, *rest = WORD.sub(" ", cls.__name__).split()
        return " ".join([first, *(each if each.isupper() else each.lower() for each in rest)])

    @classmethod
    def define_again(cls) -> None:
        """Let the name of this class mean it, whatever was defined under that name since."""
        cls.defined = next(_definitions)

    @classmethod
    def choices(cls) -> dict[str, type[Self]]:
        """Return this class and its subclasses by kind, alphabetically, ours first.

        Families are left out, classes with abstract methods, and those whose name begins with an
        underscore. Of classes with one name the one that was defined last is meant.
        """
        found = {each.kind(): each for each in sorted(cls._members(), key=lambda it: it.defined)}
        return dict(sorted(found.items(), key=lambda item: (":" in item[0], item[0].casefold())))

    @classmethod
    def _members(cls) -> Iterator[type[Self]]:
        refused = "defined" not in vars(cls)  # when it was written; it may still be in memory
        hidden = cls.family or cls.__name__.startswith("_") or inspect.isabstract(cls)
        if not (hidden or refused):
            yield cls
        for sub in cls.__subclasses__():
            yield from sub._members()

    @classmethod
    def _instance(cls, value: Any, handler: Any) -> Self:
        """Take an object that is one of this class; what is neither that nor a table is refused."""
        if isinstance(value, cls):
            return handler(value)
        known = value is None or isinstance(value, bool | int | float | str | list | tuple | type)
        given = value if known else f"a {type(value).__name__}"  # a table is not printed whole
        line = error_line("not_a_part", cls._why_not(value), (), given)
        raise ValidationError.from_exception_data(cls.__name__, [line])

    @classmethod
    def _why_not(cls, value: object) -> str:
        """Return what would be right in place of `value`, which is no object of this class."""
        if isinstance(value, type) and issubclass(value, cls):
            return f"must be an object, {value.__name__}(...), not the class"
        return f"must be a {cls.__name__}, or a table of its fields"

    @classmethod
    def _checked(cls, value: Any, handler: ModelWrapValidatorHandler[Self]) -> Self:
        try:
            return handler(value)
        except ValidationError as error:  # in Python, too, it is read by a person
            found = error.errors(include_url=False)
            lines = [error_line(x["type"], plainly(x), x["loc"], x["input"]) for x in found]
            raise ValidationError.from_exception_data(cls.__name__, lines) from None

    @classmethod
    def _refuse_unknown(cls, value: Mapping[str, Any]) -> None:
        errors = [
            error_line(
                "unknown_field",
                f"{cls.__name__} has no field {key!r}{cls._meant(key)}",
                (key,),
                value[key],
            )
            for key in value
            if key not in cls.model_fields
        ]
        if errors:
            raise ValidationError.from_exception_data(cls.__name__, errors)

    @classmethod
    def _meant(cls, key: str) -> str:
        """Return the end of a message about a field that there is not: which one was meant."""
        return nearest(key, cls.model_fields)

    @classmethod
    def _with_nones(cls, value: Mapping[str, Any]) -> dict[str, Any]:
        """Take the word "none" for None where a field may be absent: TOML has no other way."""
        fields = cls.model_fields
        return {
            key: None
            if isinstance(item, str)
            and item == NONE
            and type(None) in get_args(fields[key].annotation)
            else item
            for key, item in value.items()
        }

    def _data(self) -> dict[str, Any]:
        items = ((name, getattr(self, name)) for name in type(self).model_fields)
        return {
            name: _plain(value)
            for name, value in items
            if value is not None or type(self).model_fields[name].get_default() is not None
        }

    @model_serializer(mode="plain")
    def to_dict(self) -> dict[str, Any]:
        """Return plain data: `kind` if the class is named, then every field.

        None is written only where it is not the default.
        """
        return {"kind": self.kind(), **self._data()} if self.named() else self._data()

    def to_json(self) -> str:
        """Return `to_dict` as JSON text."""
        return json.dumps(self.to_dict(), indent=2, ensure_ascii=False)

    def to_toml(self) -> str:
        """Return `to_dict` as TOML text, the word "none" for None."""
        return tomlkit.dumps(_toml(self.to_dict()))

    @classmethod
    def from_dict(cls, data: Mapping[str, Any], *, allow_imports: bool = False) -> Self:
        """Build from plain data; `allow_imports` lets a dotted `kind` import a module of yours.

        Raises pydantic's `ValidationError`, whose paths name the fields at fault.
        """
        return cls.model_validate(data, context={"allow_imports": allow_imports})

    @classmethod
    def from_json(cls, text: str, *, allow_imports: bool = False) -> Self:
        """Build from JSON text; see `from_dict`."""
        return cls.from_dict(json.loads(text), allow_imports=allow_imports)

    @classmethod
    def from_toml(cls, text: str, *, allow_imports: bool = False) -> Self:
        """Build from TOML text; see `from_dict`."""
        return cls.from_dict(tomlkit.parse(text).unwrap(), allow_imports=allow_imports)

    def replace(self, **changes: Any) -> Self:
        """Return a validated copy; a key may be a path, as in `replace(**{"training.lr": 0.1})`."""
        data = {name: getattr(self, name) for name in type(self).model_fields}
        for path, value in changes.items():
            head, _, rest = path.partition(".")
            if rest:
                inner = data.get(head)
                if not isinstance(inner, Spec):
                    field = inner if head in data else "no field"
                    raise ValueError(
                        f"{path}: {type(self).__name__}.{head} is {field!r}, not a group of "
                        f"settings{'' if head in data else nearest(head, data)}"
                    )
                value = inner.replace(**{rest: value})
            data[head] = value
        return type(self)(**data)

    def code(self, indent: int = 0) -> str:
        """Return Python that rebuilds this object; fields at their default are left out."""
        cls = type(self)
        name = name_in_code(cls)
        shown = [
            (key, getattr(self, key))
            for key, field in cls.model_fields.items()
            if field.is_required() or getattr(self, key) != self._default(key)
        ]
        pad = "    " * (indent + 1)
        parts = [f"{key}={_code(value, indent + 1)}" for key, value in shown]
        flat = f"{name}({', '.join(parts)})"
        if len(flat) + 4 * indent <= 88 and not any(specs_in(value) for _, value in shown):
            return flat
        return f"{name}(\n{''.join(f'{pad}{part},{chr(10)}' for part in parts)}{pad[4:]})"

    def _default(self, name: str) -> Any:
        field = type(self).model_fields[name]
        return field.get_default(call_default_factory=True, validated_data=dict(self.__dict__))

    def check(self, setup: Setup) -> Iterator[Problem]:
        """Yield why the experiment `setup`, which has these settings, cannot be.

        Here nothing. A path that begins with a dot, such as `.size`, is that of a field of its own,
        any other one of the experiment, such as `sampling.size`. Asked whenever an experiment is
        made: what is slow to find out belongs to `warn`, or to the run.
        """
        yield from ()

    def warn(self, setup: Setup) -> Iterator[str]:
        """Yield what is allowed in the experiment `setup` but should be known before a run.

        Here nothing. A sentence begins with the path of what it is about.
        """
        yield from ()

    def parts(self) -> Iterator[Spec]:
        """Yield this object and every Spec inside it."""
        yield self
        for name in type(self).model_fields:
            for part in specs_in(getattr(self, name)):
                yield from part.parts()

    def __setattr__(self, name: str, value: Any) -> None:
        if not name.startswith("_"):
            cls = type(self).__name__
            how = (
                f"make a copy with replace({name}=...)"
                if name in type(self).model_fields
                else f"declare it as a field of the class, as in {name}: int = 3, or compute it in "
                "a method"
            )
            raise ValidationError.from_exception_data(
                cls, [error_line("frozen", f"settings cannot be changed; {how}", (name,), None)]
            )
        super().__setattr__(name, value)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Spec) and exact(self) == exact(other)

    def __str__(self) -> str:
        return self.code()

    def __hash__(self) -> int:
        return hash(exact(self))


class Part(Spec):
    """A Spec that is one of a family and is chosen by `kind`.

    A family is declared with `class Strategy(Part, family=True)`; its concrete members subclass it.
    """

    family: ClassVar[bool] = True

    def __init_subclass__(cls, *, family: bool = False, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        cls.family = family
        if is_user_class(cls):
            bases = [base for base in cls.__mro__[1:] if issubclass(base, Part)]
            for message in unheard(cls, bases[:-1], ("check", "warn")):
                warnings.warn(message, stacklevel=2)

    @classmethod
    def _instance(cls, value: Any, handler: Any) -> Self:
        if isinstance(value, str):
            raise _refusal(cls, "missing_kind", cls._instead_of(value), value)
        return super()._instance(value, handler)

    @classmethod
    def _meant(cls, key: str) -> str:
        outermost = (base for base in reversed(cls.__mro__) if issubclass(base, Part))
        family = next(base for base in outermost if base is not Part)
        others = [kind for kind, it in family.choices().items() if key in it.model_fields]
        known = nearest(key, cls.model_fields)
        if not others or "did you mean" in known:
            return known
        return f"; {' and '.join(others[:3])} {'has' if len(others) == 1 else 'have'} one"

    @classmethod
    def _instead_of(cls, word: str) -> str:
        """Return what to write in the place of a text: an object, or its kind where all is text."""
        known = cls.choices()
        if word in known:
            return (
                f"write fb.{word}() in Python, kind = {word!r} in a table, .kind={word} in a path"
            )
        if not word.isidentifier():
            return f"must be one of {', '.join(known)}, not a text"
        return f"no {cls.__name__} is called {word!r}{nearest(word, known)}"

    @classmethod
    def _why_not(cls, value: object) -> str:
        if not cls.family or (isinstance(value, type) and issubclass(value, cls)):
            return super()._why_not(value)
        return f"must be one of {', '.join(cls.choices())}, or of a subclass of {cls.__name__}"

    @classmethod
    def __get_pydantic_json_schema__(
        cls, core_schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> dict[str, Any]:
        """Describe a family as a choice of its members, and a member with its `kind`."""
        if cls.family:
            members = cls.choices().values()
            described = [
                member.__get_pydantic_json_schema__(member.__pydantic_core_schema__, handler)
                for member in members
            ]
            return {"title": cls.__name__, "oneOf": described}
        schema = handler(core_schema)
        target = handler.resolve_ref_schema(schema)
        kind = {"const": cls.kind(), "type": "string", "title": "kind"}
        target["properties"] = {"kind": kind} | target.get("properties", {})
        target["required"] = ["kind", *target.get("required", [])]
        return schema


def _refusal(cls: type[Spec], kind: str, message: str, value: object = None) -> ValidationError:
    return ValidationError.from_exception_data(
        cls.__name__, [error_line(kind, message, ("kind",), value)]
    )


def specs_in(value: Any) -> tuple[Spec, ...]:
    """The groups of settings that a field holds: none, one or several."""
    if isinstance(value, Mapping):
        value = tuple(value.values())
    if isinstance(value, tuple | list):
        return tuple(spec for item in value for spec in specs_in(item))
    return (value,) if isinstance(value, Spec) else ()


def _code(value: Any, indent: int) -> str:
    if isinstance(value, Spec):
        return value.code(indent)
    if isinstance(value, tuple) and specs_in(value):
        pad = "    " * (indent + 1)
        lines = "".join(f"{pad}{_code(item, indent + 1)},\n" for item in value)
        return f"(\n{lines}{pad[4:]})"
    return repr(value)


def _plain(value: Any) -> Any:
    if isinstance(value, Spec):
        return value.to_dict()
    if isinstance(value, tuple | list):
        return [_plain(item) for item in value]
    if isinstance(value, Mapping):
        return {key: _plain(item) for key, item in value.items()}
    return value


def exact(value: Any) -> Any:
    """Return what tells a setting from all others: values that are equal may differ in type."""
    if isinstance(value, Spec):
        fields = [getattr(value, name) for name in type(value).model_fields]
        return type(value), *map(exact, fields), exact(value.__pydantic_private__ or {})
    if isinstance(value, tuple | list):
        return type(value), *map(exact, value)
    if isinstance(value, Mapping):
        return type(value), *((exact(key), exact(item)) for key, item in value.items())
    if isinstance(value, float):  # -0.0 is equal to 0.0
        return type(value), repr(value)
    return type(value), value


def name_in_code(cls: type[Spec]) -> str:
    """Return what a class is called in a program that imports fedbench as fb."""
    if not is_user_class(cls):
        return f"fb.{cls.__name__}"
    return cls.__qualname__.rpartition(f"{LOCAL}.")[2]


def _toml(data: Any) -> Any:
    if isinstance(data, dict):
        return {key: _toml(value) for key, value in data.items()}
    if isinstance(data, list):
        return [_toml(item) for item in data]
    return NONE if data is None else data
