"""Name -> class, with errors that list what is known; name -> function, for what the code itself looks up."""

import difflib

from fvcore.common.registry import Registry as FvcoreRegistry

from slowfast.utils.errors import ConfigError


def register_in(table, name, what):
    """Decorator: puts a function into the dict `table` under `name`; a second `what` of that name is a mistake."""

    def register(function):
        assert name not in table, f"two {what} for '{name}'"
        table[name] = function
        return function

    return register


class Registry(FvcoreRegistry):
    """fvcore's registry; an unknown name is the user's error and names the nearest known ones."""

    def __init__(self, name, cfg_key):
        """Args: name: what is registered ("model"); cfg_key: the key that selects one ("MODEL.MODEL_NAME")."""
        super().__init__(name)
        self.cfg_key = cfg_key

    def register(self, name=None):
        """Class decorator; registers under `name`, or under the class's own name."""

        def add(obj):
            self._do_register(name or obj.__name__, obj)
            return obj

        return add

    def names(self):
        return sorted(name for name, _ in self)

    def get(self, name):
        """Raises: ConfigError naming the key, the value, the nearest name and all registered ones."""
        known = self.names()
        if name in known:
            return super().get(name)
        nearest = difflib.get_close_matches(name, known, n=1)
        hint = f" Did you mean '{nearest[0]}'?" if nearest else ""
        raise ConfigError(
            f"{self.cfg_key}: no {self._name} is registered as '{name}'.{hint} "
            f"Registered: {', '.join(known) or 'none'}. A project's own names need its package in PROJECTS."
        )
