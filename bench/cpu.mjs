// Reads the CPU time of each thread from /proc, in nanoseconds.
import { readdirSync, readFileSync } from "node:fs";

const MS_PER_TICK = 10; // unit of /proc/PID/stat

/** Returns the CPU time of a process in ns: its main thread, its other threads by name, and the processes it has started. */
function cpuOf(pid) {
  const threads = {};
  let main = 0;
  for (const tid of readdirSync(`/proc/${pid}/task`)) {
    try {
      const folder = `/proc/${pid}/task/${tid}`;
      const ns = Number(
        readFileSync(`${folder}/schedstat`, "utf8").split(" ")[0],
      );
      if (tid === String(pid)) {
        main = ns;
      } else {
        const name = readFileSync(`${folder}/comm`, "utf8").trim();
        threads[name] = (threads[name] ?? 0) + ns;
      }
    } catch {
      // The thread has ended.
    }
  }
  const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
  const [cutime, cstime] = stat
    .slice(stat.lastIndexOf(")"))
    .split(" ")
    .slice(14, 16);
  const children = (Number(cutime) + Number(cstime)) * MS_PER_TICK * 1e6;
  return { main, threads, children };
}

/** Starts counting. The returned function gives the CPU time since then, in µs. The first process is the server. */
export function countCpu(pids) {
  const before = pids.map(cpuOf);
  return () => {
    const threads = {};
    let main = 0;
    let total = 0;
    pids.forEach((pid, index) => {
      const now = cpuOf(pid);
      const then = before[index];
      const mainUs = (now.main - then.main) / 1000;
      total += mainUs + (now.children - then.children) / 1000;
      if (index === 0) {
        main = mainUs;
      } else {
        threads[`process ${index}`] = mainUs;
      }
      for (const [name, ns] of Object.entries(now.threads)) {
        const us = (ns - (then.threads[name] ?? 0)) / 1000;
        threads[name] = (threads[name] ?? 0) + us;
        total += us;
      }
    });
    return { main, total, threads };
  };
}

/** Returns the resident memory of a process in MB. */
export function memoryOf(pid) {
  const status = readFileSync(`/proc/${pid}/status`, "utf8");
  return Number(/^VmRSS:\s+(\d+)/m.exec(status)[1]) / 1024;
}

/** Returns the time in ms that a core was busy since the system started, with the work of any process. */
export function busyMsOf(core) {
  const line = new RegExp(`^cpu${core} (.+)$`, "m");
  const fields = line.exec(readFileSync("/proc/stat", "utf8"))[1].split(" ");
  const [user, nice, system, , , irq, softirq, steal] = fields.map(Number);
  return (user + nice + system + irq + softirq + steal) * MS_PER_TICK;
}
