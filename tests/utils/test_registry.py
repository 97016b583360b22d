"""A missing name tells what is known."""

import pytest

from slowfast.utils.errors import ConfigError
from slowfast.utils.registry import Registry, register_in


@pytest.fixture
def registry():
    registry = Registry("model", "MODEL.MODEL_NAME")

    @registry.register()
    class Alpha:
        pass

    @registry.register("beta")
    class Other:
        pass

    return registry


def test_by_class_name_and_by_given_name(registry):
    assert registry.get("Alpha").__name__ == "Alpha"
    assert registry.get("beta").__name__ == "Other"
    assert registry.names() == ["Alpha", "beta"]


def test_unknown_name_names_key_nearest_and_all(registry):
    with pytest.raises(ConfigError) as error:
        registry.get("Alhpa")
    for part in ("MODEL.MODEL_NAME", "'Alhpa'", "Did you mean 'Alpha'", "Alpha, beta"):
        assert part in str(error.value)


def test_a_name_is_taken_once(registry):
    with pytest.raises(AssertionError, match="Alpha"):
        registry.register("Alpha")(object)


def test_a_function_has_a_name_of_its_own():
    table = {}
    function = register_in(table, "A", "starts")(len)
    assert function is len and table == {"A": len}
    with pytest.raises(AssertionError, match="two starts for 'A'"):
        register_in(table, "A", "starts")(max)
    assert table == {"A": len}
