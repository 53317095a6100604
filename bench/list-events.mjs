// node bench/list-events.mjs PORT TOKEN: reads all pages of GET /api/events, then again with a filter that matches nothing.
// Prints the number of events and the time of both readings.
const [port, token] = process.argv.slice(2);

async function readPages(query) {
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

const all = await readPages("");
const filtered = await readPages("&type=none.*");
console.log(JSON.stringify({ all, filtered }));
