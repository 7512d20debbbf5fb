"""The groups of tokens that the blocks of INFNet know."""

from collections.abc import Sequence

__all__ = ["GROUPS", "check_groups"]

GROUPS = ("categorical", "sequence", "task")


def check_groups(updates: Sequence[str], broadcasts: Sequence[str]) -> None:
    """Raises where `broadcasts` is no part of `updates`, or that of `GROUPS`.

    Args:
        updates: names of groups.
        broadcasts: names of groups.

    Raises:
        ValueError: If a name is not known, or broadcast without an update.
    """
    for group in updates:
        if group not in GROUPS:
            raise ValueError(
                f"`updates` must be among {GROUPS}. Received: {group!r}."
            )
    for group in broadcasts:
        if group not in updates:
            raise ValueError(
                "`broadcasts` must be among `updates`. Received: "
                f"updates={tuple(updates)}, broadcasts={tuple(broadcasts)}."
            )
