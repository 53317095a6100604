// node bench/list-events.mjs PORT TOKEN: walks GET /api/events to its end, then again with a filter that nothing fits.
// Prints how many events it saw, and how long each walk took.
const [port, token] = process.argv.slice(2);

async function walk(query) {
  const startedAt = performance.now();
  let cursor = null;
  let seen = 0;
  do {
    const from = cursor === null ? "" : `&cursor=${encodeURIComponent(cursor)}`;
    const response = await fetch(
      `http://127.0.0.1:${port}/api/events?limit=1000${query}${from}`,
      { headers: { authorization: `Bearer ${token}` } },
    );
    if (!response.ok) {
      throw new Error(`GET /api/events: ${response.status}`);
    }
    const { events, next } = await response.json();
    seen += events.length;
    cursor = next;
  } while (cursor !== null);
  return { seen, seconds: (performance.now() - startedAt) / 1000 };
}

const all = await walk("");
const filtered = await walk("&type=none.*");
console.log(JSON.stringify({ all, filtered }));
