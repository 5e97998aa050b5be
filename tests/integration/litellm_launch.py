"""Runs LiteLLM's proxy application over stand-in database tables. Runs in LiteLLM's own environment.

The real proxy wants PostgreSQL through Prisma, whose engine is a download of its own. Here its code for keys,
rights, paging and the make-up of an answer is the real one, and only the tables are lists in a JSON file.
"""

import json
import sys
from pathlib import Path
from types import SimpleNamespace

import litellm.proxy.proxy_server as proxy
import uvicorn
from litellm_keys import known_key

LIMITS = {"gte": lambda value, limit: value >= limit, "lte": lambda value, limit: value <= limit}


def matches(row, where):
    """Whether a row meets the kinds of conditions that are used of Prisma's."""
    for name, wanted in (where or {}).items():
        if name in ("OR", "AND", "NOT"):
            raise NotImplementedError(name)
        value = getattr(row, name, None)
        if not isinstance(wanted, dict):
            if value != wanted:
                return False
            continue
        for how, limit in wanted.items():
            if not (value in limit if how == "in" else LIMITS[how](value, limit)):
                return False
    return True


class Row(SimpleNamespace):
    def model_dump(self):
        return dict(vars(self))


class Table:
    def __init__(self, rows):
        self.rows = [Row(**row) for row in rows]

    async def count(self, where=None, **_):
        return len([row for row in self.rows if matches(row, where)])

    async def find_many(self, where=None, skip=0, take=None, order=None, **_):
        found = [row for row in self.rows if matches(row, where)]
        orders = [order] if isinstance(order, dict) else list(order or ())
        for each in reversed(orders):
            ((name, direction),) = each.items()
            found.sort(key=lambda row, name=name: getattr(row, name) or "", reverse=direction == "desc")
        return found[skip : None if take is None else skip + take]

    async def find_unique(self, where=None, **_):
        return next(iter(await self.find_many(where)), None)

    find_first = find_unique

    async def group_by(self, **_):
        return []


class Database:
    def __init__(self, tables):
        self.tables = {name: Table(rows) for name, rows in tables.items()}

    def __getattr__(self, name):
        if not name.startswith("litellm_"):
            raise AttributeError(name)
        return self.tables.get(name, Table([]))

    async def query_raw(self, *_):
        return []


class Client:
    def __init__(self, tables):
        self.db = Database(tables)

    async def health_check(self):
        return [{"?column?": 1}]


if __name__ == "__main__":
    proxy.prisma_client = Client(json.loads(Path(sys.argv[2]).read_text("utf-8")))
    proxy.user_custom_auth = known_key
    uvicorn.run(proxy.app, host="127.0.0.1", port=int(sys.argv[1]), lifespan="off", log_level="warning")
