"""Many clients at once: does the page still answer, and does its memory stay bounded?

    python bench/page_load.py --clients 30 --seconds 60 --json FILE.json

Each client asks as a page does that is dragged and left alone: mostly curves of 104 people, now and then 1,000, why,
code or a system, each with a dose of its own, so that few answers come from memory; now and then a trial that is then
cancelled. All come from one address, as behind a proxy, so that the limits of one client are met: 429 is meant.
Meanwhile one more client asks for `/` and `/healthz` twice a second.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import random
import time
from collections import Counter
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import psutil
from page_server import machine, memory_mb, serving

TRIAL = {
    "trial": "small", "visits": ["4 h", "24 h"],
    "arms": [{"name": "a", "course": "iv-single", "n": 20}, {"name": "b", "control": "midazolam", "n": 20}],
    "endpoints": [{"measure": "change", "at": "24 h", "analysis": "ancova"}],
}  # fmt: skip
PAUSE_S = 0.05


class Load:
    """What was answered."""

    def __init__(self) -> None:
        self.statuses: dict[str, Counter[str]] = {}
        self.spent: dict[str, list[float]] = {}
        self.memory: list[float] = []

    async def ask(
        self, client: httpx.AsyncClient, name: str, method: str, path: str, body: Any = None
    ) -> httpx.Response | None:
        """Ask, and count the answer."""
        start = time.perf_counter()
        try:
            answer = await client.request(method, path, json=body)
            status = str(answer.status_code)
        except httpx.HTTPError as error:
            answer, status = None, type(error).__name__
        self.statuses.setdefault(name, Counter())[status] += 1
        if status in ("200", "202"):
            self.spent.setdefault(name, []).append(1e3 * (time.perf_counter() - start))
        return answer

    async def client(self, address: str, scenario: dict[str, Any], end: float, seed: int) -> None:
        """One page that is dragged and left alone."""
        chance = random.Random(seed)
        async with httpx.AsyncClient(base_url=address, timeout=30) as client:
            while time.monotonic() < end:
                line = scenario["course"]["doses"][0] | {"dose": f"{chance.uniform(0.1, 1):.4f} mg/kg"}
                asked = scenario | {"course": scenario["course"] | {"doses": [line]}}
                kind = chance.choices(("few", "many", "why", "code", "system", "trial"), (70, 12, 3, 5, 7, 3))[0]
                if kind in ("few", "many"):
                    people = {"people": 104, "coarse": True} if kind == "few" else {"people": 1000, "coarse": False}
                    answer = await self.ask(client, kind, "POST", "/api/run", {"scenario": asked} | people)
                elif kind == "system":
                    answer = await self.ask(client, kind, "GET", "/api/systems/nmda_block")
                elif kind == "trial":
                    body = {"trial": TRIAL, "replicates": 20}
                    answer = await self.ask(client, kind, "POST", "/api/jobs/trial", body)
                    if answer is not None and answer.status_code == 202:
                        await asyncio.sleep(chance.uniform(0, 2))
                        await self.ask(client, "cancel", "DELETE", f"/api/jobs/{answer.json()['id']}")
                else:
                    body = {"scenario": asked} | ({"view": "explore"} if kind == "code" else {})
                    answer = await self.ask(client, kind, "POST", f"/api/{kind}", body)
                busy = answer is not None and answer.status_code == 429
                await asyncio.sleep(chance.uniform(0.2, 1.0) if busy else PAUSE_S)

    async def visitor(self, address: str, end: float) -> None:
        """Somebody who opens the page meanwhile."""
        async with httpx.AsyncClient(base_url=address, timeout=30) as client:
            while time.monotonic() < end:
                await self.ask(client, "GET /", "GET", "/")
                await self.ask(client, "GET /healthz", "GET", "/healthz")
                await asyncio.sleep(0.5)

    async def watch(self, server: psutil.Process, end: float) -> None:
        """Memory of all processes of the server, every two seconds."""
        while time.monotonic() < end:
            self.memory.append(await asyncio.to_thread(memory_mb, server))
            await asyncio.sleep(2)


async def load(address: str, server: psutil.Process, clients: int, seconds: float) -> Load:
    """So many clients for so long."""
    found = Load()
    async with httpx.AsyncClient(base_url=address, timeout=60) as client:
        scenario = (await client.get("/api/about")).json()["default"]
        await client.post("/api/run", json={"scenario": scenario})
    found.memory.append(memory_mb(server))
    end = time.monotonic() + seconds
    await asyncio.gather(
        *(found.client(address, scenario, end, k) for k in range(clients)),
        found.visitor(address, end),
        found.watch(server, end),
    )
    await asyncio.sleep(3)
    found.memory.append(memory_mb(server))
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--clients", type=int, default=30)
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--json", type=Path)
    asked = parser.parse_args()
    about = machine()
    with serving() as (address, server):
        found = asyncio.run(load(address, server, asked.clients, asked.seconds))
    times = {
        name: {
            "n": len(spent),
            **{f"p{q}_ms": float(np.quantile(spent, q / 100)) for q in (50, 95)},
            "most_ms": max(spent),
        }
        for name, spent in found.spent.items()
    }
    report = {
        "machine": about, "clients": asked.clients, "seconds": asked.seconds, "statuses": found.statuses,
        "answers": times, "memory_mb": [round(one) for one in found.memory],
    }  # fmt: skip
    text = json.dumps(report, indent=1)
    print(text)
    if asked.json:
        asked.json.write_text(text + "\n")


if __name__ == "__main__":
    main()
