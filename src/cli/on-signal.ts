import type { Io } from "./io.ts";

/** Replaces the listeners of a signal. It has a listener at every moment: without one, the signal would end the process. */
export function onSignal(
  signals: Io["signals"],
  signal: NodeJS.Signals,
  listener: (signal: NodeJS.Signals) => void,
): void {
  const before = signals.listeners(signal);
  signals.on(signal, listener);
  for (const one of before) {
    signals.off(signal, one as () => void);
  }
}
