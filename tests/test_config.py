"""Settings: every value is checked, survives TOML, and says why it cannot change in a run under way."""

from __future__ import annotations

import dataclasses
import math
import pickle
import tomllib
from pathlib import Path
from typing import Any

import pytest
import tomli_w
from hypothesis import given
from hypothesis import strategies as st

from genreg_np.errors import UsageError
from genreg_np.runs.config import (
    TrainConfig,
    default_preset,
    parse_assignment,
    preset_names,
    read_preset,
    read_toml,
    settings,
)
from genreg_np.strategies import REGISTRY
from tests.helpers import one_line, patient

SETTINGS = [(strategy, name) for strategy in REGISTRY for name in settings(strategy)]
DEFAULTS = {strategy: TrainConfig(strategy=strategy).to_dict() for strategy in REGISTRY}


def bad_values(strategy: str, name: str) -> list[Any]:
    """Return values a setting must refuse: of another type, outside its range, not among its choices."""
    limits, good = settings(strategy)[name].metadata, DEFAULTS[strategy][name]
    values: list[Any] = [None, {}, math.nan if isinstance(good, float) else object()]
    if isinstance(good, str):
        values += [1, True, ["a"]] + (["no such choice", ""] if limits["choices"] else [])
    elif isinstance(good, bool):
        values += ["yes", 1, 0.0, [True]]
    else:
        values += ["many", True, [[]]]
        values += [1.5, "3"] if isinstance(good, int) else []
        values += [limits["low"] - 1] if limits["low"] > -math.inf else []
        values += [limits["high"] * 2 + 1] if limits["high"] < math.inf else []
        values += [limits["above"]] if limits["above"] is not None else []
    if name == "hidden":
        values = [None, {}, "64,a", "64,,32", True, 1.5, (64.0,), [64, 0], [-1], ["a"], [True], "0"]
    return values


# Presets and TOML


@pytest.mark.parametrize("name", preset_names())
def test_every_preset_is_a_configuration(name: str) -> None:
    """Each preset loads, and what it says is in the configuration."""
    preset = read_preset(name)
    found = TrainConfig.from_dict(preset, name).to_dict()
    assert {key: found[key] for key in preset} == preset


@pytest.mark.parametrize("dataset", ["mnist", "fashion-mnist", "letters", "digits", "auto", "some/folder"])
def test_every_dataset_has_a_default_preset(dataset: str) -> None:
    """What is trained where no preset is named exists."""
    assert default_preset(dataset) in preset_names()


def test_an_unknown_preset_is_answered_with_the_nearest() -> None:
    """A misspelt preset names the one that was probably meant."""
    with pytest.raises(UsageError, match="did you mean 'seed-mnist-64'") as raised:
        read_preset("seed-mnist64")
    one_line(raised.value)


@pytest.mark.parametrize("name", preset_names())
def test_toml_round_trip_changes_nothing(name: str, tmp_path: Path) -> None:
    """Written as TOML and read back, a configuration is equal."""
    config = TrainConfig.from_dict(read_preset(name)).replace(seed=2**64 - 1, target=0.1 + 0.2, hidden=())
    (tmp_path / "c.toml").write_text(tomli_w.dumps(config.to_dict()), "utf-8")
    again = TrainConfig.from_dict(read_toml(tmp_path / "c.toml"))
    assert again == config
    assert again.seed == 2**64 - 1
    assert again.hidden == ()


@patient
@given(st.text(max_size=20), st.floats(0, 1), st.lists(st.integers(1, 10**6), max_size=4))
def test_any_word_number_and_widths_survive_toml(dataset: str, rate: float, hidden: list[int]) -> None:
    """Strings with any characters and floats to the last bit come back."""
    config = TrainConfig.from_dict({"dataset": dataset, "child_mutation_rate": rate, "hidden": hidden})
    again = TrainConfig.from_dict(tomllib.loads(tomli_w.dumps(config.to_dict())))
    assert again == config
    assert again.child_mutation_rate == rate


@pytest.mark.parametrize(("content", "words"), [(b"a = ", "is not TOML"), (b"\xff\xfe", "is not TOML"), (None, "read")])
def test_a_file_that_is_not_toml_is_refused(tmp_path: Path, content: bytes | None, words: str) -> None:
    """The line names the file."""
    path = tmp_path / "c.toml"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(UsageError, match=words) as raised:
        read_toml(path)
    assert one_line(raised.value).startswith(str(path))


# Values


@pytest.mark.parametrize(("strategy", "name"), SETTINGS)
def test_every_bad_value_is_refused_by_name(strategy: str, name: str) -> None:
    """For each setting there is: the line names the setting and the value."""
    for value in bad_values(strategy, name):
        with pytest.raises(UsageError) as raised:
            TrainConfig.from_dict({"strategy": strategy, name: value})
        line = one_line(raised.value)
        if name != "strategy":
            assert line.startswith(f"{name} = "), value
            assert "must be" in line


@pytest.mark.parametrize(("strategy", "name"), SETTINGS)
def test_values_out_of_range_are_answered_with_the_range(strategy: str, name: str) -> None:
    """Limits and choices are in the line, so that the next try succeeds."""
    limits = settings(strategy)[name].metadata
    if limits["choices"]:
        with pytest.raises(UsageError) as raised:
            TrainConfig.from_dict({"strategy": strategy, name: "nonsense"})
        assert all(choice in str(raised.value) for choice in limits["choices"])
    for limit, words in (("low", "at least"), ("high", "at most"), ("above", "greater than")):
        if limits[limit] is None or not math.isfinite(limits[limit]):
            continue
        beyond = {"low": limits[limit] - 1, "high": limits[limit] * 2 + 1, "above": limits[limit]}[limit]
        with pytest.raises(UsageError) as raised:
            TrainConfig.from_dict({"strategy": strategy, name: [beyond] if name == "hidden" else beyond})
        assert f"{beyond}" in str(raised.value)
        number = limits[limit]
        shown = f"{int(number):,}" if number == int(number) else f"{number:g}"
        assert f"{words} {shown}" in one_line(raised.value)


@pytest.mark.parametrize(("strategy", "name"), SETTINGS)
def test_every_setting_takes_its_limits_and_has_a_meaning(strategy: str, name: str) -> None:
    """Ranges are closed, defaults are valid, and each setting says what it is."""
    limits = settings(strategy)[name].metadata
    assert limits["help"]
    for limit in (limits["low"], limits["high"]):
        if math.isfinite(limit):
            value = [limit] if name in ("hidden", "parts", "more_sizes") else limit
            assert TrainConfig.from_dict({"strategy": strategy, name: value}).to_dict()[name] == value


def test_whole_numbers_are_taken_for_floats_but_not_the_reverse() -> None:
    """1 is a rate of 1.0; 1.5 generations are none."""
    rate = TrainConfig.from_dict({"child_mutation_rate": 1}).child_mutation_rate
    assert isinstance(rate, float)
    with pytest.raises(UsageError, match=r"generations = 1\.5 must be a whole number"):
        TrainConfig.from_dict({"generations": 1.5})


@pytest.mark.parametrize(
    ("value", "widths"), [(64, (64,)), ("64", (64,)), ("64,32", (64, 32)), ("", ()), ([], ()), ([8, 4], (8, 4))]
)
def test_widths_may_be_written_in_several_ways(value: Any, widths: tuple[int, ...]) -> None:
    """A number, a list, or the command line's 64,32; nothing means no hidden layer."""
    assert TrainConfig.from_dict({"hidden": value}).hidden == widths


def test_a_number_too_large_for_a_float_is_refused() -> None:
    """TOML allows whole numbers of any size."""
    with pytest.raises(UsageError, match="child_mutation_rate"):
        TrainConfig.from_dict({"child_mutation_rate": 10**400})


@pytest.mark.parametrize(
    ("name", "near"), [("child_mutation_rat", "child_mutation_rate"), ("popsize", "population_size"), ("sed", "seed")]
)
def test_an_unknown_setting_is_answered_with_the_nearest(name: str, near: str) -> None:
    """A misspelt key names the file it is in and the setting that was probably meant, or all there are."""
    with pytest.raises(UsageError) as raised:
        TrainConfig.from_dict({name: 1}, "my.toml")
    assert one_line(raised.value).startswith(f"my.toml: no setting {name!r}")
    assert near in str(raised.value)


def test_an_unknown_strategy_is_answered_with_the_nearest() -> None:
    """A misspelt strategy names the one that was probably meant."""
    with pytest.raises(UsageError, match="did you mean 'genreg'") as raised:
        TrainConfig.from_dict({"strategy": "gengre"})
    one_line(raised.value)


# A configuration as an object


def test_the_strategys_settings_read_as_the_runs_own() -> None:
    """One flat list of names for the user."""
    config = TrainConfig.from_dict({"population_size": 30})
    assert config.population_size == config.options.population_size == 30
    assert config.survivor_count == 6
    with pytest.raises(AttributeError):
        config.popsize  # noqa: B018


def test_a_configuration_cannot_be_written_and_can_be_copied() -> None:
    """It is frozen; replace() makes a changed copy; pickling and comparing work."""
    config = TrainConfig()
    with pytest.raises(dataclasses.FrozenInstanceError):
        config.seed = 3  # type: ignore[misc]
    assert config.replace(seed=3, elites=1).seed == 3
    assert config.seed == 0
    assert config.replace(seed=3) != config
    assert pickle.loads(pickle.dumps(config)) == config


# Runs under way


@pytest.mark.parametrize(("strategy", "name"), SETTINGS)
def test_only_settings_that_still_apply_can_be_changed(strategy: str, name: str) -> None:
    """A fixed setting is refused with its reason; its old value is not a change; the others take effect."""
    needed = {"selection": "test"} if name == "training" else {}  # training = all does not go without it
    config, item = TrainConfig.from_dict({"strategy": strategy} | needed), settings(strategy)[name]
    old, limits = config.to_dict()[name], item.metadata
    assert config.changed(**{name: old}) == config
    if name == "strategy":
        return  # one strategy's settings are not another's
    others = [choice for choice in limits["choices"] if choice != old]
    if limits["choices"] and not others:
        return  # there is only one
    if isinstance(old, str):
        new: Any = others[0] if others else "dense 9" if name == "network" else "other"
    elif isinstance(old, bool):
        new = not old
    elif isinstance(old, list):
        new = [*old, 3]
    elif isinstance(old, bool):
        new = not old
    else:
        new = old / 2 + 0.1 if isinstance(old, float) else old + 1
    if limits["fixed"]:
        with pytest.raises(UsageError) as raised:
            config.changed(**{name: new})
        assert one_line(raised.value).startswith(f"{name} cannot be changed during a run: {limits['fixed']}")
    else:
        assert config.changed(**{name: new}).to_dict()[name] == new


def test_changing_an_unknown_or_bad_setting_is_refused() -> None:
    """A change is checked like any other setting."""
    with pytest.raises(UsageError, match="no setting"):
        TrainConfig().changed(child_mutation=0.1)
    with pytest.raises(UsageError, match="at most 1"):
        TrainConfig().changed(child_mutation_rate=2)


# KEY=VALUE


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("child_mutation_rate=0.05", ("child_mutation_rate", 0.05)),
        ("elites = 4", ("elites", 4)),
        ("hidden=[64, 32]", ("hidden", [64, 32])),
        ("hidden=64,32", ("hidden", "64,32")),
        ("hidden=", ("hidden", "")),
        ("crossover=unit", ("crossover", "unit")),
        ('crossover="unit"', ("crossover", "unit")),
        ("fitness = log-probability", ("fitness", "log-probability")),
        ("dataset=a=b.csv", ("dataset", "a=b.csv")),
        ("dataset=C:\\data\\x", ("dataset", "C:\\data\\x")),
        ("flag=true", ("flag", True)),
        ("x=-1.5e-3", ("x", -0.0015)),
        ("x=007", ("x", "007")),
    ],
)
def test_assignments_are_toml_or_words(text: str, expected: tuple[str, Any]) -> None:
    """Numbers, lists and truth values as in TOML; what is not TOML is a word."""
    assert parse_assignment(text) == expected


@pytest.mark.parametrize("text", ["", "elites", "=4", "  = 4"])
def test_an_assignment_without_a_name_or_a_value_is_refused(text: str) -> None:
    """The line shows what an assignment looks like."""
    with pytest.raises(UsageError, match="KEY=VALUE") as raised:
        parse_assignment(text)
    one_line(raised.value)


@patient
@given(st.text(max_size=30))
def test_any_assigned_text_is_a_value(text: str) -> None:
    """No text makes the parser raise anything of its own."""
    name, _ = parse_assignment("x=" + text)
    assert name == "x"


@pytest.mark.parametrize("text", ["9" * 5000, "[" * 5000, "{a=" * 5000], ids=["digits", "brackets", "tables"])
def test_text_beyond_the_parsers_limits_is_a_word(text: str, tmp_path: Path) -> None:
    """Too many digits or too deep a nesting is not TOML: a word on the command line, an error in a file."""
    assert parse_assignment(f"x={text}") == ("x", text)
    (tmp_path / "c.toml").write_text(f"x = {text}", "utf-8")
    with pytest.raises(UsageError, match="is not TOML"):
        read_toml(tmp_path / "c.toml")
