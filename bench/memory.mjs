// Measures memory during a long run at half the peak. Requests are prepared in pieces, because their signatures expire.
import { memoryOf } from "./cpu.mjs";
import { median } from "./statistics.mjs";

const PIECE_SECONDS = 20;
const SAMPLE_MS = 1000;

export const memory = {
  title: "memory at half the peak",
  async run(context) {
    const peak = await context.peak();
    await context.withServer("hexhook", {}, async (server) => {
      const samples = [];
      const timer = setInterval(() => {
        try {
          samples.push(memoryOf(server.pids[0]));
        } catch {
          // The server has ended. The load reports this.
          clearInterval(timer);
        }
      }, SAMPLE_MS);
      const pieces = Math.ceil(context.memorySeconds / PIECE_SECONDS);
      const results = [];
      try {
        for (let i = 0; i < pieces; i += 1) {
          results.push(
            await context.measure.load(server, {
              rate: peak / 2,
              seconds: PIECE_SECONDS,
            }),
          );
        }
      } finally {
        clearInterval(timer);
      }
      const fifth = Math.ceil(samples.length / 5);
      context.record("memory", "Hexhook, half the peak", {
        memoryMax: Math.max(...samples),
        memoryStart: median(samples.slice(fifth, 2 * fifth)),
        memoryEnd: median(samples.slice(-fifth)),
        seconds: context.memorySeconds,
        answers: results.reduce((sum, { answers }) => sum + answers, 0),
        p99: Math.max(...results.map(({ p99 }) => p99)),
        perSecond: median(results.map(({ perSecond }) => perSecond)),
        bad: results.some((result) => result.errors > 0),
      });
    });
  },
};
