"""``python -m benchmarks.waiting.server``: calls that end after 5 to 25 s, served fast enough for ten thousand waits.

The simulator knows far more of Twilio, and would be what is measured. Every call is written out twice at the start,
going on and over, so that a page of the list is a join.
"""

from __future__ import annotations

import json
import random
import time
from email.utils import formatdate

from aiohttp import web

ACCOUNT = "AC" + "0" * 32
SHORTEST_S, LONGEST_S = 5.0, 25.0


class Calls:
    """The calls of one measurement, and the requests for them."""

    def __init__(self) -> None:
        self.begin(0)

    def begin(self, count: int) -> None:
        now = time.time()
        chance = random.Random(count)
        self.requests = 0
        self.sids = [f"CA{number:032x}" for number in range(count)]
        self.ends = {sid: now + chance.uniform(SHORTEST_S, LONGEST_S) for sid in self.sids}
        self._going_on = {sid: _call(sid, "in-progress", now, None) for sid in self.sids}
        self._over = {sid: _call(sid, "completed", now, end) for sid, end in self.ends.items()}

    def text(self, sid: str) -> str:
        return (self._over if time.time() >= self.ends[sid] else self._going_on)[sid]

    async def start(self, request: web.Request) -> web.Response:
        self.begin(int(request.query["calls"]))
        return web.json_response(self.ends)

    async def count(self, request: web.Request) -> web.Response:
        return web.json_response(self.requests)

    async def one(self, request: web.Request) -> web.Response:
        self.requests += 1
        return _json(self.text(request.match_info["sid"]))

    async def page(self, request: web.Request) -> web.Response:
        self.requests += 1
        size, number = int(request.query["PageSize"]), int(request.query.get("Page", 0))
        newest_first = self.sids[::-1]
        listed = newest_first[number * size : (number + 1) * size]
        more = len(newest_first) > (number + 1) * size
        uri = f"/2010-04-01/Accounts/{ACCOUNT}/Calls.json?PageSize={size}&Page={number + 1}&PageToken=PA"
        rest = json.dumps({"page": number, "page_size": size, "next_page_uri": uri if more else None})
        return _json(f'{{"calls": [{", ".join(map(self.text, listed))}], {rest[1:]}')


def _json(text: str) -> web.Response:
    return web.Response(text=text, content_type="application/json", headers={"Date": formatdate(usegmt=True)})


def _call(sid: str, status: str, started: float, ended: float | None) -> str:
    path = f"/2010-04-01/Accounts/{ACCOUNT}/Calls/{sid}"
    below = ("Notifications", "Recordings", "Payments", "Events", "Siprec", "Streams", "Transcriptions")
    stamp = formatdate(started)
    return json.dumps(
        {
            "sid": sid,
            "account_sid": ACCOUNT,
            "parent_call_sid": None,
            "phone_number_sid": "PN" + "0" * 32,
            "group_sid": None,
            "trunk_sid": None,
            "date_created": stamp,
            "date_updated": formatdate(ended) if ended else stamp,
            "start_time": stamp,
            "end_time": formatdate(ended) if ended else None,
            "to": "+15551230001",
            "to_formatted": "(555) 123-0001",
            "from": "+15551230002",
            "from_formatted": "(555) 123-0002",
            "status": status,
            "duration": str(int(ended - started)) if ended else None,
            "price": None,
            "price_unit": "USD",
            "direction": "outbound-api",
            "answered_by": None,
            "api_version": "2010-04-01",
            "forwarded_from": None,
            "caller_name": None,
            "queue_time": "0",
            "uri": f"{path}.json",
            "subresource_uris": {name.lower(): f"{path}/{name}.json" for name in below},
        }
    )


def main() -> None:
    calls = Calls()
    app = web.Application()
    app.router.add_get("/bench/start", calls.start)
    app.router.add_get("/bench/requests", calls.count)
    app.router.add_get(f"/2010-04-01/Accounts/{ACCOUNT}/Calls/{{sid}}.json", calls.one)
    app.router.add_get(f"/2010-04-01/Accounts/{ACCOUNT}/Calls.json", calls.page)
    web.run_app(
        app,
        host="127.0.0.1",
        port=0,
        access_log=None,
        backlog=4096,
        print=lambda text: print(text.split()[3], flush=True) if "Running on" in text else None,
    )


if __name__ == "__main__":
    main()
