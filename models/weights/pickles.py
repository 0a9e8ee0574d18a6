"""Read pickles of plain data without executing them.

A pickle is a program for a stack machine that can call anything it names. `pickletools` decodes its opcodes. This
module interprets those that build plain data, and lets a pickle name and call only what its reader allows.

A small pickle can build an object of exponential size by referring to each tuple twice in the next. Such an object
takes little memory unless it is hashed, printed or copied, so callables in `Names` must check the types of their
arguments first.
"""

import pickletools
from collections.abc import Callable, Mapping
from typing import IO, Any

Names = Mapping[tuple[str, str], Callable[..., Any]]
"""The names that a pickle may use, as (module, name), and the callable that replaces each."""

_VALUES = {
    *("INT", "BININT", "BININT1", "BININT2", "LONG", "LONG1", "LONG4", "FLOAT", "BINFLOAT"),
    *("STRING", "BINSTRING", "SHORT_BINSTRING", "UNICODE", "BINUNICODE", "SHORT_BINUNICODE"),
}
"""Opcodes that push their argument."""
_CONSTANTS: dict[str, Callable[[], Any]] = {
    **{"NONE": lambda: None, "NEWTRUE": lambda: True, "NEWFALSE": lambda: False},
    **{"EMPTY_TUPLE": tuple, "EMPTY_LIST": list, "EMPTY_DICT": dict},
}
_TUPLES = {"TUPLE1": 1, "TUPLE2": 2, "TUPLE3": 3}


class PickleError(Exception):
    """A pickle contains something other than the data that its reader allows."""


def read_pickle(file: IO[bytes], names: Names, persistent: Callable[[Any], Any] | None = None) -> Any:
    """Read one pickle from `file` and leave the file's position after it.

    Args:
        names: the callables that replace the names in the pickle. The objects that they return get their state in
            ``__setstate__``.
        persistent: returns the object for a persistent id; None to reject persistent ids.

    Raises:
        PickleError: the pickle is damaged, uses another name, or has an opcode that plain data does not need.
    """
    machine = _Machine(names, persistent)
    try:
        for opcode, argument, _ in pickletools.genops(file):
            if opcode.name == "STOP":
                return machine.stack.pop()
            machine.run(opcode.name, argument)
    except PickleError:
        raise
    except Exception as error:
        # A damaged pickle makes the decoder, or one of the callables, fail in almost any way.
        raise PickleError(f"it is damaged: {error!r}") from error
    raise PickleError("it has no end")


class _Machine:
    """The machine that runs the opcodes of one pickle."""

    def __init__(self, names: Names, persistent: Callable[[Any], Any] | None) -> None:
        self.stack: list[Any] = []
        self._marks: list[int] = []
        self._memo: dict[int, Any] = {}
        self._names = names
        self._persistent = persistent

    def run(self, opcode: str, argument: Any) -> None:
        stack = self.stack
        if opcode in _VALUES:
            stack.append(argument)
            return
        if opcode in _CONSTANTS:
            stack.append(_CONSTANTS[opcode]())
            return
        if opcode in _TUPLES:
            stack.append(tuple(self._popped(_TUPLES[opcode])))
            return
        match opcode:
            case "PROTO" | "FRAME":
                pass
            case "MARK":
                self._marks.append(len(stack))
            case "TUPLE":
                stack.append(tuple(self._marked()))
            case "LIST":
                stack.append(self._marked())
            case "APPEND" | "APPENDS":
                items = self._marked() if opcode == "APPENDS" else self._popped(1)
                stack[-1].extend(items)
            case "SETITEM" | "SETITEMS":
                items = self._marked() if opcode == "SETITEMS" else self._popped(2)
                # Hashing a nested tuple can take forever, or overflow the interpreter's stack.
                if not all(isinstance(key, str) for key in items[::2]):
                    raise PickleError("a key in it is not a string")
                stack[-1].update(zip(items[::2], items[1::2], strict=True))
            case "PUT" | "BINPUT" | "LONG_BINPUT":
                self._memo[argument] = stack[-1]
            case "MEMOIZE":
                self._memo[len(self._memo)] = stack[-1]
            case "GET" | "BINGET" | "LONG_BINGET":
                stack.append(self._memo[argument])
            case "GLOBAL":
                stack.append(self._named(*argument.split(" ", 1)))
            case "STACK_GLOBAL":
                stack.append(self._named(*self._popped(2)))
            case "REDUCE" | "NEWOBJ":
                call, arguments = self._popped(2)
                if call not in self._names.values():
                    raise PickleError("it calls something other than a name")
                stack.append(call(*arguments))
            case "BUILD":
                [state] = self._popped(1)
                stack[-1].__setstate__(state)
            case "BINPERSID" if self._persistent:
                stack.append(self._persistent(stack.pop()))
            case _:
                raise PickleError(f"it uses the opcode {opcode}")

    def _popped(self, count: int) -> list[Any]:
        items = self.stack[-count:]
        del self.stack[-count:]
        return items

    def _marked(self) -> list[Any]:
        start = self._marks.pop()
        items = self.stack[start:]
        del self.stack[start:]
        return items

    def _named(self, module: object, name: object) -> Callable[..., Any]:
        if not (isinstance(module, str) and isinstance(name, str)):
            raise PickleError("a name in it is not a string")
        try:
            return self._names[module, name]
        except KeyError:
            raise PickleError(f"it names {module}.{name}") from None
