"""Simulation of users, items and their interactions.

Vectorized over users. The only loop is over the requests of a user, because
past actions of a user change the next ones.
"""

import dataclasses
from typing import Any

import numpy as np
import numpy.typing as npt

__all__ = [
    "CATEGORIES",
    "HOUR",
    "SEGMENTS",
    "TABS",
    "TAGS",
    "Log",
    "World",
    "make_world",
    "simulate",
]

Array = npt.NDArray[Any]

SEGMENTS = ("student", "parent", "worker", "retired", "gamer", "traveler")
TABS = ("home", "follow", "search", "nearby")
CATEGORIES = tuple("music cooking sports travel comedy news games pets".split())
TAGS = tuple(
    "retro quiet loud short long live funny sad fast slow kids night city "
    "nature family solo cheap luxury new classic local world howto "
    "duet".split()
)
#: Milliseconds of an hour.
HOUR = 3_600_000

_STYLES = 4  # hidden tastes of users and styles of authors
_AGE_BANDS = 7  # the last of users whose age is not known
_DAYS = 21
_START = 1_704_067_200_000  # 2024-01-01, in milliseconds


class _Draw:
    """Draws items by popularity, from all items or from one group."""

    def __init__(self, popularity: Array, group: Array) -> None:
        self.order = np.argsort(group, kind="stable")
        self.ends = np.cumsum(popularity[self.order])
        sizes = np.bincount(group)
        self.last = np.cumsum(sizes) - 1
        self.first = self.last - sizes + 1

    def __call__(self, group: Array, rng: np.random.Generator) -> Array:
        first, last = self.first[group], self.last[group]
        low = np.where(first > 0, self.ends[first - 1], 0.0)
        target = rng.uniform(low, self.ends[last])
        place = np.searchsorted(self.ends, target, side="right")
        return self.order[np.clip(place, first, last)]


@dataclasses.dataclass(frozen=True)
class World:
    """Users, items and the effects between them.

    Ids count from 0 and are mapped to the raw values of a table. Taste,
    style and quality are hidden from the models.
    """

    segment: Array  # (users,), into SEGMENTS
    age: Array  # (users,), NaN where unknown
    taste: Array  # (users,)
    author: Array  # (items,)
    style: Array  # (items,), that of the author
    category: Array  # (items,), into CATEGORIES
    price: Array  # (items,), NaN where unknown
    quality: Array  # (items,)
    tag_counts: Array  # (items,)
    tags: Array  # into TAGS, item by item
    segment_category: Array
    segment_item: Array  # (segments, items), the sum over the item's tags
    hour_tab: Array
    age_category: Array  # (age bands, categories)
    category_tab: Array
    segment_tab: Array
    hour_category: Array
    by_author: _Draw
    by_category: _Draw


def make_world(
    num_users: int, num_items: int, rng: np.random.Generator
) -> World:
    """Draws users, items and effects."""
    num_authors = max(1, num_items // 12)
    segment = rng.integers(len(SEGMENTS), size=num_users)
    age = rng.uniform(16, 70, num_users).round()
    age[rng.random(num_users) < 0.1] = np.nan
    author = rng.permutation(np.arange(num_items) % num_authors)
    category = rng.integers(len(CATEGORIES), size=num_items)
    price = np.exp(rng.normal(3.0, 0.8, num_items)).round(2)
    price[rng.random(num_items) < 0.05] = np.nan
    popularity = rng.pareto(2.0, num_items) + 0.3
    tag_counts = rng.integers(1, 4, num_items)
    # Distinct tags of an item: the first few of a random permutation.
    shuffled = rng.random((num_items, len(TAGS))).argsort(axis=1)[:, :3]
    tags = shuffled[np.arange(3) < tag_counts[:, None]]
    segment_tag = rng.normal(size=(len(SEGMENTS), len(TAGS)))
    starts = np.cumsum(tag_counts) - tag_counts
    sums = np.add.reduceat(segment_tag[:, tags], starts, axis=1)
    return World(
        segment=segment,
        age=age,
        taste=rng.integers(_STYLES, size=num_users),
        author=author,
        style=rng.integers(_STYLES, size=num_authors)[author],
        category=category,
        price=price,
        quality=rng.normal(size=num_items),
        tag_counts=tag_counts,
        tags=tags,
        segment_category=rng.normal(size=(len(SEGMENTS), len(CATEGORIES))),
        segment_item=sums / np.sqrt(tag_counts),
        # Four hours behave alike.
        hour_tab=rng.normal(size=(6, len(TABS))).repeat(4, axis=0),
        age_category=rng.normal(size=(_AGE_BANDS, len(CATEGORIES))),
        category_tab=rng.normal(size=(len(CATEGORIES), len(TABS))),
        segment_tab=rng.normal(size=(len(SEGMENTS), len(TABS))),
        hour_category=rng.normal(size=(6, len(CATEGORIES))).repeat(4, axis=0),
        by_author=_Draw(popularity, author),
        by_category=_Draw(popularity, category),
    )


@dataclasses.dataclass(frozen=True)
class Log:
    """Simulated events in arrays of shape `(users, steps)`.

    Labels are drawn from the probabilities. That of a purchase is conditional
    on a click: only clicks can become purchases.
    """

    time: Array  # milliseconds, strictly increasing along a row
    tab: Array  # into TABS
    item: Array
    labels: dict[str, Array]  # by task
    probabilities: dict[str, Array]  # by task


def simulate(world: World, steps: int, rng: np.random.Generator) -> Log:
    """Simulates a number of requests of every user."""
    shape = (len(world.segment), steps)
    hours = 1.0 + 0.8 * np.sin((np.arange(24) - 9.0) * np.pi / 12.0)
    time = (
        rng.integers(_DAYS, size=shape) * 24
        + rng.choice(24, size=shape, p=hours / hours.sum())
    ) * HOUR + rng.integers(HOUR - steps, size=shape)
    # One more millisecond a step: no two requests of a user coincide.
    time = _START + np.sort(time, axis=1) + np.arange(steps)
    tab = rng.choice(len(TABS), size=shape, p=(0.4, 0.3, 0.2, 0.1))
    hour = time // HOUR % 24

    item = np.zeros(shape, np.int64)
    labels = {
        name: np.zeros(shape, np.int64)
        for name in ("click", "like", "purchase")
    }
    probabilities = {name: np.zeros(shape) for name in labels}
    users = np.arange(shape[0])
    viewed = np.full((shape[0], 10), -1)  # categories, the newest last
    liked = np.full((shape[0], 10), -1)  # authors
    bought = np.full((shape[0], 5), -1)  # categories
    for step in range(steps):
        shown = _show(world, viewed, liked, rng)
        log_odds = _log_odds(
            world, shown, hour[:, step], tab[:, step], viewed, liked, bought
        )
        drawn = {}
        for name, value in log_odds.items():
            probability = 1.0 / (1.0 + np.exp(-value))
            drawn[name] = rng.random(len(users)) < probability
            probabilities[name][:, step] = probability
        drawn["purchase"] &= drawn["click"]
        for name, values in drawn.items():
            labels[name][:, step] = values
        item[:, step] = shown
        category = world.category[shown]
        _push(viewed, users, category)
        _push(liked, drawn["like"], world.author[shown])
        _push(bought, drawn["purchase"], category)
    return Log(time, tab, item, labels, probabilities)


def _show(
    world: World, viewed: Array, liked: Array, rng: np.random.Generator
) -> Array:
    """Draws an item per user: a popular one, or one like past items."""
    num_users, num_items = len(viewed), len(world.author)
    route = rng.random(num_users)
    # Any item will do as the origin of "popular": its group is replaced.
    anything = rng.integers(num_items, size=num_users)
    category = np.where(
        (route < 0.4) & (viewed[:, -1] >= 0),
        viewed[:, -1],
        world.category[anything],
    )
    recent = liked[np.arange(num_users), rng.integers(-3, 0, num_users)]
    same_author = (route > 0.75) & (recent >= 0)
    return np.where(
        same_author,
        world.by_author(np.where(same_author, recent, 0), rng),
        world.by_category(category, rng),
    )


def _log_odds(
    world: World,
    item: Array,
    hour: Array,
    tab: Array,
    viewed: Array,
    liked: Array,
    bought: Array,
) -> dict[str, Array]:
    """Returns the log-odds of every task for the item shown to each user."""
    category = world.category[item]
    same_category = viewed == category[:, None]
    # The newest of ten views weighs 1, each older one 15 % less.
    fatigue = same_category @ 0.85 ** np.arange(9.0, -1.0, -1.0)
    likes = (liked == world.author[item][:, None]).sum(axis=1)
    match = world.style[item] == world.taste
    click = (
        1.0 * world.segment_category[world.segment, category]
        + 0.8 * world.hour_tab[hour, tab]
        + 0.8 * world.age_category[_age_bands(world.age), category]
        + 0.5 * world.quality[item]
        - 0.8 * (fatigue - 1.8)
    )
    like = (
        2.2 * match
        + 0.6 * np.minimum(likes, 3)
        + 0.7 * world.segment_item[world.segment, item]
        + 0.8 * world.category_tab[category, tab]
    )
    # Without a known age or price, the price has no effect.
    budget = 2.0 + (world.age - 16.0) / 27.0
    distance = np.abs(np.log(world.price[item]) - budget)
    distance = np.where(np.isnan(distance), 0.8, distance)
    purchase = (
        0.7 * like
        + 0.3 * click
        - 1.2 * (distance - 0.8)
        + 0.8 * (bought == category[:, None]).any(axis=1)
        + 0.8 * world.segment_tab[world.segment, tab]
        + 0.8 * world.hour_category[hour, category]
    )
    return {
        "click": click - 0.6,
        "like": like - 2.2,
        "purchase": purchase - 4.0,
    }


def _age_bands(age: Array) -> Array:
    """Returns bands of nine years; the last is for unknown ages."""
    known = np.minimum((age - 16.0) // 9, _AGE_BANDS - 2)
    return np.where(np.isnan(age), _AGE_BANDS - 1, known).astype(int)


def _push(history: Array, who: Array, values: Array) -> None:
    """Appends a value to the histories of some users, dropping the oldest."""
    history[who] = np.column_stack([history[who][:, 1:], values[who]])
