import type { Io } from "./io.ts";

/** Replaces the listeners of a signal. The new listener is added first: a signal without a listener would end the process. */
export function onSignal(
  signals: Io["signals"],
  signal: NodeJS.Signals,
  listener: (signal: NodeJS.Signals) => void,
): void {
  const before = signals.listeners(signal);
  signals.on(signal, listener);
  for (const old of before) {
    signals.off(signal, old as () => void);
  }
}
