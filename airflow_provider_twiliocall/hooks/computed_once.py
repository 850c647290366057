"""A property that is computed once for each object, without a lock."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from functools import cached_property as computed_once
else:

    class computed_once:
        """``functools.cached_property`` as of Python 3.12.

        Before 3.12 it has one lock for all objects of the class, which is a deadlock in the triggerer: a thread that
        computes a hook's settings waits for the event loop, and the event loop waits for the lock to compute another's.
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
