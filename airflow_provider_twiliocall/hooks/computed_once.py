"""A property that is computed once for each object, and that no other object has to wait for."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from functools import cached_property as computed_once
else:

    class computed_once:
        """What ``functools.cached_property`` is from Python 3.12 on.

        Before, it has one lock for all objects of the class. In the triggerer a thread that computes a hook's settings
        asks Airflow, and so waits for the event loop; an event loop that computes another hook's then waits for that
        thread, and nothing goes on ever again.
        """

        def __init__(self, compute):
            self._compute = compute
            self.__doc__ = compute.__doc__

        def __set_name__(self, owner, name):
            self._name = name

        def __get__(self, instance, owner=None):
            if instance is None:
                return self
            value = instance.__dict__[self._name] = self._compute(instance)
            return value


__all__ = ["computed_once"]
